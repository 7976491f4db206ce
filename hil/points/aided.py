"""Power of a frame's links by the symbols that were known to be sent: SIGNALS.md, "SNR".

A few sounding symbols tell a link's level to some percent only. The run knows what its tasks sent, thousands of uses a frame,
and what they come to beside the receiver's own estimate tells how far its level is off. It is a measurement of the link, and
never reaches a decoder. What distorts the symbols is uncorrelated with them, and adds nothing.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["aided_signal"]

_LEAST = 0.25
"""Of a level, that is seen at least; less is no level that was estimated a little wrong."""
_RANK = 1e-5
"""Share of the strongest combination of transmitters' symbols that the weakest one has at least, for float32 to part them."""


def aided_signal(
    gram: NDArray[np.complex128], power: NDArray[np.float64], true: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Mean |H_k|² over active carriers by the symbols that were sent, unbiased.

    Args:
        gram: complex128 [frame, tx, tx + 1], of its symbols by the receiver's own estimate (`hil.phy.against_plain.compare`).
        power: float64 [frame, tx], of that estimate; true: the same without the power of its error.

    Returns:
        float64 [frame, tx], and where they tell it, bool [frame].
    """
    gram, seen = gram[..., :-1], gram[..., -1:]
    strengths = np.linalg.eigvalsh(gram)
    tells = strengths[:, 0] > strengths[:, -1] * _RANK
    inverse = np.linalg.inv(np.where(tells[:, None, None], gram, np.eye(gram.shape[-1])))
    level = (inverse @ seen)[..., 0]
    squares = level.real**2 + level.imag**2 - inverse.diagonal(axis1=1, axis2=2).real
    tells &= ((squares > _LEAST) & (squares < 1 / _LEAST) & (true > _LEAST * power)).all(1)
    # Weighed by |Ĝ|², a level is Σ Ĝ* G / Σ |Ĝ|²: too small by Ĝ's own error.
    return squares * power**2 / np.where(tells[:, None], true, 1.0), tells
