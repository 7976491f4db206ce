"""What radios read back must fit together: rates, and on one clock carriers too."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hil.captures import Capture
from hil.errors import RadioError
from hil.radios.bench import find_bench
from hil.radios.drivers.sim._driver import SimulatedRadio
from hil.radios.session import Bench
from hil.runs.config import SendConfig
from hil.runs.progress import Silent
from hil.runs.send import send_symbols
from tests.conftest import ROOT


@pytest.fixture
def read_back(monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[str, float]]:
    """Radio -> settings that it reads back otherwise than asked."""
    others: dict[str, dict[str, float]] = {}
    configure = SimulatedRadio.configure

    def odd(radio: SimulatedRadio, settings: Any) -> Any:
        return configure(radio, settings).replace(**others.get(radio.info.name, {}))

    monkeypatch.setattr(SimulatedRadio, "configure", odd)
    return others


@pytest.mark.parametrize(
    ("bench", "others", "message"),
    [
        ("independent", {"tx0": {"sample_rate_hz": 999_999.0}}, None),
        ("independent", {"tx0": {"center_freq_hz": 2.45e9 - 1}}, None),
        (
            "independent",
            {"tx0": {"center_freq_hz": 2.4500006e9}},
            "'tx0': 'center_freq_hz' 2450000000 comes to 2450000600 there",
        ),
        ("independent", {"tx0": {"sample_rate_hz": 999_998.0}}, "radio 'tx0': 'sample_rate_hz' 1000000 comes to 999998 there"),
        ("builtin", {name: {"sample_rate_hz": 999_999.0} for name in ("tx", "rx")}, None),
        ("builtin", {"tx": {"sample_rate_hz": 999_999.0}}, "999999 there and to 1000000 on 'rx', though they share a clock"),
        ("builtin", {name: {"center_freq_hz": 2.45e9 - 1} for name in ("tx", "rx")}, None),
        ("builtin", {"tx": {"center_freq_hz": 2.4500006e9}}, "radio 'tx': .* 2450000000 comes to 2450000600 there"),
        ("builtin", {"tx": {"center_freq_hz": 2.45e9 + 0.5}}, None),
        ("two-receivers", {"rx1": {"center_freq_hz": 2.4500006e9}}, "radio 'rx1': .* 2450000000 comes to 2450000600 there"),
    ],
)
def test_radios_that_do_not_fit_are_refused(
    read_back: dict[str, dict[str, float]], bench: str, others: dict[str, dict[str, float]], message: str | None
) -> None:
    read_back |= others
    config = find_bench(ROOT / "radios" / f"{bench}.toml")
    if message is None:
        with Bench(config) as opened:
            assert opened.sample_rate_hz == others.get("rx", {}).get("sample_rate_hz", 1e6)  # the true one
            assert opened.true_config.sample_rate_hz == opened.sample_rate_hz
            assert opened.true_config.center_freq_hz == others.get("rx", {}).get("center_freq_hz", 2.45e9)
            assert opened.true_config.radios == config.radios
        return
    with pytest.raises(RadioError, match=message):
        Bench(config)


def test_radios_with_a_coarse_synthesiser_on_one_clock_must_come_to_one_carrier(
    read_back: dict[str, dict[str, float]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """600 Hz apart, each within its own resolution: refused by name, with both values."""
    monkeypatch.setattr(SimulatedRadio, "info", property(lambda radio: replace(radio._info, carrier_resolution_hz=1000.0)))
    read_back |= {"tx": {"center_freq_hz": 2.4500006e9}}
    config = find_bench(ROOT / "radios" / "builtin.toml")
    with pytest.raises(RadioError, match=r"radio 'tx'.* 2450000600 there and to 2450000000 on 'rx', though they share a clock"):
        Bench(config)


def test_what_is_computed_from_a_rate_takes_the_one_read_back(read_back: dict[str, dict[str, float]], tmp_path: Path) -> None:
    """The capture's bench, and every receiver's configuration in it."""
    read_back |= {name: {"sample_rate_hz": 999_999.0, "center_freq_hz": 2.45e9 - 1} for name in ("tx", "rx")}
    symbols = np.exp(2j * np.pi * np.random.default_rng(2).random((1, 8, 16))).astype(np.complex64)
    config = find_bench(ROOT / "radios" / "builtin.toml")
    send_symbols(symbols, SendConfig(), config, capture=tmp_path / "capture.h5", report=Silent())
    with Capture.open(tmp_path / "capture.h5") as capture:
        assert capture.config["bench"]["sample_rate_hz"] == 999_999.0
        (point,) = [point.attrs for point in capture.points if point.attrs["kind"] == "point"]
        receiver = point["spec"]["receptions"][0]["receiver"]
        assert (receiver["sample_rate_hz"], receiver["center_freq_hz"]) == (999_999.0, 2.45e9 - 1)
        assert point["radios"]["rx"]["applied"]["sample_rate_hz"] == 999_999.0
