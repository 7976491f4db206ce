"""Results as the report reads them: a panel for each goal and receiver, with names and labels that all panels share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from hil.foreign import is_foreign
from hil.report.arrange import DEFAULT_ENERGY, arrange
from hil.report.panel import Panel, Point
from hil.results.document import ResultsDocument

__all__ = ["ACCESS_NAMES", "View"]

ACCESS_NAMES = {"single": "single", "oma": "OMA", "noma": "NOMA"}
"""The words for how transmitters share the uses (`hil.models.contract.access`), as the field writes them."""


@dataclass(frozen=True)
class View:
    """A document, arranged.

    Raises:
        ConfigError: a row has no metric at all.
    """

    document: ResultsDocument
    panels: tuple[Panel, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "panels", arrange(self.document))

    @cached_property
    def points(self) -> list[Point]:
        """The points of all panels."""
        return [point for panel in self.panels for point in panel.points]

    @cached_property
    def accesses(self) -> dict[str, str]:
        """Schemes with points, in the order of the results, and how their transmitters share the uses."""
        found: dict[str, str] = {}
        for point in self.points:
            found.setdefault(point.scheme, point.access)
        return found

    @property
    def schemes(self) -> list[str]:
        """Schemes with points, in the order of the results."""
        return list(self.accesses)

    @property
    def names(self) -> list[str]:
        """Schemes with points or a published curve."""
        published = (row.scheme for panel in self.panels for row in panel.published)
        return list(dict.fromkeys([*self.schemes, *published]))

    @property
    def measured(self) -> bool:
        """Whether anything was measured over the air."""
        return any(point.air for point in self.points)

    @property
    def energy(self) -> str:
        """The rule of energy of the run."""
        return self.panels[0].energy if self.panels else DEFAULT_ENERGY

    @cached_property
    def _labels(self) -> Mapping[str, str]:
        """Where the schemes are STEM-ACCESS of one stem, the access; else the class of ``path.py:Class``; else the name."""
        ends = {name: access for name, access in self.accesses.items() if name.endswith(f"-{access}")}
        stems = {name.removesuffix(f"-{access}") for name, access in ends.items()}
        short = len(ends) == len(self.accesses) > 1 and len(stems) == 1 and len(set(ends.values())) == len(ends)
        classes = Counter(_class_of(name) for name in self.accesses)
        plain = {name: own if classes[own := _class_of(name)] == 1 else name for name in self.accesses}
        bounds = {point.scheme for point in self.points if point.best and point.best.kind == "bound"}
        return {
            name: (ACCESS_NAMES.get(access, access) if short else plain[name]) + (" (bound)" if name in bounds else "")
            for name, access in self.accesses.items()
        }

    def label(self, scheme: str) -> str:
        """A short name for a scheme."""
        return self._labels.get(scheme, scheme)

    def uses(self) -> int | None:
        """q, complex channel uses a task, if all schemes agree."""
        found = {point.uses for point in self.points}
        return found.pop() if len(found) == 1 else None

    def frames(self) -> dict[str | None, dict[str, int]]:
        """Counts of frames over all measured points, by receiver; what several goals judge counts once."""
        seen = set()
        total: dict[str | None, dict[str, int]] = {}
        for panel in self.panels:
            for point in panel.points:
                key = (panel.receiver, point.scheme, point.energy, point.target, point.repeat)
                if key in seen or point.air is None or not point.air.frames:
                    continue
                seen.add(key)
                own = total.setdefault(panel.receiver, {})
                for name, count in point.air.frames.items():
                    own[name] = own.get(name, 0) + int(count)
        return total

    def title(self, panel: Panel) -> str:
        """What tells a panel from the others: its goal, and receiver, options and version as far as they differ."""
        same = [other for other in self.panels if other.goal == panel.goal and other is not panel]
        parts = [panel.goal]
        if panel.receiver is not None:
            parts.append(f"at {panel.receiver}")
        if any(other.receiver == panel.receiver and other.options != panel.options for other in same):
            parts += panel.chosen
        if any(other.version != panel.version for other in same):
            parts.append(f"version {panel.version}")
        return ", ".join([" ".join(parts[:2]), *parts[2:]]) if panel.receiver is not None else ", ".join(parts)

    def asked(self, name: str) -> Any:
        """A key of the run's resolved configuration, None where it is not known."""
        return self.document.experiment.get(name)


def _class_of(scheme: str) -> str:
    return scheme.rpartition(":")[2] if is_foreign(scheme) else scheme
