"""The conformance suite on the simulated radio, shared and independent clocks, and with its capabilities taken away."""

from collections.abc import Iterator

import pytest

from hil.radios.bench import BenchConfig
from hil.radios.session import Bench
from hil.radios.testing import Loop, RadioContract


def make_config(*, ppm: tuple[float, float] = (0.0, 0.0), **options: object) -> BenchConfig:
    """One transmitter, one receiver, 60 dB apart."""
    return BenchConfig.model_validate(
        {
            "name": "loop",
            "sample_rate_hz": 1e6,
            "center_freq_hz": 1e9,
            "clock": "independent" if any(ppm) else "shared",
            "radios": {
                "tx": {"driver": "sim", "tx_channels": 2, "rx_channels": 0, "ppm": ppm[0], **options},
                "rx": {"driver": "sim", "tx_channels": 0, "ppm": ppm[1], **options},
            },
            "transmitters": [{"radio": "tx", "channel": 0, "gain_db": -20}, {"radio": "tx", "channel": 1, "gain_db": -20}],
            "receiver": {"radio": "rx", "gain_db": 60},
            "links": [
                {"transmitter": 0, "path_loss_db": 60, "delay_s": 1.3e-6},
                {"transmitter": 1, "path_loss_db": 60},
            ],
        }
    )


def open_loop(config: BenchConfig) -> Iterator[Loop]:
    """A loop over transmitter 0."""
    with Bench(config) as bench:
        yield Loop(
            tx=bench.radios["tx"],
            rx=bench.radios["rx"],
            tx_settings=bench.settings("tx"),
            rx_settings=bench.settings("rx"),
            delay=1.3,
        )


class TestSimulatedRadio(RadioContract):
    @pytest.fixture
    def loop(self) -> Iterator[Loop]:
        yield from open_loop(make_config())


class TestIndependentOscillators(RadioContract):
    @pytest.fixture
    def loop(self) -> Iterator[Loop]:
        yield from open_loop(make_config(ppm=(0.05, -0.03)))


class TestUntimedRadio(RadioContract):
    @pytest.fixture
    def loop(self) -> Iterator[Loop]:
        yield from open_loop(make_config(timed=False))
