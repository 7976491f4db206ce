"""A capture as a source: one that a run is writing beside, followed; or one that is there, played."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from hil.captures import FrameKind, Tail
from hil.errors import ConfigError, HilError
from hil.phy.receive import ReceiverConfig
from hil.points.spec import SEARCH_PPM
from hil.spelling import did_you_mean
from hil.watch.frames import PointEar, ProbeEar
from hil.watch.ledger import Tally, counts, history
from hil.watch.measure import BINS, RBW_BINS, levels, spectrum_db
from hil.watch.source import Asked, Source, State, Stream, Update, shown_frame, shown_levels, shown_spectrum

__all__ = ["Recording"]

HISTORY_S = 1.0
"""Lines along the bursts are sent again so often, where there is something new."""
TRIES = 4
"""At a file that is being written."""
EARS = 4
"""Receivers kept, of the points that were shown last: a run may have hundreds of points."""


class Recording(Source):
    """A capture, whether a run goes on writing it or not. Each page has a reader of its own.

    Args:
        path: of the capture; it may not be there yet.
        name: of the run or file, for people.
        growing: a run may be writing it; else it is played.
    """

    def __init__(self, path: Path, name: str, *, growing: bool) -> None:
        self._path, self._name, self._growing = path, name, growing

    @property
    def title(self) -> str:
        """For the page's head."""
        return self._name

    def stream(self, asked: Asked) -> Playback:
        """A reader for one page.

        Raises:
            ConfigError: there is no such receiver.
        """
        return Playback(self._path, self._name, asked, growing=self._growing)

    def close(self) -> None:
        """Nothing is held."""


