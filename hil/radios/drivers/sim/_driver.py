"""The simulated radio: the whole Radio contract on the simulated air. Not paced in real time."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hil.channel.frontend import quantisation_noise
from hil.channel.noise import BLOCK, uniform
from hil.channel.oscillator import PhaseNoise, tune_phase
from hil.errors import ConfigError, RadioError, RadioNotFoundError, ShapeError
from hil.radios.air import GUARD, Air, Port, Transmission
from hil.radios.bench import BenchConfig, SimRadioConfig
from hil.radios.card import is_simulated
from hil.radios.contract import Radio, RadioInfo, RadioSettings, Range, Reception, StreamEvent, check_settings
from hil.radios.converters import at_antenna, digitise, full_scale_power, thermal_noise_mw
from hil.radios.scaling import to_int16
from hil.units import db_to_power

__all__ = ["SimulatedRadio", "thermal_noise_mw"]

_FOREVER = 1 << 60
_KEPT = 8  # finished blocks


class SimulatedRadio(Radio):
    """One radio on an `Air`.

    Device time counts the radio's own samples from the start of the air. Transmissions keep the gain they were sent with;
    a changed receive gain holds from the next reception on. A reception may reach back `Air.history` samples.
    """

    def __init__(self, name: str, air: Air, config: SimRadioConfig) -> None:
        self._name, self._air, self._config = name, air, config
        self._settings: RadioSettings | None = None
        self._closed = False
        self._cursor = 0
        self._tunes = 0
        self._starts = 0
        self._ready: OrderedDict[tuple[int, int], tuple[object, Tensor, Tensor]] = OrderedDict()
        self._info = _info(name, config, air.sample_rate_hz)
        self.tx_ports = self._ports("tx", config.tx_channels)
        self.rx_ports = self._ports("rx", config.rx_channels)

    @classmethod
    def open(cls, name: str, bench: BenchConfig, shared: dict[str, Any]) -> SimulatedRadio:
        """Open radio `name`; the first of a session makes the air, the last lays the links.

        Raises:
            RadioNotFoundError: the bench has no such radio.
            ConfigError: it is not simulated, or a transmitter uses a channel that it lacks.
        """
        if name not in bench.radios:
            raise RadioNotFoundError(f"no radio named '{name}' in bench '{bench.name}'; it has {', '.join(bench.radios)}")
        config = bench.radios[name].sim
        air = shared.setdefault("air", Air(sample_rate_hz=bench.sample_rate_hz, seed=bench.seed))
        radio = cls(name, air, config)
        radios: dict[str, SimulatedRadio] = shared.setdefault("simulated", {})
        radios[name] = radio
        if len(radios) == sum(is_simulated(entry.driver) for entry in bench.radios.values()):
            _lay_links(bench, radios, air)
        return radio

    def _ports(self, side: str, channels: int) -> list[Port]:
        """The channels of one direction; they share a synthesiser."""
        config, air = self._config, self._air
        synthesiser = PhaseNoise(
            kind=config.phase_noise,
            seed=air.seed,
            stream=f"{self._name}/{side}",
            sample_rate_hz=air.sample_rate_hz,
            rms_deg=config.phase_noise_deg,
            loop_bandwidth_hz=config.loop_bandwidth_hz,
            linewidth_hz=config.linewidth_hz,
        )
        return [
            Port(name=f"{self._name}/{side}{channel}", ppm=config.ppm, synthesiser=synthesiser) for channel in range(channels)
        ]

    @property
    def info(self) -> RadioInfo:
        """What it can do."""
        return self._info

    @property
    def config(self) -> SimRadioConfig:
        """Its options."""
        return self._config

    @property
    def air(self) -> Air:
        """The medium it is on."""
        return self._air

    def configure(self, settings: RadioSettings) -> RadioSettings:
        """Apply settings; gains go to the grid. A new rate or carrier is a new tune: every phase is drawn anew."""
        self._open_or_raise()
        check_settings(self._info, settings)
        applied = settings.replace(
            tx_gain_db=tuple(self._info.tx_gain_db.nearest(gain) for gain in settings.tx_gain_db),
            rx_gain_db=tuple(self._info.rx_gain_db.nearest(gain) for gain in settings.rx_gain_db),
            bandwidth_hz=settings.sample_rate_hz,
            clock_source=settings.clock_source or self._info.clock_sources[0],
            time_source=settings.time_source or self._info.time_sources[0],
            tx_antenna=None,
            rx_antenna=None,
            lo_offset_hz=0.0,
        )
        old = self._settings
        if old is None or old.center_freq_hz != applied.center_freq_hz:
            for port in (*self.tx_ports, *self.rx_ports):
                port.center_freq_hz = applied.center_freq_hz
                port.phase = tune_phase(self._air.seed, port.name, self._tunes)
            self._tunes += 1
            self._ready.clear()
        self._settings = applied
        return applied

    def now(self) -> int:
        """Device time: the first sample that no radio of the air has heard yet."""
        return self._air.device_time(self._config.ppm)

    def transmit(self, samples: NDArray[Any], *, at: int | None = None, cyclic: bool = False) -> list[StreamEvent]:
        """Put samples on the air; see the contract."""
        settings = self._configured()
        codes, clipped = to_int16(samples, self._info.tx_full_scale)
        if codes.ndim != 3 or codes.shape[0] != len(settings.tx_channels) or codes.shape[1] == 0:
            raise ShapeError(
                f"Argument 'samples' must be [{len(settings.tx_channels)} channels, n] with n ≥ 1, not {list(samples.shape)}."
            )
        if at is not None and not self._config.timed:
            raise RadioError(f"radio '{self._name}' has no timed transmission; leave out 'at'")
        if cyclic and not self._config.cyclic:
            raise RadioError(f"radio '{self._name}' has no cyclic buffer; leave out 'cyclic'")
        earliest = self._air.device_time(self._config.ppm, GUARD)
        n = codes.shape[1]
        start = at if at is not None else earliest + self._jitter()
        if start < earliest:
            return [self._event("late", channel, start, n) for channel in settings.tx_channels]
        events = []
        for row, channel in enumerate(settings.tx_channels):
            if clipped[row]:
                events.append(self._event("clip", channel, start, int(clipped[row])))
            if not codes[row].any() and not any(self._config.tx_dc_offset):
                continue
            port = self.tx_ports[channel]
            self._air.send(
                Transmission(
                    port=port,
                    start=start,
                    samples=at_antenna(codes[row], self._config, settings.tx_gain_db[row]),
                    end=_FOREVER if cyclic else start + n,
                    center_freq_hz=settings.center_freq_hz,
                    phase=port.phase,
                    clock=port.clock,
                )
            )
        return events

    def receive(self, n: int, *, at: int | None = None, timeout_s: float | None = None) -> Reception:
        """Receive n samples; see the contract. The deadline cannot pass: air time is computed, not awaited."""
        settings = self._configured()
        if n < 0 or not settings.rx_channels:
            raise RadioError(f"radio '{self._name}': cannot receive {n} samples on channels {settings.rx_channels}")
        events: list[StreamEvent] = []
        start = self._cursor if at is None else at
        if start < self._cursor:
            events = [self._event("late", channel, start, n) for channel in settings.rx_channels]
            return Reception(samples=np.zeros((len(settings.rx_channels), 0, 2), np.int16), start=start, events=tuple(events))
        lost = self.now() - self._air.history - start
        if lost > 0:
            events = [self._event("overflow", channel, start, lost) for channel in settings.rx_channels]
            start += lost
        samples = np.empty((len(settings.rx_channels), n, 2), np.int16)
        if self.deaf:
            samples[:] = 0
        for row, channel in enumerate(settings.rx_channels if not self.deaf else ()):
            clips, where = self._read(row, channel, start, n, samples[row])
            if clips:
                events.append(self._event("clip", channel, where, clips))
        self._cursor = start + n
        self._air.advance(self._config.ppm, self._cursor)
        return Reception(samples=samples, start=start, events=tuple(events))

    def stop(self) -> None:
        """Silence the transmitter."""
        for port in self.tx_ports:
            self._air.silence(port)

    def close(self) -> None:
        """Silence the transmitter and leave the air."""
        if not self._closed:
            self.stop()
            self._closed = True
            self._ready.clear()

    def noise_power(self) -> float:
        """Thermal noise at the antenna over the whole sample rate (mW)."""
        return thermal_noise_mw(self._air.sample_rate_hz, self._config.noise_figure_db)

    def quantisation_power(self, rx_gain_db: float) -> float:
        """The converter's rounding noise referred to the antenna (mW)."""
        return quantisation_noise(self._config.adc_bits) * float(db_to_power(self._config.rx_full_scale_dbm - rx_gain_db))

    def full_scale_power(self, tx_gain_db: float) -> float:
        """Power of a full-scale tone at the antenna (mW)."""
        return full_scale_power(self._config, tx_gain_db)

    def _read(self, row: int, channel: int, start: int, n: int, out: NDArray[np.int16]) -> tuple[int, int]:
        """Fill out [n, 2]; the number of clipped samples and the first one's position."""
        clips, where, done = 0, start, 0
        while done < n:
            index, offset = divmod(start + done, BLOCK)
            take = min(BLOCK - offset, n - done)
            codes, clipped = self._block(row, channel, index)
            out[done : done + take] = codes[offset : offset + take].numpy()
            beyond = clipped[offset : offset + take]
            count = int(beyond.sum())
            if count and not clips:
                where = start + done + int(beyond.to(torch.uint8).argmax())
            clips += count
            done += take
        return clips, where

    def _block(self, row: int, channel: int, index: int) -> tuple[Tensor, Tensor]:
        settings = self._configured()
        gain_db = settings.rx_gain_db[row]
        state = (self._air.version, gain_db)
        known = self._ready.get((channel, index))
        if known is not None and known[0] == state:
            return known[1], known[2]
        heard = self._air.block(self.rx_ports[channel], index, self.noise_power())
        codes, clipped = digitise(heard, self._config, gain_db)
        self._ready[channel, index] = (state, codes, clipped)
        if len(self._ready) > _KEPT * len(self.rx_ports):
            self._ready.popitem(last=False)
        return codes, clipped

    def _jitter(self) -> int:
        self._starts += 1
        longest = self._config.start_jitter_s * self._air.sample_rate_hz
        return int(uniform(self._air.seed, f"{self._name}/start", self._starts) * longest)

    def _event(self, kind: Any, channel: int, position: int, count: int) -> StreamEvent:
        return StreamEvent(kind=kind, radio=self._name, channel=channel, position=position, count=count)

    def _open_or_raise(self) -> None:
        if self._closed:
            raise RadioError(f"radio '{self._name}' is closed; open the bench again")

    def _configured(self) -> RadioSettings:
        self._open_or_raise()
        if self._settings is None:
            raise RadioError(f"radio '{self._name}' is not configured; call configure() first")
        return self._settings


