"""The conformance suite on a bench's own radio, for `hil radios test`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from hil.errors import RadioError
from hil.radios.bench import BenchConfig
from hil.radios.probe import PROBE_SAMPLES, find_probe, make_probe
from hil.radios.scaling import from_int16
from hil.radios.session import Bench
from hil.radios.testing import Loop, RadioContract
from hil.radios.windows import SEARCH_S

__all__ = ["Check", "Conformance", "TestRadio", "run_conformance"]

_PROBES = 3
_AHEAD_S = 0.2  # notice for a timed probe
_EDGE = 1000  # samples around what is expected
_SHARED_CFO_HZ = 2000.0  # looked for even where radios share a clock


@dataclass(frozen=True, kw_only=True)
class Check:
    """One check of the suite: its name, whether it passed, what it measured, and why it failed ("" where it did not)."""

    name: str
    ok: bool
    measured: dict[str, str]
    why: str


@dataclass(frozen=True, kw_only=True)
class Conformance:
    """What the suite found.

    Attributes:
        passed: every check did.
        delay: of the chain, samples; 0 of radios without time.
        checks: in the order in which they ran.
    """

    passed: bool
    delay: float
    checks: tuple[Check, ...]


@dataclass(frozen=True)
class _Subject:
    """What is tested, and the delay of its chain in samples."""

    config: BenchConfig
    radio: str
    transmit: bool
    delay: float


_SUBJECT = pytest.StashKey[_Subject]()


class _Plugin:
    """Hands the bench to the suite, and tells a person what every check sees while it runs."""

    def __init__(self, subject: _Subject) -> None:
        self._subject = subject
        self.checks: list[Check] = []
        self._name = ""
        self._broken: list[str] = []

    def pytest_configure(self, config: pytest.Config) -> None:
        """Called by pytest before it collects."""
        config.stash[_SUBJECT] = self._subject

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """A check begins."""
        self._broken = []
        self._name = nodeid.rpartition("::test_")[2].replace("_", " ")
        print(f"  {self._name} … ", end="", flush=True)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A part of a check is over; the last one is the tidying."""
        if report.failed:
            self._broken.append(_told(report))
        if report.when != "teardown":
            return
        why = "; ".join(self._broken)
        measured = {name: str(value) for name, value in report.user_properties}
        self.checks.append(Check(name=self._name, ok=not why, measured=measured, why=why))
        if why:
            print(f"FAILED: {why}", flush=True)
            return
        numbers = "; ".join(f"{name}: {value}" for name, value in measured.items())
        print("ok" + (f" ({numbers})" if numbers else ""), flush=True)

    def pytest_sessionfinish(self) -> None:
        """All checks are over."""
        failed = sum(not one.ok for one in self.checks)
        print(f"{len(self.checks) - failed} passed" + (f", {failed} failed" if failed else ""), flush=True)


def _told(report: pytest.TestReport) -> str:
    """What went wrong, without the traceback."""
    crash = getattr(report.longrepr, "reprcrash", None)
    text = crash.message if crash is not None else str(report.longrepr)
    kind, _, rest = text.partition(": ")
    return (rest if kind.rpartition(".")[2] == "Failed" or kind.startswith("hil.errors.") else text).strip()


class TestRadio(RadioContract):
    """The suite on the bench's radio."""

    @pytest.fixture
    def loop(self, request: pytest.FixtureRequest) -> Iterator[Loop]:
        """A fresh session for each test."""
        subject = request.config.stash[_SUBJECT]
        with Bench(subject.config, transmit=subject.transmit) as bench:
            yield _loop(bench, subject.radio, subject.delay)


def _loop(bench: Bench, radio: str, delay: float = 0.0) -> Loop:
    """The bench's radio and receiver; on clocks of their own, with the carrier offset and the delay of this moment."""
    receiver = bench.config.receiver.radio
    loop = Loop(
        tx=bench.radios[radio],
        rx=bench.radios[receiver],
        tx_settings=bench.settings(radio),
        rx_settings=bench.settings(receiver),
        delay=delay,
    )
    if bench.config.clock == "shared":
        return loop
    found = _probe(loop, 1, shared=False)
    return replace(loop, cfo_hz=found.cfo_hz, delay=found.late, anchor=found.at)


