"""The conformance suite of the Radio contract: inherit `RadioContract`, give it a loop, and pytest does the rest.

    class TestMyRadio(RadioContract):
        @pytest.fixture
        def loop(self):
            with open_my_bench() as bench:
                yield Loop(tx=bench.radios["tx"], rx=bench.radios["rx"], ...)

A loop is a transmitting and a receiving radio (they may be one), configured, joined by a cable or an air. What a driver says
that it cannot do (`RadioInfo`) it must refuse; nothing is skipped.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from hil.errors import RadioError, ShapeError
from hil.radios.contract import Radio, RadioSettings
from hil.radios.scaling import from_int16

__all__ = ["Loop", "RadioContract", "find_burst"]


@dataclass(frozen=True, kw_only=True)
class Loop:
    """Two configured radios and what lies between them.

    Attributes:
        tx: transmits on every channel of `tx_settings`; row 0 reaches the receiver.
        rx: receives on every channel of `rx_settings`; row 0 hears the transmitter.
        tx_settings: what `tx` was configured with; a full-scale tone must arrive well above the noise, unclipped.
        rx_settings: what `rx` was configured with.
        delay: samples from a timed transmission to its reception.
        cfo_hz: transmitter's carrier minus receiver's, where it is known to be large.
    """

    tx: Radio
    rx: Radio
    tx_settings: RadioSettings
    rx_settings: RadioSettings
    delay: float = 0.0
    cfo_hz: float = 0.0


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
        assert loop.tx.transmit(sent, at=at) == []
        timed: NDArray[np.int16] = loop.rx.receive(n, at=at + round(loop.delay)).samples[0]
        return timed
    jitter = int(loop.tx.info.start_jitter_s * loop.rx_settings.sample_rate_hz)
    begin = None if loop.rx.info.hardware_time else loop.rx.now()
    assert loop.tx.transmit(sent) == []
    heard: NDArray[np.int16] = loop.rx.receive(2 * n + jitter, at=begin).samples[0]
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

    def test_info_is_consistent(self, loop: Loop) -> None:
        """Full scales fit int16; timed transmission needs a clock; every default is one of the choices."""
        for radio in (loop.tx, loop.rx):
            info = radio.info
            assert 1 <= info.tx_full_scale <= 32768
            assert 1 <= info.rx_full_scale <= 32768
            assert info.hardware_time or not info.timed_transmit
            assert info.clock_sources
            assert info.time_sources
            assert "int16" in info.formats
            assert info.start_jitter_s >= 0

    def test_settings_are_read_back(self, loop: Loop) -> None:
        """What is applied lies on the device's grid and within a step of what was asked."""
        applied = loop.tx.configure(loop.tx_settings)
        assert applied.tx_channels == loop.tx_settings.tx_channels
        assert applied.sample_rate_hz == pytest.approx(loop.tx_settings.sample_rate_hz, rel=1e-3)
        assert applied.center_freq_hz == pytest.approx(loop.tx_settings.center_freq_hz, abs=10)
        allowed = loop.tx.info.tx_gain_db
        for asked, got in zip(loop.tx_settings.tx_gain_db, applied.tx_gain_db, strict=True):
            assert got in allowed
            assert abs(asked - got) <= max(allowed.step / 2, 0.5) + 1e-9
            if allowed.step:
                steps = (got - allowed.low) / allowed.step
                assert steps == pytest.approx(round(steps), abs=1e-6)

    def test_settings_outside_the_range_are_refused(self, loop: Loop) -> None:
        """An error names the radio and the setting; the old settings stay."""
        high = loop.tx.info.tx_gain_db.high + 10
        wrong = loop.tx_settings.replace(tx_gain_db=tuple(high for _ in loop.tx_settings.tx_channels))
        with pytest.raises(RadioError, match="tx_gain_db"):
            loop.tx.configure(wrong)
        with pytest.raises(RadioError, match="rx_channels"):
            loop.rx.configure(loop.rx_settings.replace(rx_channels=(99,), rx_gain_db=(loop.rx_settings.rx_gain_db[0],)))

    def test_gain_steps_act(self, loop: Loop) -> None:
        """6 dB less transmit gain is 6 dB less received, within 1 dB."""
        powers = []
        for drop in (0.0, 6.0):
            gains = (loop.tx_settings.tx_gain_db[0] - drop, *loop.tx_settings.tx_gain_db[1:])
            loop.tx.configure(loop.tx_settings.replace(tx_gain_db=gains))
            powers.append(_power(_hear(loop, _burst(loop, 4000))[500:3500]))
        assert 10 * np.log10(powers[0] / powers[1]) == pytest.approx(6.0, abs=1.0)

    def test_timed_burst_lands_on_its_sample(self, loop: Loop) -> None:
        """The correlation peak is where the time says, to half a sample; a radio without time refuses one."""
        if not loop.tx.info.timed_transmit:
            with pytest.raises(RadioError, match="timed"):
                loop.tx.transmit(_burst(loop), at=loop.tx.now() + 1000)
            return
        for _ in range(3):
            at = _soon(loop)
            sent = _burst(loop)
            assert loop.tx.transmit(sent, at=at) == []
            got = loop.rx.receive(3000, at=at - 400)
            position, quality = _locate(loop, got.samples[0], sent[0])
            assert quality > 8
            assert got.start + position == pytest.approx(at + loop.delay, abs=0.5)

    def test_immediate_burst_is_heard(self, loop: Loop) -> None:
        """Without a time it starts within the declared uncertainty."""
        sent = _burst(loop)
        loop.rx.receive(100)
        assert loop.tx.transmit(sent) == []
        n = len(sent[0]) + 2000 + int(loop.tx.info.start_jitter_s * loop.rx_settings.sample_rate_hz)
        got = loop.rx.receive(n)
        assert _locate(loop, got.samples[0], sent[0])[1] > 8

    def test_cyclic_buffer_repeats_until_stopped(self, loop: Loop) -> None:
        """Every repetition is heard; after `stop` there is silence. A radio that cannot repeat refuses to."""
        if not loop.tx.info.cyclic_transmit:
            with pytest.raises(RadioError, match="cyclic"):
                loop.tx.transmit(_burst(loop), cyclic=True)
            return
        sent = _burst(loop, 1000)
        quiet = _power(loop.rx.receive(4000).samples[0])
        assert loop.tx.transmit(sent, cyclic=True) == []
        settle = int(loop.tx.info.start_jitter_s * loop.rx_settings.sample_rate_hz) + 1000
        loop.rx.receive(settle)
        heard = from_int16(loop.rx.receive(5000).samples[0], loop.rx.info.rx_full_scale)
        first, second = heard[:2000], heard[1000:3000]
        assert abs(np.vdot(first, second)) / (np.linalg.norm(first) * np.linalg.norm(second)) > 0.9
        loop.tx.stop()
        loop.rx.receive(settle)
        assert _power(loop.rx.receive(4000).samples[0]) < 2 * quiet

    def test_receptions_are_contiguous(self, loop: Loop) -> None:
        """Reads of any size join without a hole, or say so."""
        got = [loop.rx.receive(n) for n in (1, 1000, 17, 4096, 20000)]
        for before, after in pairwise(got):
            assert before.start + before.samples.shape[1] == after.start or after.events
        assert all(reception.samples.dtype == np.int16 for reception in got)
        assert got[-1].samples.shape == (len(loop.rx_settings.rx_channels), 20000, 2)

    def test_ramp_keeps_its_order(self, loop: Loop) -> None:
        """A slow ramp arrives monotonous: no sample repeated, lost or swapped, I and Q in their places."""
        n = 4000
        sent = np.zeros((len(loop.tx_settings.tx_channels), n), np.complex64)
        sent[0] = 0.7 * np.exp(2j * np.pi * np.arange(n) ** 2 / (20 * n))  # a chirp, up to a tenth of the rate
        heard = from_int16(_hear(loop, sent)[200 : n - 200], loop.rx.info.rx_full_scale)
        turns = np.unwrap(np.angle(heard)) / (2 * np.pi)
        slope = np.diff(turns.reshape(-1, 100).mean(axis=1)) / 100
        expected = 2 * np.arange(250, n - 250, 100)[: len(slope)] / (20 * n)
        offset = slope - expected
        assert np.ptp(offset) < 0.01  # a carrier offset is a constant here; swapped I and Q would turn the sign

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
        assert [event.kind for event in events] == ["late"] * len(loop.tx_settings.tx_channels)
        assert events[0].position == at
        assert events[0].count == sent.shape[1]
        assert _locate(loop, loop.rx.receive(8000).samples[0], sent[0])[1] < 8

    def test_clipped_samples_are_counted(self, loop: Loop) -> None:
        """As many as were beyond full scale, no more; int16 in range is never clipped."""
        sent = _burst(loop, 1000, amplitude=0.25)
        sent[0, 100:107] = 1.5
        events = [event for event in loop.tx.transmit(sent) if event.kind == "clip"]
        assert [(event.channel, event.count) for event in events] == [(loop.tx_settings.tx_channels[0], 7)]
        codes = np.zeros((sent.shape[0], 1000, 2), np.int16)
        codes[0, :, 0] = int(loop.tx.info.tx_full_scale) - 1
        assert loop.tx.transmit(codes) == []

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
            loop.rx.receive(2000 + int(loop.tx.info.start_jitter_s * loop.rx_settings.sample_rate_hz))
            assert _power(loop.rx.receive(4000).samples[0]) < 2 * quiet
        loop.tx.close()
        with pytest.raises(RadioError, match="closed"):
            loop.tx.transmit(_burst(loop))
