"""Use every compiled kernel once, so that its code is kept: ``python -m hil.phy.compile``, started by `hil.phy.kernels`.

A process that compiles kernels calls what it has just compiled, where later ones call what the first one kept: of a function
that several kernels have a copy of, another copy may be taken, optimised in another way, and last bits differ. So one that is
to measure finds them all compiled.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hil.errors import HilError
from hil.phy.frame import FrameConfig, FrameFormat
from hil.phy.kernels import kernels
from hil.phy.receive import FrameReception, Receiver, ReceiverConfig
from hil.phy.transmit import FrameBuilder

__all__ = ["use_once"]

_FULL_SCALE = 2**14
FORMS = ((1, 4), (2, 4), (2, 0))
"""Transmitters and tasks of the frames that reach all kernels."""


def use_once() -> None:
    """Send and receive a frame of each form, by the kernels that a run uses.

    Raises:
        HilError: one of them was not received.
    """
    noise = torch.Generator().manual_seed(1)
    for transmitters, tasks in FORMS:
        form = FrameFormat(FrameConfig(tasks_per_frame=tasks), torch.ones(transmitters, 8, dtype=torch.bool))
        sent = torch.ones(1, transmitters, tasks, 8, dtype=torch.complex64)
        wave = FrameBuilder(form).build(sent, [0])[0].sum(0) / transmitters
        heard = wave + 3e-3 * torch.randn(wave.numel(), dtype=torch.complex64, generator=noise)
        raw = np.rint(torch.view_as_real(heard).numpy() * _FULL_SCALE).astype(np.int16)
        found = Receiver(form, ReceiverConfig()).receive(raw, full_scale=_FULL_SCALE)
        if len(found) != 1:
            raise HilError("the frame that uses the kernels once was not received")
        _compare(found[0], sent[0], raw)


def _compare(frame: FrameReception, sent: Tensor, raw: NDArray[np.int16]) -> None:
    """Compare its symbols with what was sent."""
    symbols, noise_var, channel = frame.symbols.numpy(), frame.noise_var.numpy(), frame.channel.numpy()
    places, sums, gram = np.zeros((2, symbols.size), np.int64), np.empty(1), np.empty((len(sent), len(sent) + 1), complex)
    against = kernels().against
    against.compare(0, len(symbols), symbols, noise_var, channel, sent.numpy(), sent.sum(0).numpy(), places, sums, sums, gram)
    against.kurtosis(raw)


if __name__ == "__main__":
    torch.set_num_threads(1)
    use_once()
