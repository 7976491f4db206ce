"""What was received of a point by one receiver, all in one."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from hil.models.contract import Plan, Received
from hil.points.impaired import Verdict
from hil.points.link import LinkRecord, LinkSnr
from hil.points.noise import NoiseLevel

__all__ = ["Burst", "Collection", "batches", "combined_sha256"]

TOGETHER = 16
"""Bursts that are received together where they are all at hand."""


@dataclass(frozen=True, kw_only=True)
class Collection:
    """A point, received by one receiver. All that is known, whether or not the scheme asks for it.

    Attributes:
        symbols: complex64 [task, use] = y/Ḡ; valid: bool [task, use].
        noise_var: float32 [task, use].
        channel: complex64 [tx, task, use], estimated h/Ḡ: the front end's, times the fade that was drawn.
        record: what the frames said of the links; snr: what it comes to against the point's own noise, or the run's.
        frames: counts by fate: sent, scored, lost.
        verdict: whether the stated noise is the error that is there; clipped: samples at the converter's rails.
        cfo_hz: mean CFO of each link, Hz; null_noise_db: noise on null carriers over noise in the silent symbol, dB.
        sha256: of the received symbols (complex64, little-endian, in order of task and use).
        sent: bool [task], tasks that were sent; all of them unless the run was cut short.
        block: int64 [task], what its error may share with others': the number of its (first) frame, of the fade that held
            several frames, or of the alignment that they were sent with.
        alignment: how superposed transmitters were aligned (`RoundsHeard.summary`); None: they were not, or nobody looked.
    """

    symbols: Tensor
    valid: Tensor
    noise_var: Tensor
    channel: Tensor
    record: LinkRecord
    snr: LinkSnr
    verdict: Verdict
    clipped: int
    frames: dict[str, int]
    cfo_hz: list[float]
    null_noise_db: float
    sha256: str
    sent: Tensor
    block: Tensor
    alignment: dict[str, Any] | None = None

    @property
    def snr_db(self) -> list[float]:
        """Measured SNR of each link, dB: mean signal power over mean noise power."""
        return self.snr.snr_db

    @property
    def snr_db_error(self) -> list[float]:
        """Their standard errors, dB."""
        return self.snr.snr_db_error

    @property
    def snr_eff_db(self) -> float:
        """−EVM of the received symbols, dB; NaN if nothing was received."""
        return self.snr.eff_db

    def against(self, noise: NoiseLevel | None) -> Collection:
        """The same with SNRs against another noise. What a scheme is told stays as it is."""
        return replace(self, snr=self.record.snr(noise))

    def without_uses(self) -> Collection:
        """The same with no task in its arrays of [task, use]: all that was said of it as a whole is left."""
        none = {name: getattr(self, name)[:0].clone() for name in ("symbols", "valid", "noise_var")}
        return replace(self, **none, channel=self.channel[:, :0].clone())

    def received(self, plan: Plan, power: Sequence[float]) -> Received:
        """What a scheme of this plan gets of it."""
        return Received.for_plan(
            plan, symbols=self.symbols, noise_var=self.noise_var, channel=self.channel, valid=self.valid, power=power
        )


def combined_sha256(collections: Mapping[str, Collection]) -> str:
    """SHA-256 over the received symbols of all receivers, one after the other."""
    digest = hashlib.sha256()
    for one in collections.values():
        digest.update(one.symbols.contiguous().numpy().tobytes())
    return digest.hexdigest()


class Burst(NamedTuple):
    """A burst that should hold one frame.

    Attributes:
        samples: int16 [n, 2]; none where none came.
        number: frame number that was sent in it (absolute, not modulo 65536).
        start: device sample index of its first sample.
        sent_at: device sample at which it was sent, where the radios know; not used to find it, but for the power of a frame
            that was lost in a fade.
        alignment: which alignment of superposed transmitters it was sent with, 0, 1, …; None: of none.
    """

    samples: NDArray[np.int16]
    number: int
    start: int = 0
    sent_at: int | None = None
    alignment: int | None = None


def batches(bursts: Iterable[Burst]) -> Iterator[list[Burst]]:
    """Some at a time."""
    some: list[Burst] = []
    for burst in bursts:
        some.append(burst)
        if len(some) == TOGETHER:
            yield some
            some = []
    if some:
        yield some
