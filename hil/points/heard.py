"""What is kept of each frame beside its symbols, and what all of them say of the links' powers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hil.phy.reception import FrameReception
from hil.points.aided import aided_signal

__all__ = ["Heard", "link_powers"]


class Heard(NamedTuple):
    """Powers a carrier (noise, on null carriers, signal [tx]) and CFO [tx] of a frame.

    `response`: complex64 [tx, active carrier], as estimated; `errors`: float64 [tx], its error's power over the noise; `gram`:
    of its symbols with what was sent (`hil.points.witness.Compared`), None where it was lost.
    """

    noise: float
    null_noise: float
    signal: NDArray[np.float32]
    cfo_hz: NDArray[np.float64]
    response: NDArray[np.complex64]
    errors: NDArray[np.float64]
    gram: NDArray[np.complex128] | None

    @classmethod
    def of(cls, frame: FrameReception, gram: NDArray[np.complex128] | None = None) -> Heard:
        """Of a frame."""
        response, errors = frame.response.numpy().copy(), frame.response_errors.copy()
        return cls(frame.noise, frame.null_noise, frame.signal.numpy(), frame.cfo_hz.numpy(), response, errors, gram)


def link_powers(frames: Sequence[Heard], transmitters: int, *, aided: bool) -> NDArray[np.float64]:
    """Powers of the links as frames told them, float64 [frame, tx].

    Args:
        frames: of a point.
        transmitters: how many.
        aided: by the symbols that were sent, where these tell it: few sounding symbols tell a link's level badly.
    """
    signal = np.array([frame.signal for frame in frames], np.float64).reshape(-1, transmitters)
    grams = [frame.gram for frame in frames if frame.gram is not None]
    if not aided or not grams:
        return signal
    known = [frame for frame in frames if frame.gram is not None]
    response = np.array([frame.response for frame in known])
    power = (response.real**2 + response.imag**2).mean(2, dtype=np.float64)
    error = np.array([frame.noise * frame.errors for frame in known])
    better, tells = aided_signal(np.array(grams), power, power - error)
    where = np.flatnonzero([frame.gram is not None for frame in frames])[tells]
    signal[where] = better[tells]
    return signal