def _constant_delay(bench: Bench, radio: str) -> float:
    """The chain's delay in samples, by probes at their times; 0 of radios without time.

    Raises:
        RadioError: the transmitter is not heard, or its delay is no constant.
    """
    loop, shared = _loop(bench, radio), bench.config.clock == "shared"
    if not (loop.tx.info.timed_transmit and loop.rx.info.hardware_time):
        return 0.0
    found = [_probe(loop, number, shared=shared) for number in range(1, _PROBES + 1)]
    delays = [one.late - loop.late(one.at) + loop.delay for one in found]  # as if the clocks ran alike
    rate, spread = loop.rx_settings.sample_rate_hz, max(delays) - min(delays)
    seen = ", ".join(f"{delay:.2f}" for delay in delays)
    if spread > 0.5 or not -_EDGE / 2 < min(delays) <= SEARCH_S * rate + 1:
        raise RadioError(
            f"from radio '{radio}' to '{loop.rx.info.name}' {_PROBES} timed probes took {seen} samples: "
            f"a chain may delay by a constant, up to {SEARCH_S * 1e3:g} ms"
        )
    delay = float(np.mean(delays))
    print(
        f"the chain delays {delay:.2f} samples ({delay / rate * 1e3:.3f} ms), {_PROBES} probes within {spread:.2f}", flush=True
    )
    return delay


@dataclass(frozen=True)
class _Found:
    """A probe: when it was sent, how late it came in samples (0 for radios without time), and its carrier offset."""

    at: int
    late: float
    cfo_hz: float


def _probe(loop: Loop, number: int, *, shared: bool) -> _Found:
    """Send a probe and find it.

    Raises:
        RadioError: it was not heard.
    """
    rate = loop.rx_settings.sample_rate_hz
    sent = np.zeros((len(loop.tx_settings.tx_channels), PROBE_SAMPLES), np.complex64)
    sent[0] = make_probe(number)
    late = int(SEARCH_S * rate)
    if loop.tx.info.timed_transmit and loop.rx.info.hardware_time:
        ahead = int(_AHEAD_S * rate) if loop.tx.info.clock_runs else 2 * _EDGE
        at = max(loop.tx.now(), loop.rx.now()) + ahead
        loop.tx.transmit(sent, at=at)
        got = loop.rx.receive(PROBE_SAMPLES + 2 * _EDGE + late, at=at - _EDGE)
    else:
        begin, at = loop.rx.now(), None
        loop.tx.transmit(sent)
        n = 4 * PROBE_SAMPLES + late + int((loop.tx.info.start_jitter_s + 0.1) * rate)
        got = loop.rx.receive(n, at=begin)
        loop.tx.stop()
        if not loop.rx.info.hardware_time:
            loop.rx.receive(1, at=loop.rx.now())  # what follows goes on from now
    heard = from_int16(got.samples[0], loop.rx.info.rx_full_scale)
    found = find_probe(heard, number, rate, _SHARED_CFO_HZ if shared else 50e-6 * loop.rx_settings.center_freq_hz)
    if found is None:
        power = float(np.mean(np.abs(heard) ** 2)) if len(heard) else 0.0
        raise RadioError(
            f"radio '{loop.tx.info.name}' was not heard by '{loop.rx.info.name}' in {len(heard)} samples at "
            f"{10 * np.log10(max(power, 1e-12)):.1f} dBFS; check cable, gains and attenuation"
        )
    if at is None:
        return _Found(0, 0.0, found.cfo_hz)
    return _Found(at, got.start + found.position - at, found.cfo_hz)


def run_conformance(config: BenchConfig, radio: str, *, transmit: bool) -> Conformance:
    """Run the suite and print, for each check, its name and what it saw.

    Raises:
        RadioError: the receiver does not hear the radio, or its chain's delay is no constant up to 20 ms.
    """
    from hil.radios.virtual.ensure import ensure_air

    with ensure_air(config) as served:
        running = served.model_copy(update={"air": served.air.model_copy(update={"control_port": 0})})
        with Bench(running, transmit=transmit) as bench:
            delay = _constant_delay(bench, radio)
        arguments = ["-s", "-p", "no:terminal", "-p", "no:cacheprovider", "-W", "ignore", "--rootdir", "/", "-c", os.devnull]
        here = str(Path(__file__)) + "::TestRadio"
        plugin = _Plugin(_Subject(running, radio, transmit, delay))
        code = int(pytest.main([*arguments, here], plugins=[plugin]))
    return Conformance(passed=code == 0, delay=delay, checks=tuple(plugin.checks))
