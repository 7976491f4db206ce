"""What the errors of a frame look like: shares of their power that one cause or another would explain.

All from the frame's own symbols against what was sent, e[symbol, carrier] against x[symbol, carrier] in the receiver's units:
an IQ image follows the mirror carrier's conjugate; a channel that moved since its sounding follows x with gains that change in
time, in phase over carriers alike or in proportion; a path beyond the receiver's window follows x with a gain of each carrier's
own; a tone or a foreign signal sits on some carriers, impulses in some symbols; and a converter that clips leaves no peaks.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Signature", "signature_of"]

Complexes = NDArray[np.complex64]
Floats = NDArray[np.float64]
_BLOCKS = 12
"""Parts of a frame in which a moving channel is taken to stand still."""
_RUN = 9
"""Neighbouring symbols that an impulse is seen against."""
_GROWS = 2.5
_STEADY = 10.0
"""What stands still of a gain that grows evenly, over what moves: 3 from the payload's begin, 5 to 8 from before it."""
_GAUSSIAN_PEAK = 3.5
"""Of so many samples (thousands) no Gaussian I or Q stays below so many standard deviations."""


class Signature(NamedTuple):
    """Shares of the error power, 0…1, by cause.

    `peak`: largest |I| or |Q| over their standard deviation; `carrier`: the worst one's signed number (`tone`).
    """

    iq: float
    drift: float
    path: float
    tone: float
    impulses: float
    peak: float
    carrier: int


def signature_of(error: Complexes, sent: Complexes, carriers: Floats, samples: NDArray[np.int16]) -> Signature:
    """Shares of a frame's error power.

    Args:
        error, sent: complex64 [symbol, active carrier], 0 where nothing was sent.
        carriers: float64 [active], signed.
        samples: int16 [n, 2], the frame's.
    """
    total = max(_power(error), 1e-30)
    cells = max(int((sent != 0).sum()), 1)
    power = error.real.astype(np.float64) ** 2 + error.imag.astype(np.float64) ** 2
    tone, worst = _tone(power, sent)
    moved, fixed = _follows(error, sent, carriers)
    there = np.count_nonzero(sent.any(0))
    echoed = max(_by_carrier(error[1:], sent[:-1]), _by_carrier(error[:-1], sent[1:]), _by_carrier(error[2:], sent[:-2]))
    mirrored = sent[:, ::-1].conj()
    image = _excess(_by_carrier(error, mirrored), there, total, cells)
    return Signature(
        iq=image,
        drift=_excess(moved, (_BLOCKS - 1) * there + 2, total, cells),
        path=_excess(fixed, there - 2, total, cells) + _excess(echoed, there, total, cells),
        tone=tone,
        impulses=_impulses(power, sent),
        peak=_peak(samples),
        carrier=int(carriers[worst]),
    )


def _power(values: Complexes) -> float:
    return float(np.vdot(values, values).real)


def _excess(explained: float, fitted: int, total: float, cells: int) -> float:
    """Share explained beyond what so many fitted values explain by chance."""
    return max(0.0, (explained / total - fitted / cells) / max(1 - fitted / cells, 1e-9))


def _by_carrier(error: Complexes, cause: Complexes) -> float:
    """Power explained by one gain a carrier."""
    both = np.abs((error * cause.conj()).sum(0)) ** 2
    strength = (np.abs(cause) ** 2 * (error != 0)).sum(0)
    return float((both / np.maximum(strength, 1e-30)).sum())


def _follows(error: Complexes, sent: Complexes, carriers: Floats) -> tuple[float, float]:
    """Power explained by gains that move, and by gains of carriers that stand still.

    A gain that stands still for all carriers alike, or in proportion to them, is what a channel that turns leaves in the mean:
    it counts as moving as far as there is something that moves beside it, and as nothing else beyond that. All count as moving
    where the last quarter of the frame is much worse than the first.
    """
    scaled = (carriers / np.abs(carriers).max()).astype(np.float32)
    weight, gain = (np.abs(sent) ** 2).sum(0), (error * sent.conj()).sum(0)
    moments = np.array([weight.sum(), weight @ scaled, weight @ scaled**2], np.float64)
    matrix = np.array([[moments[0], moments[1]], [moments[1], moments[2]]]) + 1e-12 * (moments[0] + 1e-30) * np.eye(2)
    right = np.array([gain.sum(), gain @ scaled])
    fit = np.linalg.solve(matrix, right)
    plain = float((fit.conj() @ right).real)
    fixed = _by_carrier(error, sent)
    parts = [rows for rows in np.array_split(np.arange(len(error)), _BLOCKS) if rows.size]
    powers = [_by_carrier(error[rows], sent[rows]) for rows in parts]
    moved, third = sum(powers), max(1, len(parts) // 4)
    there, cells, total = np.count_nonzero(sent.any(0)), int((sent != 0).sum()), _power(error)
    chance = third * there * total / max(cells, 1)
    if sum(powers[-third:]) - chance > _GROWS * max(sum(powers[:third]) - chance, 0.1 * chance):
        return moved, 0.0
    rest = max(total - moved, 0.0) / max(cells - len(parts) * there, 1)
    moves = max(moved - fixed - (len(parts) - 1) * there * rest, 0.0)
    return moved - fixed + min(plain, _STEADY * moves), fixed - plain


def _means(power: Floats, sent: Complexes, axis: int) -> tuple[Floats, NDArray[np.bool_]]:
    """Mean error power by carrier (axis 0) or by symbol (1), and where there is any."""
    count = (sent != 0).sum(axis)
    return power.sum(axis) / np.maximum(count, 1), count > 0


def _tone(power: Floats, sent: Complexes) -> tuple[float, int]:
    """Share of the power that sticks out on some carriers, and the worst one."""
    means, there = _means(power, sent, 0)
    known = means[there]
    if not known.size:
        return 0.0, 0
    looks = float(np.median((sent != 0).sum(0)[there]))
    middle = float(np.median(known)) / (1 - 1 / (3 * looks))  # of Gamma distributed means the median is lower by as much
    return max(0.0, 1 - middle / max(float(known.mean()), 1e-30)), int(np.where(there, means, 0).argmax())


def _impulses(power: Floats, sent: Complexes) -> float:
    """Share of the power in symbols that stick out of their neighbours."""
    means, there = _means(power, sent, 1)
    known = means[there]
    if known.size < _RUN:
        return 0.0
    padded = np.pad(known, _RUN // 2, mode="reflect")
    middle = np.median(np.lib.stride_tricks.sliding_window_view(padded, _RUN), axis=1)
    out = known > 2 * middle
    return float((known - middle)[out].sum() / max(known.sum(), 1e-30))


def _peak(samples: NDArray[np.int16]) -> float:
    """Largest |I| or |Q| over their standard deviation."""
    if not len(samples):
        return _GAUSSIAN_PEAK
    values = samples.astype(np.float32)
    values -= values.mean(0)
    return float(np.abs(values).max() / max(values.std(), 1e-30))
