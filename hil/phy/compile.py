"""Use every compiled kernel once, so that its code is kept: ``python -m hil.phy.compile``, started by `hil.phy.kernels`.

A process that compiles kernels calls what it has just compiled, where later ones call what the first one kept: of a function
that several kernels have a copy of, another copy may be taken, optimised in another way, and last bits differ. So one that is
to measure finds them all compiled.
"""

from __future__ import annotations

import numpy as np
import torch

from hil.errors import HilError
from hil.phy.frame import FrameConfig, FrameFormat
from hil.phy.receive import Receiver, ReceiverConfig
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
        if len(Receiver(form, ReceiverConfig()).receive(raw, full_scale=_FULL_SCALE)) != 1:
            raise HilError("the frame that uses the kernels once was not received")


if __name__ == "__main__":
    torch.set_num_threads(1)
    use_once()
