"""What a page is sent, and what a source of it is: a capture or run, or a bench."""

from __future__ import annotations

import abc
import math
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from hil.watch.frames import FrameView
from hil.watch.measure import Levels

__all__ = [
    "RATES", "UPDATES", "Asked", "Source", "State", "Stream", "Update", "plain", "shown_frame", "shown_levels",
    "shown_spectrum",
]  # fmt: skip

State = Literal["waiting", "live", "playing", "paused", "ended", "failed"]
Update = dict[str, Any]
"""JSON types only."""
RATES = (1.0, 2.0, 5.0, 10.0, 50.0, 200.0)
"""Bursts a second that a capture can be played at; beyond `UPDATES` a second some are passed over."""
UPDATES = 11.0
"""Updates a second, at most."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a page asks for.

    Attributes:
        receiver: whose samples; None: the first.
        at: burst of this receiver to begin with, from 0; None: the newest of a run that goes on, else the first.
        rate: bursts a second; 0: that one alone.
        follow: show the newest, as they come.
    """

    receiver: str | None = None
    at: int | None = None
    rate: float = 5.0
    follow: bool = False


class Stream(abc.ABC):
    """What one page is sent. Its methods are called by one thread at a time."""

    @abc.abstractmethod
    def about(self) -> Update:
        """What the page needs to know first."""

    @abc.abstractmethod
    def next(self) -> Update | None:
        """What is new; None: nothing is. Blocks no longer than an update's time."""

    @abc.abstractmethod
    def close(self) -> None:
        """The page is gone."""


class Source(abc.ABC):
    """Where it comes from."""

    @property
    @abc.abstractmethod
    def title(self) -> str:
        """For the page's head."""

    @abc.abstractmethod
    def stream(self, asked: Asked) -> Stream:
        """A stream for one page.

        Raises:
            HilError: there is no such receiver.
        """

    @abc.abstractmethod
    def close(self) -> None:
        """Let go of files and radios."""


def shown_spectrum(spectrum: NDArray[np.float32]) -> list[int]:
    """A spectrum in tenths of dBFS: half the bytes of numbers with a point, a twentieth of their cost."""
    tenths: list[int] = np.rint(spectrum * 10).astype(np.int16).tolist()
    return tenths


def shown_frame(view: FrameView) -> Update:
    """A frame: points in thousandths, SNR by carrier in tenths of a dB; None where there is none."""
    points = np.clip(np.rint(view.constellation.view(np.float32) * 1000), -32768, 32767).astype(np.int16)
    tenths = np.rint(view.carrier_snr_db * 10)
    return {
        "i": points[0::2].tolist(),
        "q": points[1::2].tolist(),
        "shows": view.shows,
        "carriers": list(view.carriers),
        "carrier_snr": [[None if math.isnan(one) else int(one) for one in row] for row in tenths.tolist()],
        "snr": plain(view.snr_db),
        "cfo": plain(view.cfo_hz),
        "cfo_error": plain(view.cfo_error_hz),
        "number": view.number,
    }


def shown_levels(found: Levels) -> Update:
    """Levels, to a hundredth of a dB."""
    return {key: round(value, 2) if isinstance(value, float) else value for key, value in asdict(found).items()}


def plain(values: Any) -> list[float | None]:
    """Numbers for JSON, which has no NaN: to a hundredth, None where there is none."""
    found = np.round(np.asarray(values, np.float64).reshape(-1), 2)
    numbers: list[float | None] = found.tolist()
    for place in np.flatnonzero(~np.isfinite(found)).tolist():
        numbers[place] = None
    return numbers
