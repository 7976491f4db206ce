"""The air process's world: the air, its radios and their servers, and the one thread that owns air time.

A step of air time is QUANTUM samples: the clock moves on; every server plays; the radios put what was played on the air, cut
on an absolute grid; every server captures what can be heard now. Between steps sockets are served. A receiver's samples are
therefore pure functions of what was transmitted at which tick, however the host's packets arrived (docs/decisions/0002).
"""

from __future__ import annotations

import importlib
import traceback
from collections.abc import Callable
from pathlib import Path

import numpy as np

from hil.errors import ConfigError, RadioError
from hil.radios.air import Air, Port, Transmission
from hil.radios.airconfig import FaultConfig, VirtualConfig
from hil.radios.bench import BenchConfig
from hil.radios.card import driver_card
from hil.radios.converters import at_antenna, digitise
from hil.radios.virtual.address import is_loopback
from hil.radios.virtual.clock import QUANTUM, AirClock
from hil.radios.virtual.radio import Side, VirtualRadio
from hil.radios.virtual.server import ProtocolServer, Sockets
from hil.radios.virtual.truthlog import TruthLog
from hil.registry import DRIVERS

__all__ = ["World", "protocol"]

_MARGIN = 256  # air samples: interpolation kernels reach ahead, and clocks differ


def protocol(driver: str) -> type[ProtocolServer]:
    """The server class for a driver's devices.

    Raises:
        ConfigError: there is none.
    """
    card = driver_card(driver)
    if not card.server:
        served = [name for name in DRIVERS.builtin if driver_card(name).server]
        raise ConfigError(f"driver '{driver}' has no virtual device; there are: {', '.join(served)}")
    module, _, name = card.server.partition(":")
    server: type[ProtocolServer] = getattr(importlib.import_module(module), name)
    return server


