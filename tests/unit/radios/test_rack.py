"""What radios read back must fit together: rates, and on one clock carriers too."""

from typing import Any

import pytest

from hil.errors import RadioError
from hil.radios.bench import find_bench
from hil.radios.drivers.sim._driver import SimulatedRadio
from hil.radios.session import Bench
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
        ("independent", {"tx0": {"center_freq_hz": 2.4500006e9}}, None),  # a modem looks for its offset there
        ("independent", {"tx0": {"sample_rate_hz": 999_998.0}}, "radio 'tx0': 'sample_rate_hz' 1e\\+06 comes to 999998 there"),
        ("builtin", {name: {"sample_rate_hz": 999_999.0} for name in ("tx", "rx")}, None),
        ("builtin", {"tx": {"sample_rate_hz": 999_999.0}}, "999999 there and to 1000000 on 'rx', though they share a clock"),
        ("builtin", {name: {"center_freq_hz": 2.4500006e9} for name in ("tx", "rx")}, None),
        ("builtin", {"tx": {"center_freq_hz": 2.4500006e9}}, "2450000600 there and to 2450000000 on 'rx'.*share a clock"),
        ("builtin", {"tx": {"center_freq_hz": 2.45e9 + 0.5}}, None),
        ("two-receivers", {"rx1": {"center_freq_hz": 2.4500006e9}}, "radio 'rx1'.*to 2450000000 on 'rx0'"),
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
        return
    with pytest.raises(RadioError, match=message):
        Bench(config)
