"""A bench as a source: its receivers, read without end; nothing is sent."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque

import numpy as np
from numpy.typing import NDArray

from hil.errors import ConfigError, HilError
from hil.points.spec import receiver_for
from hil.radios.bench import BenchConfig
from hil.radios.ears import Ears
from hil.spelling import did_you_mean
from hil.watch.frames import FrameView, ProbeEar
from hil.watch.ledger import HISTORY
from hil.watch.measure import BINS, RBW_BINS, levels, spectrum_db
from hil.watch.source import UPDATES, Asked, Source, Stream, Update, plain, shown_frame, shown_levels, shown_spectrum

__all__ = ["Listening"]

MOST = 1 << 17
"""Samples of an update that frames are looked for in; of fast radios the rest is read and not looked at."""
HISTORY_S = 1.0
IDLE_S = 1.0
"""Without a page for so long, nothing is read any more."""
PATIENCE_S = 5.0


class Listening(Source):
    """A bench's receivers, each read by one thread for all its pages.

    Args:
        config: the bench.

    Raises:
        RadioError: a radio cannot be opened.
    """

    def __init__(self, config: BenchConfig) -> None:
        self._ears = Ears(config)
        self._radios = threading.Lock()
        self._readers: dict[str, Reader] = {}

    @property
    def title(self) -> str:
        """For the page's head."""
        return f"bench {self._ears.config.name}"

    def stream(self, asked: Asked) -> Overheard:
        """What one page is sent of a receiver.

        Raises:
            ConfigError: there is no such receiver.
        """
        known = self._ears.receivers
        name = asked.receiver or known[0]
        if name not in known:
            raise ConfigError(f"no receiver {name!r}{did_you_mean(name, known)}; the bench has {', '.join(known)}")
        with self._radios:
            reader = self._readers.get(name)
            if reader is None or not reader.running:
                reader = self._readers[name] = Reader(self._ears, name, self._radios)
        return Overheard(reader, self._ears, name)

    def close(self) -> None:
        """Close the radios."""
        for reader in self._readers.values():
            reader.stop()
        self._ears.close()


class Reader:
    """Reads one receiver in a thread and measures what it reads.

    Args:
        ears: open.
        receiver: its name.
        radios: held while a radio is read: receivers may share one.
    """

    def __init__(self, ears: Ears, receiver: str, radios: threading.Lock) -> None:
        self._ears, self._receiver, self._radios = ears, receiver, radios
        self._rate = ears.rate_hz(receiver)
        self._full_scale = ears.full_scale(receiver)
        self._ear = ProbeEar(receiver_for(ears.config, {"sample_rate_hz": self._rate}))
        self._changed = threading.Condition()
        self._update: Update = {"state": "waiting"}
        self._number = 0
        self._wanted = time.monotonic()
        self._stopping = False
        self._counts: Counter[str] = Counter(found=0, missing=0)
        self._begun = time.monotonic()
        self._history: deque[tuple[float, list[float], list[float]]] = deque(maxlen=HISTORY)
        self._thread = threading.Thread(target=self._run, name=f"watch-{receiver}", daemon=True)
        self._thread.start()

    @property
    def running(self) -> bool:
        """Whether it reads on."""
        return self._thread.is_alive()

    def after(self, number: int, timeout_s: float) -> tuple[int, Update | None]:
        """The newest update and its number, if that is not `number`, waiting for it a little."""
        self._wanted = time.monotonic()
        with self._changed:
            self._changed.wait_for(lambda: self._number != number, timeout_s)
            return self._number, (self._update if self._number != number else None)

    def lines(self) -> Update:
        """SNR and carrier offset of the frames heard, over time."""
        seen = list(self._history)
        return {
            "x": [round(at, 2) for at, _, _ in seen],
            "snr": [plain([snr[0] for _, snr, _ in seen])],
            "cfo": [plain([cfo[0] for _, _, cfo in seen])],
            "lost": [],
            "every": 1,
        }

    def stop(self) -> None:
        """End the thread."""
        self._stopping = True
        self._thread.join(timeout=PATIENCE_S)

    def _run(self) -> None:
        try:
            self._read_on()
        except HilError as err:
            self._tell({"state": "failed", "why": str(err)})
        except Exception as err:  # a bug: told on the page, and with its traceback by the thread
            self._tell({"state": "failed", "why": f"a fault in hil watch: {err!r}"})
            raise

    def _read_on(self) -> None:
        """Until nobody looks any more."""
        count, due = max(BINS, round(self._rate / UPDATES)), time.monotonic()
        while not self._stopping and time.monotonic() - self._wanted < IDLE_S:
            with self._radios:
                heard, events = self._ears.read(self._receiver, count)
            holes = [event for event in events if event.kind in ("overflow", "gap")]
            self._counts["missing"] += sum(event.count for event in holes)
            end = heard.start + len(heard.samples)
            if len(heard.samples) and not any(one.position < end and one.position + one.count > heard.start for one in holes):
                self._tell(self._measure(heard.samples))
            if not self._ears.paced(self._receiver):
                due = max(due + count / self._rate, time.monotonic() - 1)
                time.sleep(max(0.0, due - time.monotonic()))

    def _measure(self, samples: NDArray[np.int16]) -> Update:
        frames: list[FrameView] = self._ear.hear(samples[:MOST], self._full_scale)
        at = time.monotonic() - self._begun
        for frame in frames:
            self._counts["found"] += 1
            self._history.append((at, frame.snr_db, frame.cfo_hz))
        update: Update = {
            "state": "live",
            "at_s": round(at, 2),
            "samples": len(samples),
            "spectrum": shown_spectrum(spectrum_db(samples, self._full_scale)),
            "levels": shown_levels(levels(samples, self._full_scale)),
            "counts": dict(self._counts),
        }
        if frames:
            update["frame"] = shown_frame(max(frames, key=lambda one: one.snr_db[0]))
        return update

    def _tell(self, update: Update) -> None:
        with self._changed:
            self._update, self._number = update, self._number + 1
            self._changed.notify_all()


class Overheard(Stream):
    """What one page is sent of a receiver that is read."""

    def __init__(self, reader: Reader, ears: Ears, receiver: str) -> None:
        self._reader, self._ears, self._receiver = reader, ears, receiver
        self._number = 0
        self._history_at = 0.0

    def about(self) -> Update:
        """Receivers, rate, carrier."""
        return {
            "source": "bench",
            "title": self._ears.config.name,
            "bench": self._ears.config.name,
            "receivers": list(self._ears.receivers),
            "receiver": self._receiver,
            "transmitters": 1,
            "rate_hz": self._ears.rate_hz(self._receiver),
            "carrier_hz": self._ears.carrier_hz(self._receiver),
            "bins": BINS,
            "rbw_bins": RBW_BINS,
            "x": "s",
        }

    def next(self) -> Update | None:
        """The newest, once."""
        self._number, update = self._reader.after(self._number, 1 / UPDATES)
        if update is not None and time.monotonic() - self._history_at > HISTORY_S:
            self._history_at = time.monotonic()
            return update | {"history": self._reader.lines()}
        return update

    def close(self) -> None:
        """The reader goes on for a while, for other pages."""