class Playback(Stream):
    """One page's place in a capture.

    Args:
        path, name, growing: as for `Recording`.
        asked: where to begin, and how to go on.

    Raises:
        ConfigError: there is no such receiver.
    """

    def __init__(self, path: Path, name: str, asked: Asked, *, growing: bool) -> None:
        self._tail, self._name, self._growing, self._asked = Tail(path), name, growing, asked
        self._tail.look()
        self._ears: dict[int, PointEar | ProbeEar | None] = {}
        self._rows = np.zeros(0, np.int64)  # bursts of this receiver
        self._generation = self._tail.generation
        self._seen, self._tally = 0, Tally()
        self._receiver = 0
        self._choose()
        live = growing and not self._tail.complete
        self._follow = asked.follow or (live and asked.at is None)
        self._first, self._begun = max(0, asked.at or 0), time.monotonic()
        self._sent: tuple[int, int, int] | None = None  # generation, burst, bursts known
        self._history_at, self._history_of = -1e9, -1

    def about(self) -> Update:
        """Receivers, rate, carrier."""
        bench = self._tail.config.get("bench") or {}
        return {
            "source": "run" if self._growing else "capture",
            "title": self._name,
            "bench": bench.get("name"),
            "receivers": list(self._tail.receivers),
            "receiver": self._tail.receivers[self._receiver] if self._tail.receivers else None,
            "transmitters": self._tail.transmitters,
            "rate_hz": bench.get("sample_rate_hz"),
            "carrier_hz": bench.get("center_freq_hz"),
            "bins": BINS,
            "rbw_bins": RBW_BINS,
            "x": "burst",
        }

    def next(self) -> Update | None:
        """The burst that is due; None: it was sent already."""
        if self._growing and not (self._tail.complete and self._sent):
            self._look()
        if not self._tail.receivers or not len(self._rows):
            return {"state": "waiting"} if self._told(-1) else None
        place = self._due()
        if not self._told(place):
            return None
        shown = self._show(place)
        if shown is None:  # a commit came in between
            self._sent = None
        return shown

    def close(self) -> None:
        """Nothing is held."""

    def _look(self) -> None:
        before = bool(self._tail.receivers)
        if not self._tail.look(self._receiver if self._follow and before else None):
            return
        if self._generation != self._tail.generation:
            self._generation = self._tail.generation
            self._ears.clear()
            self._rows, self._seen, self._tally, self._history_of = np.zeros(0, np.int64), 0, Tally(), -1
        if not before or not self._rows.size:
            self._choose()
        self._index()

    def _choose(self) -> None:
        known, wanted = self._tail.receivers, self._asked.receiver
        if known and wanted is not None:
            if wanted not in known:
                raise ConfigError(f"no receiver {wanted!r}{did_you_mean(wanted, known)}; it has {', '.join(known)}")
            self._receiver = known.index(wanted)
        self._index()

    def _index(self) -> None:
        """Note which bursts are this receiver's: those that came since are looked at."""
        rows, done = self._tail.bursts, self._seen
        new = done + np.flatnonzero(rows["receiver"][done:] == self._receiver)
        self._rows, self._seen = np.concatenate([self._rows, new]), len(rows)

    def _due(self) -> int:
        """Place among the receiver's bursts of the one to show now."""
        last = len(self._rows) - 1
        if self._follow:
            return last
        gone = int((time.monotonic() - self._begun) * self._asked.rate)
        return min(self._first + gone, last)

    def _state(self, place: int) -> State:
        if self._follow:
            return "ended" if self._tail.complete else "live"
        if self._asked.rate == 0:
            return "paused"
        if place < len(self._rows) - 1:
            return "playing"
        return "live" if self._growing and not self._tail.complete else "ended"

    def _told(self, place: int) -> bool:
        """Whether something has changed since the last update."""
        known = (self._tail.generation, place, len(self._rows) + (1 << 40) * self._tail.complete)
        changed, self._sent = known != self._sent, known
        return changed

    def _show(self, place: int) -> Update | None:
        index = int(self._rows[place])
        samples = next((found for _ in range(TRIES) if (found := self._tail.samples(index)) is not None), None)
        if samples is None:
            return None
        row, tail = self._tail.bursts[index], self._tail
        point = tail.points[int(row["point"])] if int(row["point"]) < len(tail.points) else None
        full_scale = self._full_scale(int(row["point"]))
        update: Update = {
            "state": self._state(place),
            "burst": place,
            "bursts": len(self._rows),
            "point": point.name if point else None,
            "kind": FrameKind(int(row["kind"])).name.lower(),
            "samples": len(samples),
            "counts": self._counts(index),
        }
        if full_scale is not None:
            update["spectrum"] = shown_spectrum(spectrum_db(samples, full_scale))
            update["levels"] = shown_levels(levels(samples, full_scale))
            ear = self._ear(int(row["point"]), int(row["kind"]))
            frames = ear.hear(samples, full_scale) if ear is not None and len(samples) else []
            if frames:
                update["frame"] = shown_frame(frames[0])
        if self._history_of != len(self._rows) and time.monotonic() - self._history_at > HISTORY_S:
            self._history_at, self._history_of = time.monotonic(), len(self._rows)
            update["history"] = history(tail.ledger, self._receiver, self._rows)
        return update

    def _counts(self, index: int) -> Update:
        """Of the receiver's frames up to a burst."""
        ledger = self._tail.ledger
        if self._follow:
            return self._tally.take(ledger, self._receiver)
        return counts(ledger[(ledger["receiver"] == self._receiver) & (ledger["burst"] <= index)])

    def _full_scale(self, point: int) -> float | None:
        """int16 value of the receiver's full scale, as the radio said when the point was begun; None: nothing says so."""
        name = self._tail.receivers[self._receiver]
        attrs = self._tail.points[point].attrs if point < len(self._tail.points) else {}
        for one in (attrs.get("spec") or {}).get("receptions", ()):
            if one.get("name") == name:
                return float(one["full_scale"])
        bench = self._tail.config.get("bench") or {}
        radio = next((one["radio"] for one in bench.get("receivers", ()) if one.get("name") == name), None)
        info = ((attrs.get("radios") or {}).get(radio) or {}).get("info") or {}
        return float(info["rx_full_scale"]) if "rx_full_scale" in info else None

    def _ear(self, point: int, kind: int) -> PointEar | ProbeEar | None:
        key = point if kind == FrameKind.FRAME else -1
        if key not in self._ears:
            if len(self._ears) >= EARS:
                del self._ears[next(iter(self._ears))]
            self._ears[key] = self._make_ear(point, kind)
        return self._ears[key]

    def _make_ear(self, point: int, kind: int) -> PointEar | ProbeEar | None:
        one, bench = self._tail.points[point], self._tail.config.get("bench") or {}
        try:
            if kind == FrameKind.FRAME:
                return PointEar.of(one.attrs, one.name, self._tail.receivers[self._receiver])
            shared, carrier = bench.get("clock") == "shared", float(bench["center_freq_hz"])
            search = 0.0 if shared else SEARCH_PPM * 1e-6 * carrier
            return ProbeEar(ReceiverConfig(sample_rate_hz=bench["sample_rate_hz"], center_freq_hz=carrier, max_cfo_hz=search))
        except (HilError, KeyError):  # of an older format, or of other frames: their samples are shown all the same
            return None
