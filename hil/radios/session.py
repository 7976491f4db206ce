"""A session at a bench: all radios open, bursts on the air, everything silenced on the way out."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from hil.errors import RadioError, ShapeError, TransmitRefusedError
from hil.radios.bench import BenchConfig
from hil.radios.burst import BurstReception, Heard
from hil.radios.contract import Radio, RadioSettings, Range, SensorValue
from hil.radios.limits import check_burst, check_transmit
from hil.radios.rack import Rack
from hil.radios.silence import close_at_exit, silence_on_signals
from hil.radios.streams import StreamExchange, streamable
from hil.radios.timed import timed_burst
from hil.radios.untimed import listen, untimed_burst
from hil.radios.virtual.ensure import ensure_air
from hil.radios.windows import EARLIEST, LATEST_S, SEARCH_S
from hil.registry import DRIVERS

if TYPE_CHECKING:
    from hil.radios.truth import Truth

__all__ = ["Bench", "BurstReception", "Heard", "silence_on_signals"]


class Bench:
    """The radios of one bench, opened and configured; a context manager.

    The interpreter's end closes it too. Signals are the program's: one that drives transmitters calls `silence_on_signals`.

    Args:
        config: the bench.
        transmit: the operator's consent to drive real transmitters; virtual ones need none.

    Raises:
        RadioError: a radio cannot be opened or configured, or they cannot work together.
        TransmitRefusedError: real transmitters without consent or limits (raised by the first burst).
    """

    def __init__(self, config: BenchConfig, *, transmit: bool = False) -> None:
        self.config = self._asked = config
        self.radios: dict[str, Radio] = {}
        self._consent = transmit
        self._bursts = 0
        self._exchange: StreamExchange | None = None
        self._processes = ExitStack()
        self._rack = Rack(config, self.radios)
        shared: dict[str, Any] = {"consent": transmit}
        try:
            if config.virtual_radios:
                config = self.config = self._processes.enter_context(ensure_air(config))
                self._rack = Rack(config, self.radios)
            for name, radio in config.radios.items():
                self.radios[name] = DRIVERS.load(radio.driver).open(name, config, shared)
            self._rack.check_side_by_side()
            self.configure()
            self._rack.check_agreement()
        except BaseException as err:
            self._after(err, self.close)
            raise
        close_at_exit(self)

    @property
    def transmitters(self) -> int:
        """How many transmitters the bench has."""
        return len(self.config.transmitters)

    @property
    def receivers(self) -> tuple[str, ...]:
        """The receivers' names, in the bench's order."""
        return tuple(end.name for end in self.config.receivers)

    @property
    def sample_rate_hz(self) -> float:
        """As read back from the first receiver's radio."""
        return self._rack.rate_hz

    @property
    def true_config(self) -> BenchConfig:
        """The bench as it was asked for, but with the rate and the carrier that its first receiver's radio came to.

        What computes times or frequencies from a bench takes this one: a Pluto reads back 999,999 S/s for 1,000,000.
        """
        return self._asked.model_copy(update={"sample_rate_hz": self._rack.rate_hz, "center_freq_hz": self._rack.carrier_hz})

    @property
    def paced(self) -> bool:
        """Whether time goes on between calls; not where all radios are simulated in this process."""
        return self._rack.paced

    @property
    def full_scale(self) -> float:
        """int16 value of the first receiver's full scale: amplitude 1.0."""
        return self._rack.sink.info.rx_full_scale

    @property
    def full_scales(self) -> dict[str, float]:
        """int16 value of full scale by receiver."""
        return {end.name: self.radios[end.radio].info.rx_full_scale for end in self.config.receivers}

    @property
    def virtual(self) -> bool:
        """Whether no radio of the bench has an antenna."""
        return all(radio.info.virtual for radio in self.radios.values())

    def configure(self) -> dict[str, RadioSettings]:
        """Apply the bench's settings to every radio; per radio, what it read back."""
        self._exchange = None
        for name in self.radios:
            self._rack.apply(name)
        return dict(self._rack.applied)

    def settings(self, radio: str) -> RadioSettings:
        """What a radio read back."""
        return self._rack.applied[radio]

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
        self._rack.wanted_tx[tx] = float(gain_db)
        self._rack.apply(self.config.transmitters[tx].radio)
        return self.tx_gain(tx)

    def tx_gain(self, tx: int) -> float:
        """The gain of one transmitter, as read back (dB)."""
        self._transmitter(tx)
        end = self.config.transmitters[tx]
        applied = self._rack.applied[end.radio]
        return applied.tx_gain_db[applied.tx_channels.index(end.channel)]

    def tx_gain_range(self, tx: int) -> Range:
        """The gains that one transmitter takes, the bench's limit included."""
        allowed = self._transmitter(tx).info.tx_gain_db
        most = self.config.max_tx_gain_db(tx)
        high = allowed.high if most is None else min(allowed.high, most)
        return Range(low=allowed.low, high=high, step=allowed.step)

    def set_rx_gain(self, gain_db: float, receiver: str | None = None) -> float:
        """Set the gain of one receiver (None = the first); the value the device read back (dB).

        Raises:
            RadioError: no such receiver, or outside its range.
        """
        end = self._rack.receiver(receiver)
        allowed = self.radios[end.radio].info.rx_gain_db
        if gain_db not in allowed:
            raise RadioError(f"receiver '{end.name}': 'gain_db' must lie in {allowed}, not {gain_db:g}")
        self._rack.wanted_rx[end.name] = float(gain_db)
        self._exchange = None  # a receiver that is set anew counts its samples anew
        self._rack.apply(end.radio)
        return self.rx_gain(end.name)

    def rx_gain(self, receiver: str | None = None) -> float:
        """The gain of one receiver (None = the first), as read back (dB)."""
        end = self._rack.receiver(receiver)
        return self._rack.applied[end.radio].rx_gain_db[self._rack.row(end)]

    def set_delay(self, tx: int, samples: int, receiver: str | None = None) -> None:
        """Say by how much what a transmitter sends comes late at a receiver (None = the first).

        For a constant delay of the chain that somebody has measured (`hil.radios.delays`). Transmitters start so that all
        arrive at the first receiver together, to a sample; a receiver's window begins with what arrives there first, and is as
        much longer as the others are later. In streams that are aligned by measurement the first receiver's delays are in the
        alignment already, and only differences to them are left.

        Args:
            tx: transmitter.
            samples: −256 … 0.05 s of them, in whole samples of the receiver.
            receiver: its name.

        Raises:
            RadioError: no such transmitter or receiver, or a delay out of that range.
        """
        self._transmitter(tx)
        end, most = self._rack.receiver(receiver), round(LATEST_S * self.sample_rate_hz)
        if not EARLIEST <= samples <= most:
            raise RadioError(f"Argument 'samples' must be {EARLIEST} … {most} ({LATEST_S:g} s), not {samples}.")
        self._rack.delays[tx, end.name] = int(samples)

    def delay(self, tx: int, receiver: str | None = None) -> int:
        """What `set_delay` was last told of a link; 0 samples before.

        Raises:
            RadioError: no such transmitter or receiver.
        """
        self._transmitter(tx)
        return self._rack.delays.get((tx, self._rack.receiver(receiver).name), 0)

    def burst(self, waveforms: Any, *, lead: int = 512, tail: int = 512, search: bool = False) -> BurstReception:
        """Send one waveform per transmitter at the same time, and receive around it on every receiver.

        Timed where every transmitting radio and the receivers have time; else in continuous streams that are aligned by
        measurement (`StreamExchange`); else cyclic; else immediate. With time, the burst starts between
        lead/2 and lead samples into the reception (drawn anew for each burst), and bursts are a random silence apart: the
        receiver must find them. Without time the reception is as much longer as the start is uncertain.

        Args:
            waveforms: complex64 [tx, n], numpy or torch; amplitude 1.0 = full scale of the DAC. Rows of zeros send nothing.
            lead: samples to receive before the burst, at most.
            tail: samples to receive after it, at least.
            search: receive for 20 ms longer, from where the burst would be without delay, after as much more silence: for links
                whose delay is not known.

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
        n = rows.shape[1]
        blocks = self._rack.blocks(rows, together=not search)
        self._check_limits(blocks, max((block.shape[1] for block in blocks.values()), default=n))
        for name in blocks:
            self.radios[name].rest()
        draw = np.random.Generator(np.random.Philox(key=[self.config.seed, self._bursts]))
        self._bursts += 1
        senders = [self.radios[name] for name in blocks]
        try:
            if all(radio.info.timed_transmit for radio in senders) and self._rack.sink.info.hardware_time:
                return timed_burst(self._rack, blocks, n, lead, tail, draw, search=search)
            if senders and streamable(senders):
                return self._streamed(blocks, n, lead, tail, draw, search=search)
            return untimed_burst(self._rack, blocks, n, lead, tail, search=search)
        except BaseException as err:
            self._after(err, self.silence)
            raise

    def pass_over(self, waveforms: Any, *, lead: int = 512, tail: int = 512) -> None:
        """Let a burst go by that was sent in an earlier session of the same run, and of which there is a record.

        Simulated radios are afterwards where they were then; others have a time of their own, and send nothing.

        Args:
            waveforms, lead, tail: as of `burst`.
        """
        if self.paced:
            self._bursts += 1
            return
        counted = all(radio.info.hardware_time for radio in self.radios.values())  # streams are aligned by what is heard
        try:
            for radio in self.radios.values():
                radio.deaf = counted
            self.burst(waveforms, lead=lead, tail=tail)
        finally:
            for radio in self.radios.values():
                radio.deaf = False

    def listen(self, n: int) -> BurstReception:
        """Receive n samples on every receiver with nobody sending; none are from before the last setting."""
        got = listen(self._rack, n)
        events = tuple(event for reception in got.values() for event in reception.events)
        return BurstReception(heard=self._rack.heard(got), events=events, sent_at=(None,) * self.transmitters)

    def renew_streams(self) -> None:
        """Forget where streams were heard, so that the next burst measures it anew; nothing where bursts go by time."""
        self._exchange = None

    def silence(self) -> None:
        """Stop every transmitter; one that fails does not keep the others from stopping."""
        self._rack.each(lambda radio: radio.stop())

    def close(self) -> None:
        """Silence and close every radio."""
        try:
            self._rack.each(lambda radio: radio.close())
        finally:
            self._processes.close()

    def describe(self) -> dict[str, Any]:
        """For a capture: per radio what it is, what it read back, and what its sensors say now. JSON types only."""
        applied = self._rack.applied
        return {
            name: {
                "info": radio.info.to_dict(),
                "applied": applied[name].to_dict() if name in applied else None,
                "sensors": self._sensors(radio) if name in applied else {},
            }
            for name, radio in self.radios.items()
        }

    @staticmethod
    def _sensors(radio: Radio) -> dict[str, SensorValue]:
        """What a radio's sensors say; one that cannot be asked ends nothing here: the next burst will tell."""
        try:
            return dict(radio.sensors())
        except RadioError as err:
            return {"error": str(err)}

    def truth(self, receiver: str | None = None) -> Truth:
        """The air's own figures for a simulated bench, as one receiver (None = the first) hears it.

        Raises:
            RadioError: not simulated, or no such receiver.
        """
        from hil.radios.truth import Truth  # needs torch, as simulated radios do

        return Truth(self.config, self.radios, self._rack.applied, self._rack.receiver(receiver))

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

    def _check_limits(self, blocks: dict[str, NDArray[np.complex64]], n: int) -> None:
        for name in blocks:
            check_transmit(self.config, self.radios[name].info, self._consent, self._rack.applied[name])
        check_burst(self.config, n / self.sample_rate_hz)

    def _streamed(
        self,
        blocks: dict[str, NDArray[np.complex64]],
        n: int,
        lead: int,
        tail: int,
        draw: np.random.Generator,
        *,
        search: bool,
    ) -> BurstReception:
        silence_s = draw.uniform(*self.config.gap_s) + (SEARCH_S if search else 0.0)  # what was sent before may come as late
        wait = int(silence_s * self.sample_rate_hz)
        before = int(draw.integers(lead // 2, lead + 1))
        rack = self._rack
        if self._exchange is None:
            self._exchange = StreamExchange(
                self.radios,
                rack.applied,
                self.config.receiver.radio,
                rack.row(self.config.receiver),
                shared_clock=self.config.clock == "shared",
                loud=rack.loud,
            )
        windows, sink = rack.windows(blocks, lead + n + tail, search=search), rack.sinks[0]
        made = self._exchange.burst(blocks, before - windows.first[sink], windows.length, wait)
        return BurstReception(
            heard=rack.heard_in(windows, {sink: made.reception}, {sink: made.due}, before),
            events=(*made.events, *made.reception.events),
            sent_at=(None,) * self.transmitters,
            whole=made.whole,
        )
