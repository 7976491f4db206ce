"""Power of a frame's links by the symbols that were known to be sent: SIGNALS.md, "SNR".

A few sounding symbols tell a link's level to some percent only. The run knows what its tasks sent, thousands of uses a frame,
and what they come to beside the receiver's own estimate tells how far its level is off. It is a measurement of the link, and
never reaches a decoder. What distorts the symbols is uncorrelated with them, and adds nothing.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hil.phy.reception import FrameReception

__all__ = ["aided_signal"]

_LEAST = 0.25
"""Of a level, that is seen at least; less is no level that was estimated a little wrong."""
_RANK = 1e-5
"""Share of the strongest combination of transmitters' symbols that the weakest one has at least, for float32 to part them."""


def aided_signal(frame: FrameReception, expected: NDArray[np.complex64]) -> NDArray[np.float64] | None:
    """Mean |H_k|² over active carriers, unbiased, float64 [tx]; None where symbols do not tell.

    Args:
        frame: as received.
        expected: complex64 [tx, task, use], h_k x_k of the tasks that it carries by the receiver's own estimate.
    """
    many, tasks = expected.shape[:2]
    variance = frame.noise_var.numpy()[:tasks]
    used = variance > 0
    each = 1 / np.sqrt(np.where(used, variance, 1))
    each *= used
    parts, heard = (expected * each).reshape(many, -1), (frame.symbols.numpy()[:tasks] * each).ravel()
    gram, seen = (parts.conj() @ parts.T).astype(complex), (parts.conj() @ heard).astype(complex)
    strengths = np.linalg.eigvalsh(gram)
    if strengths[0] <= strengths[-1] * _RANK:
        return None
    inverse = np.linalg.inv(gram)
    level = inverse @ seen
    squares = level.real**2 + level.imag**2 - inverse.diagonal().real
    response = frame.response.numpy()
    power = (response.real**2 + response.imag**2).mean(1, dtype=np.float64)
    true = power - frame.noise * frame.response_errors
    if not ((squares > _LEAST) & (squares < 1 / _LEAST) & (true > _LEAST * power)).all():
        return None
    return np.asarray(squares * power**2 / true)  # weighed by |Ĝ|², a level is Σ Ĝ* G / Σ |Ĝ|²: too small by Ĝ's own error
