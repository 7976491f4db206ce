"""What can be said of a data set without reading it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from hil.registry import Entry

__all__ = ["PAIRING", "DatasetEntry"]

PAIRING = {
    "pairing": "cross_camera, same_camera or none: which images of a person make a task of several views",
}
"""The option that every folder of people has."""


@dataclass(frozen=True, kw_only=True)
class DatasetEntry(Entry):
    """A built-in data set's entry in the registry.

    Attributes:
        spec: how it is written.
        serves: kinds of output (`hil.models.card.OutputKind`) that it is taken for where a run names no data set.
        task_networks: kind of output -> name of the trained network by which goals that need that judge images of this set.
        options: name -> what it says; written ``SPEC?name=value&name=value``, a name without a value if it takes none.
    """

    spec: str
    serves: tuple[str, ...] = ()
    task_networks: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, str] = field(default_factory=dict)