class World:
    """Everything on one air.

    Args:
        bench: with at least one virtual radio.
        truth: file of the truth log; None = memory only.
        exposed: serve on other addresses than loopback too, because the operator said so.

    Attributes:
        air: the medium.
        clock: its time.
        played: air time up to which every DAC has been served.
        ready: air time before which everything on the air is known.
        radios: by name.
        servers: by name.

    Raises:
        ConfigError: no virtual radio, an address that is not loopback, or a transmitter without such a channel.
        RadioError: an address is taken.
    """

    def __init__(self, bench: BenchConfig, *, truth: Path | None = None, exposed: bool = False) -> None:
        if not bench.virtual_radios:
            raise ConfigError(f"bench '{bench.name}' has no virtual radio: give a radio a 'virtual' table")
        self.bench = bench
        self.sample_rate_hz = bench.sample_rate_hz
        self.air = Air(sample_rate_hz=bench.sample_rate_hz, seed=bench.seed)
        self.clock = AirClock(bench.sample_rate_hz, bench.air.pace)
        self.truth = TruthLog(truth)
        self.sockets = Sockets()
        self.played = 0
        self.ready = 0
        self.steps = 0
        self.radios: dict[str, VirtualRadio] = {}
        self.servers: dict[str, ProtocolServer] = {}
        try:
            for name, config in bench.virtual_radios.items():
                self._add(name, config, exposed)
            self._lay_links(self.air)
            self._warm_up()
            self.clock = AirClock(bench.sample_rate_hz, bench.air.pace)  # its time begins when all is ready
        except BaseException:
            self.close()
            raise
        for fault in bench.air.faults:
            self.arm(fault)

    def arm(self, fault: FaultConfig) -> None:
        """Arm a fault.

        Raises:
            RadioError: no such radio.
        """
        if fault.radio not in self.radios:
            raise RadioError(f"no virtual radio named '{fault.radio}'; there are: {', '.join(self.radios)}")
        self.radios[fault.radio].faults.arm(fault)

    def run(self, stopped: Callable[[], bool]) -> None:
        """Serve until `stopped` says so; it is asked several times a second."""
        while not stopped():
            waiting = any(server.waiting() for server in self.servers.values())
            if self.clock.due(waiting):
                self.step()
                self.sockets.serve(0.0)
            else:
                self.sockets.serve(min(self.clock.wait_s(), 0.1))

    def step(self) -> None:
        """One quantum of air time."""
        self.clock.step()
        for name, server in self.servers.items():
            self._guard(name, server.play)
        self.played = self.clock.now
        for radio in self.radios.values():
            radio.commit()
        self.ready = max(self.ready, min(radio.air_at(radio.committed) for radio in self.radios.values()) - _MARGIN)
        self.air.advance(0.0, self.ready)
        for name, server in self.servers.items():
            self._guard(name, server.capture)
        self.steps += 1
        if self.steps % 64 == 0:
            self.truth.flush()

    def close(self) -> None:
        """Drop every client and close every socket."""
        for server in self.servers.values():
            server.close()
        self.sockets.close()
        self.truth.close()

    def _guard(self, name: str, call: Callable[[], None]) -> None:
        """Call into a server; a bug of one radio's server restarts that radio, and the others go on."""
        try:
            call()
        except Exception:
            traceback.print_exc()
            radio = self.radios[name]
            radio.count("internal", radio.played, 1)
            for channel in range(radio.config.tx_channels):
                radio.silence(channel)
            self.servers[name].reset()

    def _add(self, name: str, config: VirtualConfig, exposed: bool) -> None:
        if not exposed and not is_loopback(config.host):
            raise ConfigError(
                f"radio '{name}': 'virtual.host' {config.host} is not loopback; give --expose to serve it to the network"
            )
        radio = self.radios[name] = VirtualRadio(name, config, self)
        sides: tuple[Side, Side] = ("tx", "rx")
        for side in sides:
            radio.tune(side, self.bench.center_freq_hz + config.carrier_error_hz)
        sockets = self.sockets.guarded(lambda call: self._guard(name, call))
        server = protocol(self.bench.radios[name].driver)(radio, sockets)
        if self.bench.air.pace == "stepped" and not server.steppable:
            raise ConfigError(
                f"radio '{name}' waits for time to pass, which 'air.pace' \"stepped\" never lets; use another pace"
            )
        try:
            server.listen(config.host, config.port)
        except OSError as err:
            raise RadioError(f"radio '{name}': cannot serve on {config.host}:{config.port or ''}: {err.strerror}") from err
        self.servers[name] = server

    def _warm_up(self) -> None:
        """Load, and on a new machine compile, what a block of air needs: clients take such a pause for a lost device."""
        scratch = Air(sample_rate_hz=self.sample_rate_hz, seed=self.bench.seed)
        self._lay_links(scratch)
        codes = np.full((QUANTUM, 2), 1, np.int16)
        for tx, rx in scratch.links:
            sender, receiver = (self.radios[port.name.partition("/")[0]].config for port in (tx, rx))
            samples = at_antenna(codes, sender, 0.0)
            scratch.send(
                Transmission(
                    port=tx,
                    start=0,
                    samples=samples,
                    end=QUANTUM,
                    center_freq_hz=tx.center_freq_hz + 1.0,
                    phase=tx.phase,
                    clock=tx.clock,
                )
            )
            digitise(scratch.block(rx, 0, 1e-12), receiver, 0.0)

    def _lay_links(self, air: Air) -> None:
        bench = self.bench
        for link in bench.links:
            source, sink = bench.transmitters[link.transmitter], bench.receiver_named(link.receiver)
            if source.radio in self.radios and sink.radio in self.radios:  # a real radio hears no simulated air
                ports = self._port("tx", source.radio, source.channel), self._port("rx", sink.radio, sink.channel)
                air.connect(*ports, link)

    def _port(self, side: Side, radio: str, channel: int) -> Port:
        ports = self.radios[radio].ports[side]
        if channel >= len(ports):
            raise ConfigError(
                f"bench '{self.bench.name}': radio '{radio}' has {len(ports)} {side} channels, no channel {channel}"
            )
        return ports[channel]
