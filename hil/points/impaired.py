"""A point's verdict: is the noise that its receiver states the error that is there, and if not, who is suspected."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hil.points.noise import NoiseLevel
from hil.points.signature import Signature
from hil.points.truth import FrameTruth, Tally, unevenness
from hil.results.student import student_quantile

__all__ = ["DONE", "NOTHING_SEEN", "SUSPECTS", "Verdict", "noise_factors", "verdict_of"]

Floats = NDArray[np.float64]
Interval = tuple[float, float]
LOW, HIGH = 0.8, 1.25
LEVEL = 0.95
FEW = 6
"""Frames from which on their own scatter tells the interval."""
SUSPECTS = {
    "iq": "IQ image",
    "drift": "Doppler, or an offset of carrier or clock",
    "path": "path outside the receiver's window",
    "tone": "tone or foreign signal",
    "impulses": "impulses",
    "dc": "DC offset",
    "clipping": "clipping",
    "carrier": "carrier offset on a shared clock",
    "silence": "more noise in silence than in the frames",
    "unknown": "unknown cause",
}
"""Key -> words for people."""
_LEAST_SHARE = 0.08
"""Of the error power, so that a cause is named for it."""
_UNCLIPPED = 3.5
"""Standard deviations that the largest of thousands of Gaussian samples exceeds."""
_FLAT = 0.1
"""Below 0: excess kurtosis of samples whose peaks are cut."""
DONE = ("dc", "iq", "carrier", "anew")
"""Bits of the ledger's flags: what the receiver took off a frame; and where its sounding contradicted the frames before."""
_DOUBT = 4.0
"""Standard errors that leave none."""
_CERTAIN = 1.96
"""Standard errors of a 95 % interval."""
_NEARLY = 1.2
"""Ratio from which on a cause that is seen in the errors counts."""
_UNEVEN = 0.15
"""Mean of the errors over their median, less 1, that is no even noise."""
_LOUD, _LEAKS = 10.0, 0.08
"""Power on null carriers over the noise; and the mean over the quietest quarter, less 1, where so much is next to them."""
_TELLING = 2500
"""Symbols of a frame from which on chance explains little of their errors."""
_UNSEEN = ("unknown", "clipping")
"""Suspects that are named where the errors show no other."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What a point's errors come to.

    Attributes:
        observed: error power of known cells over what was stated for them; observed_ci: its 95 % interval.
        true: the same of the symbols, against what was sent; true_ci.
        suspect: key of `SUSPECTS`; None where nothing is wrong.
    """

    observed: float
    observed_ci: Interval
    true: float
    true_ci: Interval
    suspect: str | None

    @property
    def words(self) -> str | None:
        """For the row's `impaired`."""
        return None if self.suspect is None else SUSPECTS[self.suspect]


NOTHING_SEEN = Verdict(
    observed=math.nan, observed_ci=(math.nan, math.nan), true=math.nan, true_ci=(math.nan, math.nan), suspect=None
)
"""Of a point of which no frame was heard."""


def verdict_of(
    truths: Sequence[FrameTruth], noise: NoiseLevel | None, cfo_carriers: float = 0.0, *, gaussian: bool = True
) -> Verdict:
    """The verdict on a point.

    Args:
        truths: of its frames that were heard.
        noise: its own, pooled.
        cfo_carriers: mean carrier offset, carriers, at the negative of which a DC offset is seen.
        gaussian: samples that are not clipped have a Gaussian's peaks; False: lower ones say nothing of clipping.
    """
    if not truths or noise is None:
        return NOTHING_SEEN
    sounding, known = [one.sounding for one in truths], [one.known for one in truths]
    both = [Tally(a.error + b.error, a.count + b.count, a.beyond + b.beyond) for a, b in zip(sounding, known, strict=True)]
    kinds = {"observed": both, "sounding": sounding, "known": known, "true": [one.sent for one in truths]}
    found = {name: _ratio(parts, noise) for name, parts in kinds.items()}
    settled = [(found[name][0], _settled(parts, noise)) for name, parts in kinds.items()]
    signatures = [one.signature for one in truths if one.signature is not None]
    likely = _suspect(signatures, cfo_carriers, gaussian)
    seen = likely not in _UNSEEN and float(np.mean([one.sent.count for one in truths])) >= _TELLING
    beyond = any(_beyond(value, error, seen=seen) for value, error in settled)
    below = any(value * math.exp(_CERTAIN * error) < LOW for value, error in settled)
    uneven, foreign = _uneven(truths)
    suspect = None
    if beyond or below or uneven:
        suspect = likely
        if suspect == "unknown":
            suspect = "tone" if foreign else "silence" if below and not beyond else suspect
    chance = _DOUBT * math.sqrt(12 / max(sum(one.sent.count for one in truths), 1))  # 24/n, I and Q of a sample a symbol
    flat = gaussian and float(np.mean([one.kurtosis for one in truths])) < -max(_FLAT, chance) and not uneven
    if flat and suspect in (None, "unknown", "drift", "impulses"):
        # superposed transmitters clip more than each alone, which looks like a gain that moved; a strong tone alone is flat too
        suspect = "tone" if suspect is None and _suspect(signatures, cfo_carriers, gaussian) == "tone" else "clipping"
    if suspect in (None, "unknown") and sum("carrier" in one.front for one in truths) > len(truths) / 2:
        suspect = "carrier"
    observed, true = found["observed"], found["true"]
    return Verdict(observed=observed[0], observed_ci=observed[1], true=true[0], true_ci=true[1], suspect=suspect)


