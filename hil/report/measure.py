"""How numbers are written: a metric in its unit, an SNR, a list of SNRs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from hil.goals.card import Unit
from hil.results.document import MetricValue, Row
from hil.units import db_to_power, power_to_db

__all__ = ["Measure", "apart", "half_width", "known_ends", "mean_snr_db", "number", "sentence", "snr_list", "target_text"]

_SCALES = {"share": (100.0, "%", "points", 1, 2), "dB": (1.0, "dB", "dB", 2, 2), "1": (1.0, "", "", 3, 3)}
"""Unit -> factor, unit as shown, unit of a difference, digits of a value, digits of a difference."""


def number(value: float | None, digits: int = 1, *, sign: bool = False) -> str:
    """A number with a true minus sign; a dash for what is not known."""
    if value is None or not math.isfinite(value):
        return "–"
    return f"{round(value, digits) + 0.0:{'+' if sign else ''}.{digits}f}".replace("-", "−")


def target_text(value: float) -> str:
    """An SNR target as it was given, without its unit."""
    return f"{value:g}".replace("-", "−")


def snr_list(values: Sequence[float], unit: str = " dB") -> str:
    """``−6, −3 and 0 dB``."""
    texts = [target_text(value) for value in values]
    return f"{', '.join(texts[:-1])} and {texts[-1]}{unit}" if len(texts) > 1 else f"{texts[0]}{unit}"


def sentence(text: str) -> str:
    """The text with a capital at its start, but for ``mAP`` and its like."""
    return text[0].upper() + text[1:] if text[:2].islower() else text


def known_ends(ends: Sequence[float | None] | None) -> tuple[float, float] | None:
    """Both ends of an interval; None where one is not known."""
    if not ends or ends[0] is None or ends[1] is None:
        return None
    return ends[0], ends[1]


def half_width(ends: Sequence[float | None] | None) -> float | None:
    """Half an interval's width; None where there is none."""
    found = known_ends(ends)
    return None if found is None else (found[1] - found[0]) / 2


def mean_snr_db(values: Iterable[float | None] | None) -> float | None:
    """Linear mean of SNRs in dB, in dB; None if nothing was measured."""
    known = [value for value in values or () if value is not None and math.isfinite(value)]
    return power_to_db(sum(db_to_power(value) for value in known) / len(known)) if known else None


def apart(
    first: float, own: tuple[float, float] | None, second: float, than: tuple[float, float] | None
) -> tuple[float, float] | None:
    """Interval of first − second from an interval of each, as if they were independent; None where one has none.

    Schemes that answered the same tasks mostly err together, so that the paired interval would be narrower.
    Source: Zou and Donner, Construction of confidence limits about effect measures, Statistics in Medicine 27, 2008.
    """
    if own is None or than is None:
        return None
    low = math.hypot(first - own[0], than[1] - second)
    high = math.hypot(own[1] - first, second - than[0])
    return first - second - low, first - second + high


@dataclass(frozen=True, kw_only=True)
class Measure:
    """A metric as the report writes it: shares in percent, decibels and plain numbers as they are.

    Attributes:
        name: in the rows; title: for people.
        unit, better: as in the rows.
    """

    name: str
    title: str
    unit: Unit
    better: Literal["higher", "lower"]

    @classmethod
    def of(cls, name: str, value: MetricValue) -> Measure:
        """The measure of one metric of a row."""
        return cls(name=name, title=value.title or name, unit=value.unit, better=value.better)

    @property
    def heading(self) -> str:
        """Title and unit, for an axis or a column."""
        unit = _SCALES[self.unit][1]
        return f"{self.title} ({unit})" if unit else self.title

    @property
    def difference_unit(self) -> str:
        """Unit of a difference; may be empty."""
        return _SCALES[self.unit][2]

    def found(self, row: Row | None) -> MetricValue | None:
        """The metric of a row, if it has a value there."""
        value = None if row is None else row.metrics.get(self.name)
        return value if value is not None and value.value is not None else None

    def value(self, row: Row | None) -> float | None:
        """The number in a row, if there is one."""
        found = self.found(row)
        return None if found is None else found.value

    def on_axis(self, value: float) -> float:
        """A value in the unit of `heading`."""
        return _SCALES[self.unit][0] * value

    def text(self, value: float | None) -> str:
        """A value; small shares with one digit more."""
        if value is None:
            return "–"
        shown, digits = self.on_axis(value), _SCALES[self.unit][3]
        return number(shown, digits + (self.unit == "share" and 0 < abs(shown) < 1))

    def interval(self, ends: Sequence[float | None] | None) -> str:
        """``[78.0, 84.1]``; nothing where there is no interval."""
        if not ends or None in ends:
            return ""
        digits = _SCALES[self.unit][3]
        low, high = (number(self.on_axis(end or 0.0), digits) for end in ends)
        return f"[{low}, {high}]"

    def difference(self, value: float | None) -> str:
        """A difference of two values, signed, in `difference_unit`."""
        return "–" if value is None else number(self.on_axis(value), _SCALES[self.unit][4], sign=True)

    def span(self, ends: Sequence[float | None] | None) -> str:
        """An interval of a difference; nothing where there is none."""
        if not ends or None in ends:
            return ""
        return f"[{self.difference(ends[0])}, {self.difference(ends[1])}]"

    def within(self, bound: float) -> str:
        """``±3 points``: a bound of differences."""
        shown, unit = self.on_axis(bound), self.difference_unit
        if unit == "points" and math.isclose(shown, 1.0):
            unit = "point"
        return f"±{shown:.3g} {unit}".rstrip()

    def gain(self, first: float, second: float) -> float:
        """How much better the first is than the second; below 0 if it is worse."""
        return first - second if self.better == "higher" else second - first
