"""A session at a bench: all radios open, bursts on the air, everything silenced on the way out."""

from __future__ import annotations

import atexit
import signal
import sys
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from hil.errors import RadioError, ShapeError, TransmitRefusedError
from hil.radios.bench import BenchConfig, check_transmit
from hil.radios.burst import BurstReception
from hil.radios.contract import Radio, RadioSettings, Range, StreamEvent
from hil.radios.streams import StreamExchange, streamable
from hil.radios.timed import into_one_fade, start_times, transmit_at
from hil.radios.virtual.client import ensure_air
from hil.registry import DRIVERS

__all__ = ["Bench", "BurstReception"]

_AHEAD_S = 0.1  # a timed burst where a device's clock runs: the host's lead over it
_SAME_RATE = 1e-6
_MARGIN = 256  # samples between now and the earliest sample of a simulated exchange


class Bench:
    """The radios of one bench, opened and configured; a context manager.

    Args:
        config: the bench.
        transmit: the operator's consent to drive real transmitters; virtual ones need none.

    Raises:
        RadioError: a radio cannot be opened or configured.
        TransmitRefusedError: real transmitters without consent or limits (raised by the first burst).
    """

    def __init__(self, config: BenchConfig, *, transmit: bool = False) -> None:
        self.config = config
        self.radios: dict[str, Radio] = {}
        self._consent = transmit
        self._bursts = 0
        self._applied: dict[str, RadioSettings] = {}
        self._wanted_tx = [float(tx.gain_db) for tx in config.transmitters]
        self._wanted_rx = float(config.receiver.gain_db)
        self._exchange: StreamExchange | None = None
        self._processes = ExitStack()
        shared: dict[str, Any] = {"consent": transmit}
        _unwind_on_signals()
        try:
            if config.virtual_radios:
                config = self.config = self._processes.enter_context(ensure_air(config))
            for name, radio in config.radios.items():
                self.radios[name] = DRIVERS.load(radio.driver).open(name, config, shared)
            self.configure()
            self._agree()
        except BaseException as err:
            self._after(err, self.close)
            raise
        _OPEN.add(self)

    @property
    def transmitters(self) -> int:
        """How many transmitters the bench has."""
        return len(self.config.transmitters)

    @property
    def sample_rate_hz(self) -> float:
        """As read back from the receiver."""
        return self._applied[self.config.receiver.radio].sample_rate_hz

    @property
    def full_scale(self) -> float:
        """int16 value of the receiver's full scale: amplitude 1.0."""
        return self._receiver.info.rx_full_scale

    @property
    def full_scales(self) -> dict[str, float]:
        """(shim until several receivers are merged)"""
        return {"rx": self.full_scale}

    @property
    def virtual(self) -> bool:
        """Whether no radio of the bench has an antenna."""
        return all(radio.info.virtual for radio in self.radios.values())

    @property
    def _unpaced(self) -> bool:
        """Whether time stands still between calls: no device's clock runs on its own."""
        return all(radio.info.driver == "sim" for radio in self.radios.values())

    @property
    def _receiver(self) -> Radio:
        return self.radios[self.config.receiver.radio]

    def configure(self) -> dict[str, RadioSettings]:
        """Apply the bench's settings to every radio; per radio, what it read back."""
        self._exchange = None
        for name in self.radios:
            self._apply(name)
        return dict(self._applied)

    def _agree(self) -> None:
        """All radios must have come to the bench's rate: sample counts of one are used on the other.

        Raises:
            RadioError: one has not.
        """
        wanted = self.config.sample_rate_hz
        for name, applied in self._applied.items():
            if abs(applied.sample_rate_hz / wanted - 1) > _SAME_RATE:
                raise RadioError(
                    f"radio '{name}': 'sample_rate_hz' {wanted:g} comes to {applied.sample_rate_hz:.9g} there; take a rate "
                    "that every radio of the bench has"
                )

    def settings(self, radio: str) -> RadioSettings:
        """What a radio read back."""
        return self._applied[radio]

    def set_tx_gain(self, tx: int, gain_db: float) -> float:
        """Set the gain of one transmitter; the value the device read back (dB).

        Raises:
            RadioError: no such transmitter, or outside its range.
            TransmitRefusedError: above the bench's max_tx_gain_db.
        """
        radio = self._transmitter(tx)
        if gain_db not in radio.info.tx_gain_db:
            raise RadioError(f"transmitter {tx}: 'gain_db' must lie in {radio.info.tx_gain_db}, not {gain_db:g}")
        most = self.config.max_tx_gain_db(tx)
        if most is not None and gain_db > most:
            raise TransmitRefusedError(f"transmitter {tx}: {gain_db:g} dB is above limits.max_tx_gain_db = {most:g}")
        self._wanted_tx[tx] = float(gain_db)
        self._apply(self.config.transmitters[tx].radio)
        return self.tx_gain(tx)

    def tx_gain(self, tx: int) -> float:
        """The gain of one transmitter, as read back (dB)."""
        self._transmitter(tx)
        end = self.config.transmitters[tx]
        applied = self._applied[end.radio]
        return applied.tx_gain_db[applied.tx_channels.index(end.channel)]

    def tx_gain_range(self, tx: int) -> Range:
        """The gains that one transmitter takes, the bench's limit included."""
        allowed = self._transmitter(tx).info.tx_gain_db
        most = self.config.max_tx_gain_db(tx)
        high = allowed.high if most is None else min(allowed.high, most)
        return Range(low=allowed.low, high=high, step=allowed.step)

    def set_rx_gain(self, gain_db: float) -> float:
        """Set the receiver's gain; the value the device read back (dB)."""
        allowed = self._receiver.info.rx_gain_db
        if gain_db not in allowed:
            raise RadioError(f"receiver: 'gain_db' must lie in {allowed}, not {gain_db:g}")
        self._wanted_rx = float(gain_db)
        self._exchange = None  # a receiver that is set anew counts its samples anew
        self._apply(self.config.receiver.radio)
        return self.rx_gain()

    def rx_gain(self) -> float:
        """The receiver's gain, as read back (dB)."""
        applied = self._applied[self.config.receiver.radio]
        return applied.rx_gain_db[applied.rx_channels.index(self.config.receiver.channel)]

    def burst(self, waveforms: Any, *, lead: int = 512, tail: int = 512) -> BurstReception:
        """Send one waveform per transmitter at the same time, and receive around it.

        Timed where every transmitting radio and the receiver have time; else in continuous streams that are aligned by
        measurement (`StreamExchange`); else cyclic; else immediate. With time, the burst starts between
        lead/2 and lead samples into the reception (drawn anew for each burst), and bursts are a random silence apart: the
        receiver must find them. Without time the reception is as much longer as the start is uncertain.

        Args:
            waveforms: complex64 [tx, n], numpy or torch; amplitude 1.0 = full scale of the DAC. Rows of zeros send nothing.
            lead: samples to receive before the burst, at most.
            tail: samples to receive after it, at least.

        Raises:
            ShapeError: not complex [tx, n].
            TransmitRefusedError: the bench's limits forbid it.
            RadioTimeoutError: a radio did not deliver in samples/rate + 2 s.
        """
        rows = np.asarray(waveforms)
        if rows.ndim != 2 or rows.shape[0] != self.transmitters or rows.shape[1] == 0 or not np.iscomplexobj(rows):
            raise ShapeError(
                f"Argument 'waveforms' must be complex [{self.transmitters} transmitters, n], "
                f"not {rows.dtype} {list(rows.shape)}."
            )
        if lead < 0 or tail < 0:
            raise ShapeError(f"Arguments 'lead' and 'tail' must be at least 0, not {lead} and {tail}.")
        per_radio = self._rows_per_radio(rows)
        self._check_limits(per_radio, rows.shape[1])
        for name in per_radio:
            self.radios[name].rest()
        draw = np.random.Generator(np.random.Philox(key=[self.config.seed, self._bursts]))
        self._bursts += 1
        try:
            infos = [self.radios[name].info for name in per_radio]
            if all(info.timed_transmit for info in infos) and self._receiver.info.hardware_time:
                return self._timed(per_radio, rows.shape[1], lead, tail, draw)
            if infos and streamable([self.radios[name] for name in per_radio]):
                return self._streamed(per_radio, rows.shape[1], lead, tail, draw)
            if all(info.cyclic_transmit for info in infos):
                return self._untimed(per_radio, lead + 2 * rows.shape[1] + tail, lead, cyclic=True)
            return self._untimed(per_radio, lead + rows.shape[1] + tail, lead, cyclic=False)
        except BaseException as err:
            self._after(err, self.silence)
            raise

    def listen(self, n: int) -> BurstReception:
        """Receive n samples with nobody sending."""
        receiver = self._receiver
        got = receiver.receive(n, at=None if receiver.info.hardware_time else receiver.now(), timeout_s=self._deadline(n))
        return BurstReception(
            samples=got.samples[self._receiver_row], start=got.start, events=got.events, sent_at=(None,) * self.transmitters
        )

    def silence(self) -> None:
        """Stop every transmitter; one that fails does not keep the others from stopping."""
        self._each(lambda radio: radio.stop())

    def close(self) -> None:
        """Silence and close every radio."""
        try:
            self._each(lambda radio: radio.close())
        finally:
            self._processes.close()

    def describe(self) -> dict[str, Any]:
        """For a capture: per radio what it is and what it read back. JSON types only."""
        return {
            name: {"info": radio.info.to_dict(), "applied": self._applied[name].to_dict() if name in self._applied else None}
            for name, radio in self.radios.items()
        }

    def truth(self) -> Any:
        """The air's own figures for a simulated bench; see `hil.radios.truth.Truth`.

        Raises:
            RadioError: not simulated.
        """
        from hil.radios.truth import Truth

        return Truth(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if error is None:
            self.close()
        else:
            self._after(error, self.close)

    @staticmethod
    def _after(error: BaseException, action: Callable[[], None]) -> None:
        """Do something on the way out of an error, which stays the one that is told."""
        try:
            action()
        except Exception as second:
            error.add_note(str(second))

    def _transmitter(self, tx: int) -> Radio:
        if not 0 <= tx < self.transmitters:
            raise RadioError(f"Argument 'tx' must be 0 … {self.transmitters - 1}, not {tx}.")
        return self.radios[self.config.transmitters[tx].radio]

    @property
    def _receiver_row(self) -> int:
        return self._applied[self.config.receiver.radio].rx_channels.index(self.config.receiver.channel)

    def _apply(self, name: str) -> None:
        config = self.config
        sending = [(tx.channel, self._wanted_tx[k]) for k, tx in enumerate(config.transmitters) if tx.radio == name]
        receives = config.receiver.radio == name
        antennas = [tx.antenna for tx in config.transmitters if tx.radio == name]
        self._applied[name] = self.radios[name].configure(
            RadioSettings(
                sample_rate_hz=config.sample_rate_hz,
                center_freq_hz=config.center_freq_hz,
                tx_channels=tuple(channel for channel, _ in sending),
                tx_gain_db=tuple(gain for _, gain in sending),
                rx_channels=(config.receiver.channel,) if receives else (),
                rx_gain_db=(self._wanted_rx,) if receives else (),
                bandwidth_hz=config.bandwidth_hz,
                clock_source=config.clock_source,
                time_source=config.time_source,
                tx_antenna=antennas[0] if antennas else None,
                rx_antenna=config.receiver.antenna if receives else None,
            )
        )

    def _rows_per_radio(self, rows: NDArray[Any]) -> dict[str, NDArray[np.complex64]]:
        """Waveforms [channel, n] of every radio that has something to send."""
        out: dict[str, NDArray[np.complex64]] = {}
        for name in dict.fromkeys(tx.radio for tx in self.config.transmitters):
            channels = self._applied[name].tx_channels
            block = np.zeros((len(channels), rows.shape[1]), np.complex64)
            for k, tx in enumerate(self.config.transmitters):
                if tx.radio == name:
                    block[channels.index(tx.channel)] = rows[k]
            if block.any():
                out[name] = block
        return out

    def _check_limits(self, per_radio: dict[str, NDArray[np.complex64]], n: int) -> None:
        for name in per_radio:
            check_transmit(self.config, self.radios[name].info, self._consent, self._applied[name])
        longest = self.config.limits.max_burst_s
        if longest is not None and n / self.sample_rate_hz > longest:
            raise TransmitRefusedError(
                f"bench '{self.config.name}': a burst of {n / self.sample_rate_hz:.3g} s is longer than "
                f"limits.max_burst_s = {longest:g}"
            )

    def _timed(
        self, per_radio: dict[str, NDArray[np.complex64]], n: int, lead: int, tail: int, draw: np.random.Generator
    ) -> BurstReception:
        rate, gap = self.sample_rate_hz, self.config.gap_s
        ahead = _MARGIN if self._unpaced else int(_AHEAD_S * rate)
        wait = ahead + lead + int(draw.uniform(gap[0], gap[1]) * rate)
        before = int(draw.integers(lead // 2, lead + 1))
        wait += into_one_fade(self.config, self._receiver.now() + wait, n, draw)
        times, base, doubt = start_times(self.config, self.radios, per_radio)
        slack = 2 * doubt  # without a common clock the burst may come earlier or later
        times = {name: now + wait + slack for name, now in times.items()}
        events = transmit_at(self.radios, per_radio, times, side_by_side=not self._unpaced)
        length = lead + n + tail + 2 * slack
        got = self._receiver.receive(length, at=base + wait - before, timeout_s=self._deadline(length + wait + slack))
        for name in per_radio:
            events += self.radios[name].settle()
        sent_at = tuple(times.get(tx.radio) for tx in self.config.transmitters)
        return self._burst(got.samples, got.start, [*events, *got.events], sent_at, _whole(events, got.events))

    def _streamed(
        self, per_radio: dict[str, NDArray[np.complex64]], n: int, lead: int, tail: int, draw: np.random.Generator
    ) -> BurstReception:
        wait = int(draw.uniform(*self.config.gap_s) * self.sample_rate_hz)
        before = int(draw.integers(lead // 2, lead + 1))
        if self._exchange is None:
            self._exchange = StreamExchange(
                self.radios,
                lambda name: len(self._applied[name].tx_channels),
                self.config.receiver.radio,
                self._receiver_row,
                self.sample_rate_hz,
                self.config.center_freq_hz,
                shared_clock=self.config.clock == "shared",
                loud=self._loud,
            )
        got, events, whole = self._exchange.burst(per_radio, before, lead + n + tail, wait)
        return self._burst(got.samples, got.start, [*events, *got.events], (None,) * self.transmitters, whole)

    @contextmanager
    def _loud(self, name: str) -> Iterator[None]:
        """Hold a radio's gains at least where the bench file starts them."""
        before = list(self._wanted_tx)
        for tx, end in enumerate(self.config.transmitters):
            if end.radio == name:
                self._wanted_tx[tx] = max(self._wanted_tx[tx], end.gain_db)
        try:
            self._apply(name)
            yield
        finally:
            self._wanted_tx[:] = before
            self._apply(name)

    def _untimed(self, per_radio: dict[str, NDArray[np.complex64]], length: int, lead: int, *, cyclic: bool) -> BurstReception:
        jitter = max((self.radios[name].info.start_jitter_s for name in per_radio), default=0.0)
        length += int(jitter * self.sample_rate_hz)
        events: list[StreamEvent] = []
        before = self._receiver.receive(lead, timeout_s=self._deadline(lead)) if lead else None
        try:
            for name, block in per_radio.items():
                events += self.radios[name].transmit(block, cyclic=cyclic)
            got = self._receiver.receive(length - lead, timeout_s=self._deadline(length))
            for name in per_radio:
                events += self.radios[name].settle()
        finally:
            self.silence()
        samples, start = got.samples, got.start
        if before is not None and before.start + before.samples.shape[1] == got.start:
            samples, start = np.concatenate([before.samples, samples], axis=1), before.start
            events += before.events
        nobody = (None,) * self.transmitters
        return self._burst(samples, start, [*events, *got.events], nobody, _whole(events, got.events))

    def _burst(
        self,
        samples: NDArray[np.int16],
        start: int,
        events: Sequence[StreamEvent],
        sent_at: tuple[int | None, ...],
        whole: bool,
    ) -> BurstReception:
        row = samples[self._receiver_row]
        return BurstReception(samples=row, start=start, events=tuple(events), sent_at=sent_at, whole=whole)

    def _deadline(self, n: int) -> float:
        return n / self.sample_rate_hz + 2.0

    def _each(self, action: Any) -> None:
        failures: list[BaseException] = []
        for radio in self.radios.values():
            try:
                action(radio)
            except BaseException as err:  # a second signal, too: the other radios are still to be silenced
                failures.append(err)
        if failures:
            raise failures[0]


def _whole(sent: Iterable[StreamEvent], received: Iterable[StreamEvent]) -> bool:
    """Whether nobody said that something of a burst was sent late or not at all; drivers tell some of it with a reception."""
    missing = any(event.kind in ("late", "underflow", "gap") for event in sent)
    return not missing and not any(event.kind in ("late", "underflow") for event in received)


_OPEN: weakref.WeakSet[Bench] = weakref.WeakSet()


@atexit.register
def _close_all() -> None:
    """Whoever leaves without closing leaves no transmitter on."""
    for bench in list(_OPEN):
        with suppress(Exception):
            bench.close()


def _unwind_on_signals() -> None:
    """Leave by way of every `with` on SIGTERM and SIGHUP, so that transmitters are silenced; who has a handler keeps it."""
    if threading.current_thread() is not threading.main_thread():
        return
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, lambda got, _frame: sys.exit(128 + got))
