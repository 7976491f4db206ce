"""One virtual radio as a protocol server sees it: ports on the air, tuning and gains, a tick clock, samples in and out."""

from __future__ import annotations

import math
from collections import Counter, OrderedDict
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from hil.channel.noise import BLOCK, awgn
from hil.channel.oscillator import PhaseNoise, tune_phase
from hil.radios.air import Air, Port, Transmission
from hil.radios.airconfig import FaultConfig, VirtualConfig
from hil.radios.bench import BenchConfig
from hil.radios.converters import at_antenna, digitise, thermal_noise_mw
from hil.radios.virtual.address import serial_of
from hil.radios.virtual.clock import QUANTUM, AirClock
from hil.radios.virtual.faults import Faults
from hil.radios.virtual.ramp import ramp
from hil.radios.virtual.truthlog import TruthLog
from hil.units import ppm

__all__ = ["Side", "Surroundings", "VirtualRadio"]

Side = Literal["tx", "rx"]
_KEPT = 8  # finished receive blocks a channel
_NEAR = 1e-4  # between rates that are meant to be one: a device's clock tree need not come to the very rate asked for


class Surroundings(Protocol):
    """What a radio sees of the world that it is in.

    Attributes:
        bench: that is served.
        sample_rate_hz: of the air.
        air: the medium.
        clock: its time.
        truth: the log of what really happened.
        played: air time up to which every DAC has been served.
        ready: air time before which everything on the air is known.
    """

    bench: BenchConfig
    sample_rate_hz: float
    air: Air
    clock: AirClock
    truth: TruthLog
    played: int
    ready: int


@dataclass(eq=False)
class _Piece:
    """Samples on their way to the DAC, contiguous and under one setting."""

    start: int
    codes: list[NDArray[np.int16]]
    end: int
    setting: tuple[float, float, float, float]  # rate, carrier, phase, gain


