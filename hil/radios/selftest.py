"""The conformance suite on a bench's own radio, for `hil radios test`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from hil.errors import RadioError
from hil.radios.bench import BenchConfig
from hil.radios.probe import PROBE_SAMPLES, find_probe, make_probe
from hil.radios.scaling import from_int16
from hil.radios.session import Bench
from hil.radios.testing import Loop, RadioContract

__all__ = ["TestRadio", "run_conformance"]


_SUBJECT = pytest.StashKey[tuple[BenchConfig, str, bool]]()


class _Plugin:
    """Hands the bench to the suite."""

    def __init__(self, config: BenchConfig, radio: str, transmit: bool) -> None:
        self._subject = (config, radio, transmit)

    def pytest_configure(self, config: pytest.Config) -> None:
        """Called by pytest before it collects."""
        config.stash[_SUBJECT] = self._subject


class TestRadio(RadioContract):
    """The suite on the bench's radio."""

    @pytest.fixture
    def loop(self, request: pytest.FixtureRequest) -> Iterator[Loop]:
        """A fresh session for each test."""
        config, radio, transmit = request.config.stash[_SUBJECT]
        with Bench(config, transmit=transmit) as bench:
            receiver = config.receiver.radio
            loop = Loop(
                tx=bench.radios[radio],
                rx=bench.radios[receiver],
                tx_settings=bench.settings(radio),
                rx_settings=bench.settings(receiver),
                delay=_delay(config, radio),
            )
            yield loop if config.clock == "shared" else replace(loop, cfo_hz=_measure_cfo(loop))


def _delay(config: BenchConfig, radio: str) -> float:
    mine = [tx for tx, end in enumerate(config.transmitters) if end.radio == radio]
    links = [link for link in config.links if link.transmitter in mine and link.receiver in (None, config.receiver.name)]
    return links[0].delay_s * config.sample_rate_hz if links else 0.0


def _measure_cfo(loop: Loop) -> float:
    rate = loop.rx_settings.sample_rate_hz
    sent = np.zeros((len(loop.tx_settings.tx_channels), PROBE_SAMPLES), np.complex64)
    sent[0] = make_probe(1)
    begin = loop.rx.now()
    loop.tx.transmit(sent)
    n = 4 * PROBE_SAMPLES + int((loop.tx.info.start_jitter_s + 0.1) * rate)
    heard = from_int16(loop.rx.receive(n, at=begin).samples[0], loop.rx.info.rx_full_scale)
    loop.tx.stop()
    if not loop.rx.info.hardware_time:
        loop.rx.receive(1, at=loop.rx.now())  # what follows goes on from now
    found = find_probe(heard, 1, rate, 50e-6 * loop.rx_settings.center_freq_hz)
    if found is None:
        raise RadioError(
            f"radio '{loop.tx.info.name}' was not heard by '{loop.rx.info.name}'; check cable, gains and attenuation"
        )
    return found.cfo_hz


def run_conformance(config: BenchConfig, radio: str, *, transmit: bool) -> int:
    """Run the suite, printing as pytest does; its exit code, 0 = passed."""
    from hil.radios.virtual.ensure import ensure_air

    with ensure_air(config) as served:
        running = served.model_copy(update={"air": served.air.model_copy(update={"control_port": 0})})
        arguments = [
            "-q",
            "-p",
            "no:cacheprovider",
            "-W",
            "ignore",
            "--rootdir",
            "/",
            "-c",
            "/dev/null",
            __file__ + "::TestRadio",
        ]
        return int(pytest.main(arguments, plugins=[_Plugin(running, radio, transmit)]))
