"""Bursts without time: what a receiver had kept from before is passed over."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from hil.radios.bench import BenchConfig
from hil.radios.contract import Radio, RadioInfo, RadioSettings, Range, Reception, StreamEvent
from hil.radios.rack import Rack
from hil.radios.untimed import untimed_burst


class Late(Radio):
    """A device without timed transmission whose samples, each its own number, have waited for a second."""

    def __init__(self) -> None:
        self.cursor, self.clock, self.sent_at = 0, 1_000_000, -1
        any_value = Range(low=0, high=1e10)
        self._info = RadioInfo(
            driver="late", name="sdr", serial="1", tx_channels=1, rx_channels=1, sample_rate_hz=any_value,
            center_freq_hz=any_value, tx_gain_db=any_value, rx_gain_db=any_value, tx_full_scale=2048, rx_full_scale=2048,
            hardware_time=True, start_jitter_s=0.001, virtual=True,
        )  # fmt: skip

    @classmethod
    def open(cls, name: str, bench: BenchConfig, shared: dict[str, Any]) -> "Late":
        return cls()

    @property
    def info(self) -> RadioInfo:
        return self._info

    def configure(self, settings: RadioSettings) -> RadioSettings:
        return settings

    def now(self) -> int:
        self.clock += 500
        return self.clock

    def transmit(self, samples: NDArray[Any], *, at: int | None = None, cyclic: bool = False) -> list[StreamEvent]:
        self.sent_at = self.now()
        return []

    def receive(self, n: int, *, at: int | None = None, timeout_s: float | None = None) -> Reception:
        start, self.cursor = self.cursor, self.cursor + n
        self.clock = max(self.clock, self.cursor)
        numbers = np.arange(start, start + n) % 32768
        return Reception(samples=np.stack([numbers, numbers], axis=-1).astype(np.int16)[None], start=start)

    def stop(self) -> None: ...

    def close(self) -> None: ...


@pytest.mark.parametrize("lead", [0, 400])
def test_a_burst_lies_inside_a_reception_that_began_long_before(lead: int) -> None:
    config = BenchConfig.model_validate(
        {
            "name": "late", "sample_rate_hz": 1e6, "center_freq_hz": 1e9, "clock": "shared",
            "radios": {"sdr": {"driver": "late"}},
            "transmitters": [{"radio": "sdr"}], "receiver": {"radio": "sdr"},
        }
    )  # fmt: skip
    radio = Late()
    rack = Rack(config, {"sdr": radio})
    rack.apply("sdr")
    got = untimed_burst(rack, {"sdr": np.ones((1, 3000), np.complex64)}, 3000, lead, 25_000)
    assert got.start <= radio.sent_at
    assert radio.sent_at + 3000 <= got.start + len(got.samples)
    assert (got.samples[:, 0] == np.arange(got.start, got.start + len(got.samples)) % 32768).all()
