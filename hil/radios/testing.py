"""The conformance suite of the Radio contract: inherit `RadioContract`, give it a loop, and pytest does the rest.

    class TestMyRadio(RadioContract):
        @pytest.fixture
        def loop(self):
            with open_my_bench() as bench:
                yield Loop(tx=bench.radios["tx"], rx=bench.radios["rx"], ...)

A loop is a transmitting and a receiving radio (they may be one), configured, joined by a cable or an air. What a driver says
that it cannot do (`RadioInfo`) it must refuse; nothing is skipped. A check that fails says what it saw; one that holds notes
its numbers as pytest's properties ("record_property"), which `hil radios test` prints.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from hil.errors import RadioError, ShapeError
from hil.radios.contract import Radio, RadioSettings
from hil.radios.scaling import from_int16

__all__ = ["Loop", "RadioContract", "find_burst"]

Note = Callable[[str, object], None]
_FOUND = 8  # peak over mean of a correlation in which the burst is; noise gives 4
_REPEATED = 0.9  # of the correlation of one repetition with the next


@dataclass(frozen=True, kw_only=True)
class Loop:
    """Two configured radios and what lies between them.

    Attributes:
        tx: transmits on every channel of `tx_settings`; row 0 reaches the receiver.
        rx: receives on every channel of `rx_settings`; row 0 hears the transmitter.
        tx_settings: what `tx` was configured with; a full-scale tone must arrive well above the noise, unclipped.
        rx_settings: what `rx` was configured with.
        delay: samples from a timed transmission to its reception, a constant: any up to 20 ms.
        cfo_hz: transmitter's carrier minus receiver's, where it is known to be large.
        anchor: device sample of the transmission that had this delay; where `cfo_hz` says that the clocks differ, later ones
            have another.
    """

    tx: Radio
    rx: Radio
    tx_settings: RadioSettings
    rx_settings: RadioSettings
    delay: float = 0.0
    cfo_hz: float = 0.0
    anchor: int = 0

    def late(self, at: int) -> float:
        """Samples from a transmission at a time to its reception."""
        return self.delay - (at - self.anchor) * self.cfo_hz / self.rx_settings.center_freq_hz


def _check(holds: bool, seen: str) -> None:
    """Fail with what was seen, where something does not hold."""
    if not holds:
        pytest.fail(seen, pytrace=False)


def _send(loop: Loop, sent: NDArray[np.complex64], *, at: int | None = None, cyclic: bool = False) -> None:
    """Transmit, where nothing may go wrong."""
    events = loop.tx.transmit(sent, at=at, cyclic=cyclic)
    _check(events == [], f"transmit() of {sent.shape[1]} samples told of {events}, and nothing was wrong with them")


def _uncertain(loop: Loop) -> int:
    """Samples after the call until an untimed burst is surely being received."""
    return math.ceil(loop.tx.info.start_jitter_s * loop.rx_settings.sample_rate_hz + loop.delay)


def _soon(loop: Loop) -> int:
    """A transmit time that every driver can meet."""
    ahead = 1000 if not loop.tx.info.clock_runs else int(0.1 * loop.tx_settings.sample_rate_hz)
    return max(loop.tx.now(), loop.rx.now()) + ahead


def _burst(loop: Loop, n: int = 1023, amplitude: float = 0.5) -> NDArray[np.complex64]:
    """Random QPSK at half the rate on row 0, silence on the others."""
    draw = np.random.default_rng(5)
    symbols = (draw.integers(0, 2, (n + 1) // 2) * 2 - 1) + 1j * (draw.integers(0, 2, (n + 1) // 2) * 2 - 1)
    out = np.zeros((len(loop.tx_settings.tx_channels), n), np.complex64)
    out[0] = (np.repeat(symbols, 2)[:n] * amplitude / np.sqrt(2)).astype(np.complex64)
    return out


def find_burst(
    received: NDArray[np.int16], sent: NDArray[np.complex64], full_scale: float, turns: float = 0.0
) -> tuple[float, float]:
    """Position of `sent` [n] in `received` [m, 2] by correlation, to a fraction of a sample, and the peak over the mean.

    `turns` is the carrier offset to take out first, cycles a sample.
    """
    heard = from_int16(received, full_scale)
    if turns:
        heard = heard * np.exp(-2j * np.pi * turns * np.arange(len(heard)))
    size = 1 << (len(heard) + len(sent)).bit_length()
    profile = np.abs(np.fft.ifft(np.fft.fft(heard, size) * np.conj(np.fft.fft(sent, size))))[: len(heard)]
    peak = int(profile.argmax())
    if not 0 < peak < len(profile) - 1:
        return float(peak), float(profile[peak] / profile.mean())
    left, mid, right = profile[peak - 1 : peak + 2]
    return peak + 0.5 * (right - left) / (2 * mid - left - right), float(mid / profile.mean())


def _locate(loop: Loop, received: NDArray[np.int16], sent: NDArray[np.complex64]) -> tuple[float, float]:
    """`find_burst` at the loop's carrier offset."""
    return find_burst(received, sent, loop.rx.info.rx_full_scale, loop.cfo_hz / loop.rx_settings.sample_rate_hz)


