"""What a capture holds of a burst, of an exchange and of a point."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hil.captures.derived import Tree
from hil.captures.schema import FrameKind
from hil.captures.store import Store

__all__ = ["Burst", "Exchange", "PointRecord"]


@dataclass(frozen=True, kw_only=True)
class Burst:
    """What one receiver heard of one exchange.

    Attributes:
        index: in the capture, from 0: row of the table of bursts.
        exchange: number of the exchange, from 0.
        point: index of its point.
        receiver: name of the receiver.
        start: absolute sample index of the receiving device of the first sample; −1 if there is none.
        sent_at: the receiving device's sample at which the burst's first sample left transmitter 0, as far as the radios knew;
            None: they did not. A record, for the timing of frames that were lost; no receiver may look for frames by it.
        kind: what it was sent for.
        frame_numbers: the frames sent in it, int64 [frame].
        offset: first row in the capture's samples.
        count: number of samples.
        crc32: stored checksum of the samples.
    """

    index: int
    exchange: int
    point: int
    receiver: str
    start: int
    sent_at: int | None
    kind: FrameKind
    frame_numbers: NDArray[np.int64]
    offset: int
    count: int
    crc32: int
    source: Store = field(repr=False, compare=False)

    @property
    def samples(self) -> NDArray[np.int16]:
        """Raw I/Q, int16 [n, 2]; read from the file at every call."""
        rows = slice(self.offset, self.offset + self.count)
        return np.asarray(self.source.load(self.source.tree["samples"], "samples", rows), np.int16)

    def head(self, count: int) -> NDArray[np.int16]:
        """The first `count` samples, or as many as there are, int16 [n, 2]; no more is read from the file."""
        rows = slice(self.offset, self.offset + min(max(count, 0), self.count))
        return np.asarray(self.source.load(self.source.tree["samples"], "samples", rows), np.int16)


@dataclass(frozen=True, kw_only=True)
class Exchange:
    """What was sent once, and what each receiver heard of it.

    Attributes:
        index: in the capture, from 0.
        point: index of its point.
        kind: what it was sent for.
        frame_numbers: the frames sent in it, int64 [frame].
        heard: receiver -> its burst, in the point's order.
    """

    index: int
    point: int
    kind: FrameKind
    frame_numbers: NDArray[np.int64]
    heard: Mapping[str, Burst]


class PointRecord:
    """One point: what was sent, and, if it was finished, what came out. Arrays are read when asked for."""

    def __init__(self, store: Store, index: int, tree: Tree) -> None:
        self._store = store
        self._tree = tree
        self.index = index
        self.name: str = str(store.entry(tree, "@name", self._where("@name")))

    @property
    def attrs(self) -> dict[str, Any]:
        """Scheme, SNR target, applied radio settings, calibration in force."""
        return self._store.json(self._tree, "attrs", self._where("attrs"), dict)

    @property
    def receivers(self) -> tuple[str, ...]:
        """Who listened, in the order of `received`."""
        return self._store.names(self._tree, "receivers", self._where("receivers"))

    @property
    def symbols(self) -> NDArray[np.complex64]:
        """Normalised transmitted symbols, complex64 [tx, task, use]."""
        return self._array("symbols")

    @property
    def labels(self) -> dict[str, NDArray[Any]]:
        """Integer arrays [task]."""
        return self._folder("labels")

    @property
    def side(self) -> dict[str, NDArray[Any]]:
        """What the encoder told a decoder of a bound beside the air, arrays [task, …]."""
        return self._folder("side")

    @property
    def extra(self) -> dict[str, NDArray[Any]]:
        """Further arrays stored before the first burst: `fade` complex64 [tx, task], `length` int64 [tx, task], and others."""
        return self._folder("extra")

    @property
    def arrays(self) -> dict[str, NDArray[Any]]:
        """Further arrays stored with the results; empty until then."""
        return self._folder("arrays")

    @property
    def finished(self) -> bool:
        """Whether the run came to this point's end."""
        return "results" in self._tree

    @property
    def valid(self) -> bool | None:
        """Whether the run holds the point for usable; None if it is not finished."""
        return bool(self._tree["@valid"]) if "@valid" in self._tree else None

    @property
    def results(self) -> dict[str, Any] | None:
        """Results, or None if the point is not finished."""
        return self._store.json(self._tree, "results", self._where("results"), dict) if self.finished else None

    @property
    def received_sha256(self) -> str | None:
        """SHA-256 of the received symbols as computed live, or None."""
        return str(self._tree["@received_sha256"]) if "@received_sha256" in self._tree else None

    @property
    def received(self) -> NDArray[np.complex64] | None:
        """Received symbols as computed live, complex64 [receiver, task, use], or None if they were not stored."""
        return self._array("received") if "received" in self._tree else None

    def _where(self, name: str) -> str:
        return f"points/{self.index:04d}/{name}"

    def _array(self, name: str) -> NDArray[Any]:
        where = self._where(name)
        return self._store.load(self._store.entry(self._tree, name, where), where)

    def _folder(self, name: str) -> dict[str, NDArray[Any]]:
        members = {key: value for key, value in self._tree.get(name, {}).items() if not key.startswith("@")}
        return {key: self._store.load(value, self._where(f"{name}/{key}")) for key, value in members.items()}