def _ratio(parts: Sequence[Tally], noise: NoiseLevel) -> tuple[float, Interval]:
    """Error over stated power, and its interval."""
    counts = np.array([part.count for part in parts], np.float64)
    stated = counts * noise.power + np.array([part.beyond for part in parts])
    errors = np.array([part.error for part in parts])
    if not counts.sum() or not stated.sum() > 0:
        return math.nan, (math.nan, math.nan)
    value = float(errors.sum() / stated.sum()) * (noise.looks - 1) / noise.looks
    variance, freedom = 1 / counts.sum(), math.inf
    if len(parts) >= FEW and errors.sum() > 0:
        off = errors / errors.sum() - stated / stated.sum()
        own = float(off @ off) * len(parts) / (len(parts) - 1)
        if own > variance:
            variance, freedom = own, float(len(parts) - 1)
    half = float(student_quantile(1 - LEVEL, freedom)) * math.sqrt(variance + 1 / noise.looks)
    return value, (value * math.exp(-half), value * math.exp(half))


def _settled(parts: Sequence[Tally], noise: NoiseLevel) -> float:
    """Standard error of the ratio's logarithm in the frames that were sent: what they differ by leaves no doubt about them."""
    return math.sqrt(1 / max(sum(part.count for part in parts), 1) + 1 / noise.looks)


def _beyond(value: float, error: float, *, seen: bool) -> bool:
    """Whether errors are beyond what was stated for them.

    They are where no doubt is left. Where what makes them larger is seen in the errors themselves, which takes no noise to
    compare with, it is enough that they are larger, and may be nearly beyond: as much may have been lost of the signal.
    """
    surely = value * math.exp(-_CERTAIN * error)
    return surely > HIGH or (seen and surely > 1 and value * math.exp(_DOUBT * error) > _NEARLY)


def _uneven(truths: Sequence[FrameTruth]) -> tuple[bool, bool]:
    """Whether errors sit on some carriers, or in some symbols, though the stated noise, which heard them too, is their mean.

    Of carriers next to somebody who is loud where nobody sends the quietest tell best how little it could be.

    Returns:
        whether; and whether for what leaks from there.
    """
    over_median, over_quietest = unevenness(np.sum([one.by_carrier for one in truths], axis=0))
    steady, guard = (float(np.mean([getattr(one, name) for one in truths])) for name in ("steady", "guard"))
    chance = 2 * _DOUBT / math.sqrt(max(sum(one.sent.count for one in truths), 1))
    foreign = guard > _LOUD and over_quietest - 1 > max(_LEAKS, chance)
    return foreign or max(over_median, steady) - 1 > max(_UNEVEN, chance), foreign


def _suspect(signatures: Sequence[Signature], cfo_carriers: float, gaussian: bool) -> str:
    if not signatures:
        return "unknown"
    shares = {
        key: float(np.mean([getattr(one, key) for one in signatures])) for key in ("iq", "drift", "path", "tone", "impulses")
    }
    best = max(shares, key=lambda key: shares[key])
    low = gaussian and float(np.median([one.peak for one in signatures])) < _UNCLIPPED
    if low and (best == "impulses" or shares[best] < _LEAST_SHARE):
        return "clipping"
    if shares[best] < _LEAST_SHARE:
        return "unknown"
    if best == "tone":
        away = float(np.median([abs(one.carrier + cfo_carriers) for one in signatures]))
        return "dc" if away <= 1 else "tone"
    return best


def noise_factors(truths: Sequence[FrameTruth], noise: NoiseLevel | None, pilots: NDArray[np.int64]) -> Floats | None:
    """What the noise of each carrier is to be multiplied with, by the errors of known cells alone; None: with nothing.

    Sounding symbols tell each carrier's own. What pilots see more than they did, in the middle over all of them, has grown
    since the sounding and holds for every carrier.

    Args:
        truths: of the point's frames.
        noise: the point's.
        pilots: positions of pilots, which no task's symbols ride on.
    """
    if not truths or noise is None or not noise.power > 0:
        return None
    error, count = np.sum([one.carriers for one in truths], axis=0)
    means = error / np.maximum(count, 1) / noise.power
    data = np.setdiff1d(np.arange(len(means)), pilots)
    doubt = 1 - _DOUBT * np.sqrt(1 / np.maximum(count, 1) + 1 / noise.looks)
    factors = np.where((means * doubt > 1.1) & (count > 0), means, 1.0)
    sounded = float(np.median(count[data]))
    grown = (count[pilots] - sounded) > 0
    if grown.any():
        middle = float(np.median(means[data]))
        later = (means[pilots] * count[pilots] - middle * sounded)[grown] / (count[pilots] - sounded)[grown]
        growth = float(np.median(later)) / max(middle, 1e-30)
        looks = float((count[pilots] - sounded).sum())
        if growth * (1 - _DOUBT * math.sqrt(4 / looks + 1 / noise.looks)) > 1.1:
            factors = factors * growth
    return None if (factors == 1).all() else factors