def _hear(loop: Loop, sent: NDArray[np.complex64]) -> NDArray[np.int16]:
    """Send a burst alone and return what was heard from its first sample on, int16 [n, 2]; timed where there is time."""
    n = sent.shape[1]
    if loop.tx.info.timed_transmit and loop.rx.info.hardware_time:
        at = _soon(loop)
        _send(loop, sent, at=at)
        timed: NDArray[np.int16] = loop.rx.receive(n, at=at + round(loop.late(at))).samples[0]
        return timed
    begin = None if loop.rx.info.hardware_time else loop.rx.now()
    _send(loop, sent)
    heard: NDArray[np.int16] = loop.rx.receive(2 * n + _uncertain(loop), at=begin).samples[0]
    loop.tx.stop()
    start = round(_locate(loop, heard, sent[0])[0])
    return heard[start : start + n]


def _power(received: NDArray[np.int16]) -> float:
    return float((received.astype(np.float64) ** 2).sum(axis=-1).mean())


class RadioContract:
    """Inherit, and define the fixture `loop`."""

    @pytest.fixture
    def loop(self) -> Loop:
        """A configured `Loop`; define it in the subclass."""
        raise NotImplementedError("define the fixture 'loop' in the subclass")

    def test_info_is_consistent(self, loop: Loop, record_property: Note) -> None:
        """Full scales fit int16; timed transmission needs a clock; every default is one of the choices."""
        for radio in (loop.tx, loop.rx):
            info = radio.info
            _check(1 <= info.tx_full_scale <= 32768, f"tx_full_scale is {info.tx_full_scale:g}, and int16 holds 1 … 32768")
            _check(1 <= info.rx_full_scale <= 32768, f"rx_full_scale is {info.rx_full_scale:g}, and int16 holds 1 … 32768")
            _check(info.hardware_time or not info.timed_transmit, "timed_transmit without hardware_time")
            _check(bool(info.clock_sources), "clock_sources is empty")
            _check(bool(info.time_sources), "time_sources is empty")
            _check("int16" in info.formats, f"formats are {info.formats}, without int16")
            _check(info.start_jitter_s >= 0, f"start_jitter_s is {info.start_jitter_s:g}")
        record_property("full scale", f"{loop.tx.info.tx_full_scale:g} sent, {loop.rx.info.rx_full_scale:g} received")

    def test_settings_are_read_back(self, loop: Loop, record_property: Note) -> None:
        """What is applied lies on the device's grid and within its resolution of what was asked."""
        applied, asked, info = loop.tx.configure(loop.tx_settings), loop.tx_settings, loop.tx.info
        _check(applied.tx_channels == asked.tx_channels, f"tx_channels are {applied.tx_channels}, not {asked.tx_channels}")
        rate, carrier = applied.sample_rate_hz, applied.center_freq_hz
        off_rate, off_carrier = abs(rate - asked.sample_rate_hz), abs(carrier - asked.center_freq_hz)
        _check(off_rate <= info.rate_resolution_hz, f"sample_rate_hz {asked.sample_rate_hz:.10g} reads back {rate:.10g}")
        _check(
            off_carrier <= info.carrier_resolution_hz, f"center_freq_hz {asked.center_freq_hz:.10g} reads back {carrier:.10g}"
        )
        allowed = info.tx_gain_db
        for wanted, got in zip(asked.tx_gain_db, applied.tx_gain_db, strict=True):
            _check(got in allowed, f"tx_gain_db reads back {got:g}, outside {allowed}")
            near = abs(wanted - got) <= max(allowed.step / 2, 0.5) + 1e-9
            _check(near, f"tx_gain_db {wanted:g} reads back {got:g}, more than half a step of {allowed.step:g} dB off")
            steps = (got - allowed.low) / allowed.step if allowed.step else 0.0
            _check(abs(steps - round(steps)) < 1e-6, f"tx_gain_db reads back {got:g}, {steps:g} steps above {allowed.low:g}")
        gains = ", ".join(f"{gain:g}" for gain in applied.tx_gain_db)
        record_property("read back", f"{rate:.10g} S/s, {carrier:.10g} Hz, {gains} dB")

    def test_settings_outside_the_range_are_refused(self, loop: Loop) -> None:
        """An error names the radio and the setting; the old settings stay."""
        high = loop.tx.info.tx_gain_db.high + 10
        wrong = loop.tx_settings.replace(tx_gain_db=tuple(high for _ in loop.tx_settings.tx_channels))
        with pytest.raises(RadioError, match="tx_gain_db"):
            loop.tx.configure(wrong)
        with pytest.raises(RadioError, match="rx_channels"):
            loop.rx.configure(loop.rx_settings.replace(rx_channels=(99,), rx_gain_db=(loop.rx_settings.rx_gain_db[0],)))

    def test_gain_steps_act(self, loop: Loop, record_property: Note) -> None:
        """6 dB less transmit gain is 6 dB less received, within 1 dB."""
        powers = []
        for drop in (0.0, 6.0):
            gains = (loop.tx_settings.tx_gain_db[0] - drop, *loop.tx_settings.tx_gain_db[1:])
            loop.tx.configure(loop.tx_settings.replace(tx_gain_db=gains))
            powers.append(_power(_hear(loop, _burst(loop, 4000))[500:3500]))
        step, full = 10 * np.log10(powers[0] / powers[1]), 20 * np.log10(loop.rx.info.rx_full_scale)
        levels = " and ".join(f"{10 * np.log10(power) - full:.1f}" for power in powers)
        _check(abs(step - 6.0) <= 1.0, f"6 dB less transmit gain is {step:.2f} dB less received ({levels} dBFS)")
        record_property("6 dB less", f"{step:.2f} dB less received ({levels} dBFS)")

    def test_timed_burst_lands_on_its_sample(self, loop: Loop, record_property: Note) -> None:
        """The correlation peak is where time and delay say, to half a sample; a radio without time refuses one."""
        if not loop.tx.info.timed_transmit:
            with pytest.raises(RadioError, match="timed"):
                loop.tx.transmit(_burst(loop), at=loop.tx.now() + 1000)
            record_property("timed", "refused: it has no time")
            return
        delays, wanted, rate = [], [], loop.rx_settings.sample_rate_hz
        for _ in range(3):
            at, sent = _soon(loop), _burst(loop)
            _send(loop, sent, at=at)
            wanted.append(loop.late(at))
            got = loop.rx.receive(3000, at=at + round(wanted[-1]) - 400)
            position, quality = _locate(loop, got.samples[0], sent[0])
            _check(quality > _FOUND, f"not heard around a delay of {wanted[-1]:.2f} samples: peak over mean {quality:.1f}")
            delays.append(got.start + position - at)
        off = max(abs(delay - late) for delay, late in zip(delays, wanted, strict=True))
        seen, expected = (", ".join(f"{late:.2f}" for late in those) for those in (delays, wanted))
        _check(off <= 0.5, f"delays of {seen} samples, where {expected} are expected: off by {off:.2f}")
        record_property("delay", f"{seen} samples ({delays[0] / rate * 1e3:.3f} ms), off by at most {off:.2f}")

    def test_immediate_burst_is_heard(self, loop: Loop, record_property: Note) -> None:
        """Without a time it starts within the declared uncertainty."""
        sent = _burst(loop)
        loop.rx.receive(100)
        _send(loop, sent)
        got = loop.rx.receive(len(sent[0]) + 2000 + _uncertain(loop))
        position, quality = _locate(loop, got.samples[0], sent[0])
        _check(quality > _FOUND, f"not heard in {got.samples.shape[1]} samples: peak over mean {quality:.1f}")
        record_property("heard", f"{position:.0f} samples into the reception, peak over mean {quality:.1f}")

    def test_cyclic_buffer_repeats_until_stopped(self, loop: Loop, record_property: Note) -> None:
        """Every repetition is heard; after `stop` there is silence. A radio that cannot repeat refuses to."""
        if not loop.tx.info.cyclic_transmit:
            with pytest.raises(RadioError, match="cyclic"):
                loop.tx.transmit(_burst(loop), cyclic=True)
            record_property("cyclic", "refused: it has no such buffer")
            return
        quiet = _power(loop.rx.receive(4000).samples[0])
        _send(loop, _burst(loop, 1000), cyclic=True)
        settle = 1000 + _uncertain(loop)
        loop.rx.receive(settle)
        heard = from_int16(loop.rx.receive(5000).samples[0], loop.rx.info.rx_full_scale)
        first, second = heard[:2000], heard[1000:3000]
        alike = float(abs(np.vdot(first, second)) / (np.linalg.norm(first) * np.linalg.norm(second)))
        _check(alike > _REPEATED, f"one repetition and the next correlate by {alike:.2f}, not above {_REPEATED:g}")
        loop.tx.stop()
        loop.rx.receive(settle)
        left = 10 * np.log10(_power(loop.rx.receive(4000).samples[0]) / quiet)
        _check(left < 3.0, f"after stop() {left:.1f} dB more is heard than before")
        record_property("repetitions", f"correlate by {alike:.3f}; after stop {left:+.1f} dB over the silence before")

    def test_receptions_are_contiguous(self, loop: Loop, record_property: Note) -> None:
        """Reads of any size join without a hole, or say so."""
        got = [loop.rx.receive(n) for n in (1, 1000, 17, 4096, 20000)]
        for before, after in pairwise(got):
            hole = after.start - before.start - before.samples.shape[1]
            _check(hole == 0 or bool(after.events), f"{hole} samples are missing before {after.start}, and no event says so")
        _check(all(reception.samples.dtype == np.int16 for reception in got), "samples are not int16")
        shape, wanted = got[-1].samples.shape, (len(loop.rx_settings.rx_channels), 20000, 2)
        _check(shape == wanted, f"20000 samples come as {list(shape)}, not {list(wanted)}")
        record_property("joined", f"{sum(reception.samples.shape[1] for reception in got)} samples in {len(got)} reads")

    def test_ramp_keeps_its_order(self, loop: Loop, record_property: Note) -> None:
        """A slow ramp arrives monotonous: no sample repeated, lost or swapped, I and Q in their places."""
        n = 4000
        sent = np.zeros((len(loop.tx_settings.tx_channels), n), np.complex64)
        sent[0] = 0.7 * np.exp(2j * np.pi * np.arange(n) ** 2 / (20 * n))  # a chirp, up to a tenth of the rate
        heard = from_int16(_hear(loop, sent)[200 : n - 200], loop.rx.info.rx_full_scale)
        turns = np.unwrap(np.angle(heard)) / (2 * np.pi)
        slope = np.diff(turns.reshape(-1, 100).mean(axis=1)) / 100
        expected = 2 * np.arange(250, n - 250, 100)[: len(slope)] / (20 * n)
        spread = float(np.ptp(slope - expected))  # a carrier offset is a constant here; swapped I and Q would turn the sign
        _check(spread < 0.01, f"the chirp's frequency is off by up to {spread:.4f} of the rate, not below 0.01")
        record_property("chirp", f"off by at most {spread:.5f} of the rate")

    def test_late_transmission_is_reported_and_not_sent(self, loop: Loop) -> None:
        """A time in the past gives one event per channel with its position; a radio without time refuses any."""
        if not loop.tx.info.timed_transmit:
            with pytest.raises(RadioError, match="timed"):
                loop.tx.transmit(_burst(loop), at=loop.tx.now() + 1000)
            return
        loop.rx.receive(5000)
        at = loop.tx.now() - 1000
        sent = _burst(loop)
        events = loop.tx.transmit(sent, at=at)
        told = [(event.kind, event.position, event.count) for event in events]
        wanted = [("late", at, sent.shape[1])] * len(loop.tx_settings.tx_channels)
        _check(told == wanted, f"a burst 1000 samples in the past is told of as {told}, not {wanted}")
        quality = _locate(loop, loop.rx.receive(8000 + round(loop.delay)).samples[0], sent[0])[1]
        _check(quality < _FOUND, f"a late burst was sent all the same: peak over mean {quality:.1f}")

    def test_clipped_samples_are_counted(self, loop: Loop) -> None:
        """As many as were beyond full scale, no more; int16 in range is never clipped."""
        sent = _burst(loop, 1000, amplitude=0.25)
        sent[0, 100:107] = 1.5
        told = [(event.channel, event.count) for event in loop.tx.transmit(sent) if event.kind == "clip"]
        wanted = [(loop.tx_settings.tx_channels[0], 7)]
        _check(told == wanted, f"7 samples beyond full scale are told of as (channel, count) {told}, not {wanted}")
        codes = np.zeros((sent.shape[0], 1000, 2), np.int16)
        codes[0, :, 0] = int(loop.tx.info.tx_full_scale) - 1
        events = loop.tx.transmit(codes)
        _check(events == [], f"codes within full scale are told of as {events}")

    def test_wrong_samples_are_refused(self, loop: Loop) -> None:
        """Shape, type, NaN: an error before any sample leaves."""
        rows = len(loop.tx_settings.tx_channels)
        for wrong in (
            np.zeros((rows + 1, 10), np.complex64),
            np.zeros((rows, 0), np.complex64),
            np.zeros((rows, 10), np.float32),
            np.full((rows, 10), np.nan, np.complex64),
        ):
            with pytest.raises(ShapeError, match="samples"):
                loop.tx.transmit(wrong)

    def test_close_stops_the_transmitter(self, loop: Loop) -> None:
        """After `close` there is silence, a second `close` is harmless, and use is an error."""
        quiet = _power(loop.rx.receive(4000).samples[0])
        loop.tx.transmit(_burst(loop), cyclic=loop.tx.info.cyclic_transmit)
        loop.tx.close()
        if loop.tx is not loop.rx:
            loop.rx.receive(2000 + _uncertain(loop))
            left = 10 * np.log10(_power(loop.rx.receive(4000).samples[0]) / quiet)
            _check(left < 3.0, f"after close() {left:.1f} dB more is heard than before")
        loop.tx.close()
        with pytest.raises(RadioError, match="closed"):
            loop.tx.transmit(_burst(loop))
