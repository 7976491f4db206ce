"""SNR of a point's links and what the receiver lost of it, with their errors (SIGNALS.md, "SNR")."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hil.points.noise import NoiseLevel, Silence, level_of
from hil.results.student import student_quantile
from hil.units import DB_OF_E, decibels

__all__ = ["LinkRecord", "LinkSnr"]

Floats = NDArray[np.float64]
Interval = tuple[float, float]
NOTHING = (math.nan, math.nan)
Spread = tuple[float, float]
"""Relative variance, and its degrees of freedom."""
LEVEL = 0.95
PRIOR = 4.0
"""Frames that the closed form of a steady link's spread counts for."""


@dataclass(frozen=True, kw_only=True)
class LinkSnr:
    """What a point's links are worth.

    Attributes:
        snr_db: of each link: mean signal power over the noise; snr_db_error: standard errors; snr_db_ci: 95 % intervals.
        mean_db: linear mean of the links; mean_db_ci: its interval.
        signal_db: standard error of the mean without that of the noise; noise_db: the noise's part.
        eff_db: −EVM of the received symbols; loss_db: `mean_db` − `eff_db`. Each with its interval.
        level_db: standard error of `eff_db` that all frames share, as their estimates' level rests on the same soundings.
        noise: what it was measured against; None where nothing was heard.
    """

    snr_db: list[float]
    snr_db_error: list[float]
    snr_db_ci: list[Interval]
    mean_db: float
    mean_db_ci: Interval
    signal_db: float
    noise_db: float
    eff_db: float
    eff_db_ci: Interval
    loss_db: float
    loss_db_ci: Interval
    level_db: float
    noise: NoiseLevel | None