def _info(name: str, config: SimRadioConfig, sample_rate_hz: float) -> RadioInfo:
    return RadioInfo(
        driver="sim",
        name=name,
        serial=f"sim-{name}",
        tx_channels=config.tx_channels,
        rx_channels=config.rx_channels,
        sample_rate_hz=Range(low=sample_rate_hz, high=sample_rate_hz),
        center_freq_hz=Range(low=1e6, high=6e9),
        tx_gain_db=Range(low=config.tx_gain_range_db[0], high=config.tx_gain_range_db[1], step=config.gain_step_db),
        rx_gain_db=Range(low=config.rx_gain_range_db[0], high=config.rx_gain_range_db[1], step=config.gain_step_db),
        tx_full_scale=float(1 << (config.dac_bits - 1)),
        rx_full_scale=float(1 << (config.adc_bits - 1)),
        hardware_time=config.timed,
        timed_transmit=config.timed,
        cyclic_transmit=config.cyclic,
        start_jitter_s=config.start_jitter_s,
        clock_runs=False,
        clock_sources=("internal", "external"),
        time_sources=("none", "external"),
        virtual=True,
    )


def _lay_links(bench: BenchConfig, radios: dict[str, SimulatedRadio], air: Air) -> None:
    def port(side: str, ports: list[Port], radio: str, channel: int) -> Port:
        if channel >= len(ports):
            raise ConfigError(f"bench '{bench.name}': radio '{radio}' has {len(ports)} {side} channels, no channel {channel}")
        return ports[channel]

    for link in bench.links:
        source, sink = bench.transmitters[link.transmitter], bench.receiver_named(link.receiver)
        if source.radio in radios and sink.radio in radios:  # a real radio hears no simulated air
            sender = port("tx", radios[source.radio].tx_ports, source.radio, source.channel)
            air.connect(sender, port("rx", radios[sink.radio].rx_ports, sink.radio, sink.channel), link)