class VirtualRadio:
    """One radio of the air. All its times are **ticks**: its own samples since the air began, at its own (wrong) clock.

    A server calls, from the air's one thread:

    - `tune`, `set_gain`, `set_rate` when the host changes a setting; they hold for samples transmitted or received after;
    - `tick()` for what the device's time register shows; `played` is the first tick that the DAC has not reached;
    - `transmit(channel, start, codes)` in `ProtocolServer.play`, with `start` ≥ `played` of the step before (that is, for ticks
      of this step or later), pieces of any size in order of time;
    - `receivable` and `receive(channel, start, n)` in `ProtocolServer.capture`, for `start + n` ≤ `receivable`;
    - `silence(channel)` when a stream is destroyed or a connection is lost;
    - `count(...)` for everything that the status shows, and `faults` for what shall go wrong.

    A rate that is not the air's, to 100 ppm, is served with receiver noise only, and its transmissions are counted but not
    heard.

    Attributes:
        name: in the bench.
        config: what it is like.
        serial: of the device.
        counters: of samples and losses.
        faults: armed for this radio.
        clients: descriptions of who is connected (the server keeps it up to date).
        sample_rate_hz: nominal, as tuned by the host.
    """

    def __init__(self, name: str, config: VirtualConfig, world: Surroundings) -> None:
        self.name, self.config, self.world = name, config, world
        self.serial = serial_of(name, world.bench.radios[name]) or name
        self.counters: Counter[str] = Counter()
        self.clients: list[str] = []
        self.sample_rate_hz = world.sample_rate_hz
        self.faults = Faults(world.sample_rate_hz, lambda: world.clock.now, self._note_fault)
        self._tunes: Counter[Side] = Counter()
        self._gain: dict[tuple[Side, int], float] = {}
        self._pieces: dict[int, list[_Piece]] = {}
        self._runs: dict[int, tuple[int, int]] = {}
        self._ready: OrderedDict[tuple[int, int], tuple[object, NDArray[np.int16], int]] = OrderedDict()
        self.ports: dict[Side, list[Port]] = {
            "tx": self._ports("tx", config.tx_channels),
            "rx": self._ports("rx", config.rx_channels),
        }
        self.set_rate(world.sample_rate_hz + config.rate_error_hz)

    @property
    def tx_full_scale(self) -> int:
        """DAC code of amplitude 1.0; `transmit` takes codes of `config.dac_bits` bits, LSB-aligned."""
        return 1 << (self.config.dac_bits - 1)

    @property
    def rx_full_scale(self) -> int:
        """ADC code of amplitude 1.0; `receive` gives codes of `config.adc_bits` bits, LSB-aligned."""
        return 1 << (self.config.adc_bits - 1)

    def tune(self, side: Side, freq_hz: float) -> None:
        """Set the LO of one direction (nominal Hz); a new frequency draws a new phase."""
        if all(port.center_freq_hz == freq_hz for port in self.ports[side]):
            return
        self._tunes[side] += 1
        for port in self.ports[side]:
            port.center_freq_hz = freq_hz
            port.phase = tune_phase(self.world.air.seed, port.name, self._tunes[side])
        self._ready.clear()

    def set_gain(self, side: Side, channel: int, gain_db: float) -> None:
        """Set a gain in the units of `VirtualConfig` (0 dB: full scale is `tx_full_scale_dbm`, `rx_full_scale_dbm`)."""
        self._gain[side, channel] = gain_db

    def gain_db(self, side: Side, channel: int) -> float:
        """The gain of a channel, as the host set it; one that never sent is silent."""
        return self._gain.get((side, channel), -200.0 if side == "tx" else 0.0)

    def set_rate(self, sample_rate_hz: float) -> None:
        """Change the sample rate. A tick is air time × rate, so all ticks are renumbered: start streams anew after it."""
        if sample_rate_hz == self.sample_rate_hz:
            return
        for channel in range(self.config.tx_channels):
            self.silence(channel)
        self.commit(everything=True)
        self.sample_rate_hz = sample_rate_hz
        for port in (*self.ports["tx"], *self.ports["rx"]):
            port.rate = sample_rate_hz / self.world.sample_rate_hz if self.on_grid else 1.0
        self._ready.clear()

    @property
    def on_grid(self) -> bool:
        """Whether its rate is the air's, or all but that, so that it can be heard."""
        return self._near(self.sample_rate_hz)

    def _near(self, rate_hz: float) -> bool:
        return abs(rate_hz / self.world.sample_rate_hz - 1) < _NEAR

    def tick(self) -> int:
        """The time register: ticks now."""
        return int(self.tick_at(self.world.clock.reading()))

    @property
    def played(self) -> int:
        """First tick that the DAC has not reached at the last finished step."""
        return math.ceil(self.tick_at(self.world.clock.now) - 1e-6)

    @property
    def receivable(self) -> int:
        """First tick that cannot be received yet; whole blocks."""
        tick = self.tick_at(self.world.ready)
        return math.floor(tick) if self.config.source == "ramp" else math.floor(tick / BLOCK) * BLOCK

    def tick_at(self, air: float) -> float:
        """The radio's own time at an air sample."""
        return air * self._scale

    def air_at(self, tick: float) -> int:
        """The air sample at one of the radio's ticks."""
        return round(tick / self._scale)

    @property
    def _scale(self) -> float:
        return self.sample_rate_hz / self.world.sample_rate_hz * (1 + ppm(self.config.ppm))

    def transmit(self, channel: int, start: int, codes: NDArray[np.int16]) -> None:
        """Hand samples to the DAC.

        Args:
            channel: of the radio.
            start: tick of the first one; not before what the DAC has passed.
            codes: int16 [n, 2], of `config.dac_bits` bits; kept by reference.

        Raises:
            ValueError: the time has passed: the server should have reported lateness.
        """
        if start < math.ceil(self.tick_at(self.world.played) - 1e-6):
            raise ValueError(f"radio '{self.name}': tick {start} has been played, the DAC is at {self.played}")
        n = len(codes)
        if not n:
            return
        port = self.ports["tx"][channel]
        setting = (self.sample_rate_hz, port.center_freq_hz, port.phase, self.gain_db("tx", channel))
        pieces = self._pieces.setdefault(channel, [])
        if pieces and pieces[-1].end == start and pieces[-1].setting == setting:
            pieces[-1].codes.append(codes)
            pieces[-1].end += n
        else:
            pieces.append(_Piece(start, [codes], start + n, setting))
        self.counters["tx_samples"] += n
        self._track(channel, start, n)

    def silence(self, channel: int) -> None:
        """Drop what was handed over and has not been played."""
        now = self.played
        kept = []
        for piece in self._pieces.get(channel, []):
            if piece.start < now:
                joined = np.concatenate(piece.codes)[: now - piece.start]
                kept.append(_Piece(piece.start, [joined], piece.start + len(joined), piece.setting))
        self._pieces[channel] = kept

    def receive(self, channel: int, start: int, n: int) -> NDArray[np.int16]:
        """Samples [start, start + n) of the ADC: int16 [n, 2] codes of `config.adc_bits` bits. Deterministic in the ticks.

        Raises:
            ValueError: beyond `receivable`, or further back than the air's history.
        """
        if start + n > self.receivable:
            raise ValueError(f"radio '{self.name}': ticks up to {start + n} asked for, {self.receivable} are receivable")
        self.counters["rx_samples"] += n
        if self.config.source == "ramp":
            return ramp(start, n, self.config.adc_bits)
        out = np.empty((n, 2), np.int16)
        done = 0
        while done < n:
            index, offset = divmod(start + done, BLOCK)
            take = min(BLOCK - offset, n - done)
            codes, clips = self._block(channel, index)
            out[done : done + take] = codes[offset : offset + take]
            self.counters["rx_clipped"] += clips if take == BLOCK else 0
            done += take
        return out

    def count(self, event: str, tick: int, n: int, **more: Any) -> None:
        """Note that something happened to n samples (`lost`, `underflow`, `late`, `buffer`, …): counters and truth log."""
        self.counters[event] += n
        self.world.truth.note(event, self.name, self.air_at(tick), tick=tick, n=n, **more)

    def status(self) -> dict[str, Any]:
        """For `hil air --status`: JSON types only."""
        return {
            "driver": self.world.bench.radios[self.name].driver,
            "serial": self.serial,
            "rate_hz": self.sample_rate_hz,
            "tx_freq_hz": [port.center_freq_hz for port in self.ports["tx"]],
            "rx_freq_hz": [port.center_freq_hz for port in self.ports["rx"]],
            "gain_db": {f"{side}{channel}": gain for (side, channel), gain in self._gain.items()},
            "tick": self.played,
            "clients": list(self.clients),
            "transmitting": any(self._pieces.values()) or any(end >= self.played - QUANTUM for _, end in self._runs.values()),
            "counters": dict(self.counters),
            "faults": self.faults.pending(),
        }

    def commit(self, *, everything: bool = False) -> None:
        """The world's: put what the DAC has reached on the air, cut on the radio's absolute grid of QUANTUM ticks."""
        horizon = (1 << 62) if everything else self.committed
        for channel, pieces in self._pieces.items():
            while pieces and pieces[0].start < horizon:
                piece = pieces[0]
                if piece.end <= horizon:
                    pieces.pop(0)
                    self._send(channel, piece, np.concatenate(piece.codes))
                    continue
                joined = np.concatenate(piece.codes)
                cut = horizon - piece.start
                self._send(channel, piece, joined[:cut])
                pieces[0] = _Piece(horizon, [joined[cut:]], piece.end, piece.setting)
        for channel, (start, end) in list(self._runs.items()):
            if end < horizon:
                self._end_run(channel, start, end)

    @property
    def committed(self) -> int:
        """Everything before this tick is on the air: the last multiple of QUANTUM that has been played."""
        return math.floor(self.tick_at(self.world.clock.now) / QUANTUM + 1e-9) * QUANTUM

    def _send(self, channel: int, piece: _Piece, codes: NDArray[np.int16]) -> None:
        port = self.ports["tx"][channel]
        rate, freq_hz, phase, gain_db = piece.setting
        if not self._near(rate):
            return
        leaks = any(self.config.tx_dc_offset)
        for begin in range(-(piece.start % QUANTUM), len(codes), QUANTUM):
            part = codes[max(begin, 0) : begin + QUANTUM]
            if not part.any() and not leaks:
                continue
            start = piece.start + max(begin, 0)
            self.world.air.send(
                Transmission(
                    port=port,
                    start=start,
                    samples=at_antenna(np.ascontiguousarray(part), self.config, gain_db),
                    end=start + len(part),
                    center_freq_hz=freq_hz,
                    phase=phase,
                    clock=rate / self.world.sample_rate_hz * (1 + ppm(self.config.ppm)),
                )
            )

    def _block(self, channel: int, index: int) -> tuple[NDArray[np.int16], int]:
        gain_db = self.gain_db("rx", channel)
        known = self._ready.get((channel, index))
        if known is not None and known[0] == gain_db:
            return known[1], known[2]
        noise_mw = thermal_noise_mw(self.sample_rate_hz, self.config.noise_figure_db)
        port = self.ports["rx"][channel]
        if self.on_grid:
            heard = self.world.air.block(port, index, noise_mw)
        else:
            heard = awgn(self.world.air.seed, f"{port.name}/off-grid", index, noise_mw)
        codes, clipped = digitise(heard, self.config, gain_db)
        made = codes.numpy(), int(clipped.sum())
        self._ready[channel, index] = (gain_db, *made)
        if len(self._ready) > _KEPT * len(self.ports["rx"]):
            self._ready.popitem(last=False)
        return made

    def _track(self, channel: int, start: int, n: int) -> None:
        run = self._runs.get(channel)
        if run is not None and run[1] == start:
            self._runs[channel] = (run[0], start + n)
            return
        if run is not None:
            self._end_run(channel, *run)
        self._runs[channel] = (start, start + n)

    def _end_run(self, channel: int, start: int, end: int) -> None:
        del self._runs[channel]
        self.world.truth.note("transmit", self.name, self.air_at(start), tick=start, channel=channel, n=end - start)

    def _note_fault(self, fault: FaultConfig) -> None:
        self.counters[f"fault_{fault.kind}"] += 1
        self.world.truth.note("fault", self.name, self.world.clock.now, kind=fault.kind)

    def _ports(self, side: Side, channels: int) -> list[Port]:
        """The channels of one direction; they share a synthesiser."""
        config, air = self.config, self.world.air
        synthesiser = PhaseNoise(
            kind=config.phase_noise,
            seed=air.seed,
            stream=f"{self.name}/{side}",
            sample_rate_hz=air.sample_rate_hz,
            rms_deg=config.phase_noise_deg,
            loop_bandwidth_hz=config.loop_bandwidth_hz,
            linewidth_hz=config.linewidth_hz,
        )
        return [Port(name=f"{self.name}/{side}{k}", ppm=config.ppm, synthesiser=synthesiser) for k in range(channels)]