@dataclass(frozen=True, kw_only=True)
class LinkRecord:
    """What a point's frames said of its links, before any noise is chosen.

    Attributes:
        signal: float64 [frame, tx], mean |H_k|² over active carriers; frames that were heard first, then lost ones of which
            the power is known all the same.
        error: float64 [heard frame], error power of the received symbols at unit reference.
        blocks: int64 [frame]: frames of one number share a fade (else each has its own).
        whole_error: the mean of `error` over all symbols.
        silences: of the heard frames.
        active: carriers; sounding: sounding symbols of each transmitter in a frame; uses: received symbols of all frames.
        fading: whether links fade, so that a single frame says nothing of their mean.
        level_symbols: sounding symbols that the level of all frames' estimates rests on together; infinite: nothing is shared.
        visits: int64 [frame], visit to the point that each frame was of; None: there was one.
    """

    signal: Floats
    error: Floats
    blocks: NDArray[np.int64]
    whole_error: float
    silences: tuple[Silence, ...]
    active: int
    sounding: int
    uses: int
    fading: bool
    level_symbols: float = math.inf
    visits: NDArray[np.int64] | None = None

    def by_visit(self) -> list[float]:
        """Mean signal power at each visit over that of all, dB; NaN where nothing was heard. None of one visit."""
        if self.visits is None or not len(self.signal):
            return []
        power = self.signal.mean(1)
        own = [power[self.visits == visit] for visit in range(int(self.visits.max()) + 1)]
        return [decibels(float(one.mean() / max(power.mean(), 1e-30))) if len(one) else math.nan for one in own]

    def snr(self, noise: NoiseLevel | None = None) -> LinkSnr:
        """Against a noise, or the point's own."""
        level = noise or level_of(self.silences, self.active)
        if level is None or not len(self.error):
            return self._nothing()
        means = self.signal.mean(0)
        scale = (level.looks - 1) / level.looks / max(level.power, 1e-30)
        parts = self.signal / np.maximum(means, 1e-30) - 1
        both = self.signal.mean(1) / max(means.mean(), 1e-30) - 1
        errors = [self._spread(parts[:, tx], means[tx] * scale) for tx in range(len(means))]
        snr = float(means.mean() * scale)
        own = self._spread(both, snr, links=len(means))
        missed = self.error / max(self.whole_error, 1e-30) - 1
        heard = self.blocks[: len(missed)]
        eff = _spread(missed, heard) if len(np.unique(heard)) > 1 else (1 / max(self.uses, 1), math.inf)
        lost = self._loss(both, missed, snr, own, eff)
        common = (self._level(snr, len(means)), math.inf)
        noisy = (1 / level.looks, float(level.looks))
        snr_db = [decibels(float(mean * scale)) for mean in means]
        mean_db = decibels(float(means.mean() * scale))
        eff_db = decibels(1 / self.whole_error) if self.whole_error > 0 else math.nan
        return LinkSnr(
            snr_db=snr_db,
            snr_db_error=[_error_db(one, noisy) for one in errors],
            snr_db_ci=[_interval(value, one, noisy) for value, one in zip(snr_db, errors, strict=True)],
            mean_db=mean_db,
            mean_db_ci=_interval(mean_db, own, noisy),
            signal_db=_error_db(own),
            noise_db=_error_db(noisy),
            eff_db=eff_db,
            eff_db_ci=_interval(eff_db, eff, common),
            loss_db=mean_db - eff_db,
            loss_db_ci=_interval(mean_db - eff_db, *lost, common, noisy),
            level_db=_error_db(common),
            noise=level,
        )

    def _spread(self, parts: Floats, snr: float, links: int = 1) -> Spread:
        """Relative variance of a mean signal power and its degrees of freedom, from the frames."""
        return self._drawn(parts, self._usual(snr, links))

    def _usual(self, snr: float, links: int) -> float:
        """The same in closed form, if links do not change: twice the noise over the signal, and its square, over the looks."""
        looks, snr = self.active * self.sounding * len(self.signal), max(snr, 1e-30)
        return (2 / (snr * looks) + 1 / (snr**2 * looks * max(self.sounding - 1, 1))) / links

    def _level(self, snr: float, links: int) -> float:
        """Relative variance of the received symbols' error power that an error of the estimates' level makes, in all frames.

        y/Ĝ with Ĝ = G(1 + δ) is x + n, both times 1 − δ: the error power is off by −2 Re δ, whatever a decoder makes of it.
        δ has the variance noise/(signal × symbols × carriers), half of it in its real part.
        """
        return 2 / (max(snr, 1e-30) * self.active * self.level_symbols * links)

    def _drawn(self, parts: Floats, usual: float) -> Spread:
        """What frames spread by, drawn towards the usual: two frames alone say hardly anything of it; one says nothing.

        Where links fade, there is no usual spread.
        """
        several = len(np.unique(self.blocks[: len(parts)])) > 1
        if self.fading:
            return _spread(parts, self.blocks) if several else (math.nan, 1.0)
        if not several:
            return usual, math.inf
        variance, freedom = _spread(parts, self.blocks[: len(parts)])
        return (freedom * variance + PRIOR * usual) / (freedom + PRIOR), freedom + PRIOR

    def _loss(self, both: Floats, missed: Floats, snr: float, own: Spread, eff: Spread) -> list[Spread]:
        """Variances of signal and error together: frames in which both are known are taken together."""
        if len(both) == len(missed) and len(np.unique(self.blocks)) > 1:
            return [self._drawn(both + missed, self._usual(snr, self.signal.shape[1]) + 1 / max(self.uses, 1))]
        return [own, eff]

    def _nothing(self) -> LinkSnr:
        count = self.signal.shape[1]
        nan = math.nan
        return LinkSnr(
            snr_db=[nan] * count, snr_db_error=[nan] * count, snr_db_ci=[NOTHING] * count, mean_db=nan, mean_db_ci=NOTHING,
            signal_db=nan, noise_db=nan, eff_db=nan, eff_db_ci=NOTHING, loss_db=nan, loss_db_ci=NOTHING, level_db=nan,
            noise=None,
        )  # fmt: skip


def _spread(parts: Floats, blocks: NDArray[np.int64]) -> tuple[float, float]:
    """Variance of the mean of relative deviations, by blocks that vary as wholes, and its degrees of freedom."""
    group = np.unique(blocks, return_inverse=True)[1]
    totals = np.bincount(group, parts) / len(parts)
    count = len(totals)
    return float(totals @ totals) * count / (count - 1), float(count - 1)


def _error_db(*parts: tuple[float, float]) -> float:
    return DB_OF_E * math.sqrt(sum(variance for variance, _ in parts))


def _interval(value: float, *parts: tuple[float, float]) -> Interval:
    """Interval of decibels from independent relative variances and their degrees of freedom (Satterthwaite)."""
    total = sum(variance for variance, _ in parts)
    if not math.isfinite(total) or not math.isfinite(value):
        return NOTHING
    doubt = sum(variance**2 / freedom for variance, freedom in parts)
    freedom = total**2 / doubt if doubt > 0 else 1e9
    half = float(student_quantile(1 - LEVEL, max(freedom, 1.0))) * DB_OF_E * math.sqrt(total)
    return value - half, value + half
