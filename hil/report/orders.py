"""Who is better where: schemes beside each other at equal measured SNR, as far as intervals say it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

from hil.report.measure import Measure, snr_list
from hil.report.panel import CROWD, Panel
from hil.report.view import View
from hil.results.document import SIMULATION, Comparison, MeanOverSnrs

__all__ = ["Order", "orders"]

_SOURCES = {
    "air": "over the air",
    "effective": "simulated at the effective SNR",
    "link": "simulated at the link SNR",
    "channel": "simulated through the captured channel",
}
"""What may be compared, the best first: a point's row and what it says."""


@dataclass(frozen=True, kw_only=True)
class Order:
    """Schemes under one rule of energy, on one source.

    Attributes:
        source: ``air``, or the basis of a simulation.
        values: SNR target -> scheme -> the headline where all were measured at the same SNR; as measured where nothing says.
        comparisons: differences on this source, by SNR target and the two schemes.
        means: over SNRs, of schemes and of their differences.
    """

    measure: Measure
    energy: str
    source: str
    values: Mapping[float, Mapping[str, float]]
    comparisons: Mapping[tuple[float, str, str], Comparison]
    means: tuple[MeanOverSnrs, ...] = ()

    @property
    def title(self) -> str:
        """What was compared."""
        return f"{self.energy} energy, {_SOURCES[self.source]}"

    @property
    def family(self) -> str:
        """Of what all intervals are simultaneous, in words; empty where they are not."""
        return next((item.family for item in self.comparisons.values() if item.simultaneous_ci is not None), "")

    def ranked(self, target: float) -> list[tuple[str, float]]:
        """Schemes at one SNR and their values, from best to worst."""
        sign = -1 if self.measure.better == "higher" else 1
        return sorted(self.values[target].items(), key=lambda item: sign * item[1])

    def ranking(self, target: float, view: View) -> str:
        """``NOMA > OMA ~ single`` at one SNR: ~ where no interval tells the two apart; of many the best ones."""
        ranked = self.ranked(target)
        shown = ranked if len(ranked) <= CROWD else ranked[: CROWD // 2]
        text = view.label(ranked[0][0])
        for (above, _), (name, _) in pairwise(shown):
            text += f" {'>' if self.says(target, above, name) == 1 else '~'} {view.label(name)}"
        return text + (f" ~ {len(ranked) - len(shown)} more" if shown is not ranked else "")

    def gain(self, target: float, first: str, second: str) -> float:
        """How much better the first scheme is than the second at one SNR."""
        return self.measure.gain(self.values[target][first], self.values[target][second])

    def says(self, target: float, first: str, second: str) -> int | None:
        """The interval of the difference: 1, the first scheme is better; −1, the second is; 0, neither; None: not compared."""
        sign = 1 if self.measure.better == "higher" else -1
        for one, other, turn in ((first, second, sign), (second, first, -sign)):
            item = self.comparisons.get((target, one, other))
            if item is not None:
                low, high = item.simultaneous_ci or item.ci
                if low is None or high is None:
                    return 0
                return turn if low > 0 else -turn if high < 0 else 0
        return None

    def sentence(self, view: View) -> str:
        """Who is best, at how many SNRs, and at how many of them the interval to the next one supports it."""
        best: dict[str, list[float]] = {}
        said = []
        for target in sorted(self.values):
            (name, value), (second, next_value), *_ = self.ranked(target)
            if value != next_value:
                best.setdefault(name, []).append(target)
                said.append(self.says(target, name, second))
        several, total = len(best) > 1, len(self.values)
        parts = [
            f"{view.label(name)} at "
            + (f"{len(targets)} of {total} SNRs" + f" ({snr_list(targets)})" * several if total > 1 else snr_list(targets))
            for name, targets in sorted(best.items(), key=lambda item: -len(item[1]))
        ]
        text = f"{self.title}: best is {', '.join(parts)}" if parts else f"{self.title}: no scheme is ahead"
        compared = len(said) - said.count(None)
        if compared:
            text += f"; before the next one by {self.kind} at {said.count(1)} of {compared}, undetermined at {said.count(0)}"
        return f"{text}."

    @property
    def kind(self) -> str:
        """What intervals these are."""
        return "simultaneous 95 % intervals" if self.family else "paired 95 % intervals"


def orders(panel: Panel) -> list[Order]:
    """One for each rule of energy with several schemes: over the air where measured, else simulated."""
    found = []
    for energy in panel.energies:
        for source in _SOURCES:
            order = _order(panel, energy, source)
            if order.values:
                found.append(order)
                break
    return found


def _order(panel: Panel, energy: str, source: str) -> Order:
    key = ("air", None) if source == "air" else ("simulation", source)

    def own(item: Comparison | MeanOverSnrs) -> bool:
        return item.energy == energy and (item.source, None if item.source == "air" else item.snr_basis) == key

    comparisons = {(item.snr_db_target, item.first, item.second): item for item in panel.comparisons if own(item)}
    values: dict[float, dict[str, float]] = {}
    for point in panel.points:
        value = panel.metric.value(getattr(point, source))
        if point.energy == energy and point.repeat == 0 and value is not None:
            values.setdefault(point.target, {})[point.scheme] = value
    for (target, first, second), item in comparisons.items():
        if item.values is not None and target in values and {first, second} <= set(values[target]):
            values[target][first], values[target][second] = item.values
    return Order(
        measure=panel.metric,
        energy=energy,
        source=source,
        values={target: found for target, found in values.items() if len(found) > 1},
        comparisons=comparisons,
        means=tuple(item for item in panel.means if own(item) and item.second != SIMULATION),
    )
