"""What of transmitters' responses stays from one alignment to the next: their shape over the band, learned from all of them."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hil.calibration.alignment import relative_to_first
from hil.phy.numerology import Numerology

__all__ = ["ResponseShape"]

Complexes = NDArray[np.complex128]
Floats = NDArray[np.float64]

FLOOR = 10**-3.0
"""Relative error power of any estimate, by what the receiver's model of channels leaves out (SIGNALS.md, "Bounds")."""
BEYOND = 6.0
"""Standard deviations of a residual's power that leave no doubt that the shape is another one."""
MOST = 1e7
"""Weight (symbols × linear SNR) beyond which older responses are forgotten."""


class ResponseShape:
    """Transmitters' responses up to what changes from one alignment to the next: their phases, and the time of all.

    On a shared clock a transmitter's response over the band, its delay against the first one's, and its level stay as they
    are; levels until gains are set anew. A common phase is told by hundreds of cells, so few sounding symbols renew an
    alignment whose shape is known. A response that disagrees beyond chance begins anew.

    Args:
        numerology: of the frames.
        taps: of the receiver's channel model, which smooths responses.
    """

    def __init__(self, numerology: Numerology, taps: int) -> None:
        self._numerology, self._taps = numerology, taps
        self._shape: Complexes | None = None
        self._weight: Floats = np.zeros(0)
        self._level: Floats = np.zeros(0)
        self._level_weight: Floats = np.zeros(0)

    @property
    def known(self) -> bool:
        """Whether there is one, levels included."""
        return self._shape is not None and bool(self._level_weight.all())

    @property
    def weight(self) -> Floats:
        """Symbols × linear SNR that shape and level of each transmitter rest on, the less of both: float64 [tx]."""
        return np.minimum(self._weight, self._level_weight)

    def forget(self) -> None:
        """The next response begins anew."""
        self._shape = None

    def forget_levels(self) -> None:
        """Gains were set anew."""
        self._level_weight = np.zeros_like(self._level_weight)

    def learn(self, response: Tensor, snr: Tensor, symbols: int, *, before: Floats | None = None, anew: bool = True) -> bool:
        """Take a response in; whether it agrees with those before.

        Args:
            response: complex64 [tx, active carrier].
            snr: float32 [tx], linear SNR of one sounding symbol's carrier.
            symbols: sounding symbols of its own that it was estimated from.
            before: float64 [tx], symbols that it rests on beside these, which were told from this shape: it is in their place
                now, but for delays, which are its own symbols' alone; None: none.
            anew: one that disagrees takes the place of those before; else it is left out.
        """
        values = response.to(torch.complex128).numpy()
        power = np.clip(snr.double().numpy(), 1e-6, None)
        weight = power * float(symbols)
        if self._shape is None or len(self._shape) != len(values):
            self._shape, self._weight = _unit(values), weight
            self._level, self._level_weight = _amplitude(values), weight
            return True
        turn, level = self._fit(values)
        own = values / turn / level[:, None]
        if not self._agrees(own, level, weight):
            if anew:
                self.forget()
                self.learn(response, snr, symbols)
            return False
        told = np.zeros_like(weight) if before is None else before * power
        inside = np.minimum(told, self._weight)
        if inside.any():
            turn, _ = self._fit(values, weight / (weight + inside))
            own = values / turn / level[:, None]
        self._shape = _unit((self._weight - inside)[:, None] * self._shape + (weight + inside)[:, None] * own)
        self._weight = np.clip(self._weight + weight, None, MOST)
        level = _along(self._shape * turn, values)  # the shape is another one now
        inside, total = np.minimum(told, self._level_weight), self._level_weight + weight
        self._level = ((self._level_weight - inside) * self._level + (weight + inside) * level) / total
        self._level_weight = np.clip(total, None, MOST)
        return True

    def of(self, response: Tensor) -> Tensor:
        """A response with its own phases and time, and the rest as all of them say: complex64 [tx, active carrier]."""
        if self._shape is None:
            return response
        turn, _ = self._fit(response.to(torch.complex128).numpy())
        return torch.from_numpy((self._shape * turn * self._level[:, None]).astype(np.complex64))

    def _agrees(self, own: Complexes, level: Floats, weight: Floats) -> bool:
        assert self._shape is not None
        left = np.mean(np.abs(own - self._shape) ** 2, axis=1)  # in units of the shape, whose mean power is 1
        share, active = self._taps / self._numerology.active, self._numerology.active
        noise = share * (1 / weight + 1 / self._weight) + FLOOR
        known = self._level_weight > 0
        doubt = np.sqrt((1 / weight + 1 / np.where(known, self._level_weight, weight)) / active + FLOOR)
        off = np.abs(level / np.where(known, self._level, level) - 1)
        return bool((left < noise * (1 + BEYOND / math.sqrt(self._taps))).all() and (off < BEYOND * doubt).all())

    def _fit(self, values: Complexes, kept: Floats | None = None) -> tuple[Complexes, Floats]:
        """What turns the shape into responses, a phase each and the first one's time; and their levels.

        Levels, float64 [tx], are taken along the shape: noise beside it does not raise them.

        Args:
            values: the responses.
            kept: float64 [tx], share of its delay against the first one that each keeps; the rest is turned out. None: all.
        """
        assert self._shape is not None
        carriers = np.array(self._numerology.carriers)
        delays = np.full(len(values), self._delay(values, 0))
        if kept is not None:
            own = np.array([self._delay(values, tx) for tx in range(len(values))])
            delays += (1 - kept) * (own - delays)
        late = np.exp(-2j * np.pi * carriers * delays[:, None] / self._numerology.fft_size)
        phases = np.angle(np.sum((self._shape * late).conj() * values, axis=1))
        turn = np.asarray(late * np.exp(1j * phases)[:, None])
        return turn, _along(self._shape * turn, values)

    def _delay(self, values: Complexes, tx: int) -> float:
        """By how much a transmitter's response is later than its shape, samples."""
        assert self._shape is not None
        (found,) = relative_to_first(torch.from_numpy(np.stack([self._shape[tx], values[tx]])), self._numerology)
        return found.delay_samples


def _amplitude(values: Complexes) -> Floats:
    """Root mean square of each transmitter's response."""
    return np.asarray(np.sqrt(np.mean(np.abs(values) ** 2, axis=1)))


def _along(shape: Complexes, values: Complexes) -> Floats:
    """Level of each response along a shape of mean power 1."""
    return np.asarray(np.maximum(np.mean(shape.conj() * values, axis=1).real, 1e-300))


def _unit(values: Complexes) -> Complexes:
    return np.asarray(values / _amplitude(values)[:, None])
