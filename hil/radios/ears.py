"""The receivers of a bench alone, for whoever only listens: nothing here can transmit."""

from __future__ import annotations

import math
import time
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Self

from hil.errors import RadioError
from hil.radios.bench import BenchConfig
from hil.radios.burst import Heard
from hil.radios.card import is_simulated
from hil.radios.contract import Radio, RadioSettings, StreamEvent
from hil.radios.rack import Rack
from hil.radios.silence import close_at_exit
from hil.radios.untimed import listen
from hil.radios.virtual.ensure import ensure_air
from hil.registry import DRIVERS

__all__ = ["Ears"]

BEHIND_S = 0.5
"""What is older is not read on with."""


class Ears:
    """The receiving radios of a bench, opened, with no transmit channel in use; a context manager.

    Radios that only transmit stay closed, so that somebody else may use them (simulated ones share an air, and are all there).

    Args:
        config: the bench.

    Raises:
        RadioError: a radio cannot be opened or configured.
    """

    def __init__(self, config: BenchConfig) -> None:
        self._radios: dict[str, Radio] = {}
        self._processes = ExitStack()
        self._read_at: dict[str, float] = {}
        try:
            if config.virtual_radios:
                config = self._processes.enter_context(ensure_air(config))
            self.config = config
            self._rack = Rack(config.model_copy(update={"transmitters": ()}), self._radios)
            shared: dict[str, Any] = {"consent": False}
            for name, radio in config.radios.items():
                if name in self._rack.sinks or is_simulated(radio.driver):
                    self._radios[name] = DRIVERS.load(radio.driver).open(name, config, shared)
            for name in self._rack.sinks:
                self._rack.apply(name)
        except BaseException:
            self.close()
            raise
        close_at_exit(self)

    @property
    def receivers(self) -> tuple[str, ...]:
        """Their names, in the bench's order."""
        return tuple(end.name for end in self.config.receivers)

    @property
    def applied(self) -> dict[str, RadioSettings]:
        """What each receiving radio read back."""
        return dict(self._rack.applied)

    def rate_hz(self, receiver: str) -> float:
        """As its radio read it back."""
        return self._rack.applied[self._rack.receiver(receiver).radio].sample_rate_hz

    def carrier_hz(self, receiver: str) -> float:
        """As its radio read it back."""
        return self._rack.applied[self._rack.receiver(receiver).radio].center_freq_hz

    def full_scale(self, receiver: str) -> float:
        """int16 value of its full scale."""
        return self._radios[self._rack.receiver(receiver).radio].info.rx_full_scale

    def paced(self, receiver: str) -> bool:
        """Whether its time goes on by itself."""
        return self._radios[self._rack.receiver(receiver).radio].info.clock_runs

    def read(self, receiver: str, n: int) -> tuple[Heard, tuple[StreamEvent, ...]]:
        """The next n samples of one receiver, and what happened to them.

        They follow those before where the radio streams, unless that was too long ago: what is old is passed over then.

        Raises:
            RadioError: no such receiver, or its radio does not deliver.
        """
        if n < 1:
            raise RadioError(f"Argument 'n' must be at least 1, not {n}.")
        end = self._rack.receiver(receiver)
        radio = self._radios[end.radio]
        before = self._read_at.get(end.radio)
        if before is None or (radio.info.clock_runs and time.monotonic() - before > BEHIND_S):
            got = listen(self._rack, n)[end.radio]
        else:
            got = radio.receive(n, timeout_s=self._rack.deadline_s(n))
        behind = radio.now() - got.start - got.samples.shape[1] > BEHIND_S * self._rack.rate_hz
        self._read_at[end.radio] = -math.inf if radio.info.clock_runs and behind else time.monotonic()
        own = tuple(event for event in got.events if event.channel == end.channel)
        return Heard(samples=got.samples[self._rack.row(end)], start=got.start), own

    def close(self) -> None:
        """Close every radio."""
        try:
            if self._radios:
                self._rack.each(lambda radio: radio.close())
        finally:
            self._processes.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()
