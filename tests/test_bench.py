"""Bench files: looked up, checked, and the limits that a real transmitter needs."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hil.errors import ConfigError, TransmitRefusedError
from hil.home import find
from hil.radios import session
from hil.radios.bench import BenchConfig, LimitsConfig, check_transmit, find_bench, load_bench
from hil.radios.contract import RadioInfo, RadioSettings, Range
from hil.radios.session import Bench

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.parametrize("name", ["builtin", "independent", "rayleigh"])
def test_shipped_benches_load_by_name(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_bench(name).name == name
    mine = tmp_path / "home" / "radios" / f"{name}.toml"
    mine.parent.mkdir(parents=True)
    mine.write_text((ROOT / "radios" / f"{name}.toml").read_text().replace(f'name = "{name}"', 'name = "mine"'))
    assert find_bench(name, home=tmp_path / "home").name == "mine"
    assert find("radios", mine, ".toml") == mine


def test_a_missing_bench_lists_where_it_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nothing\.toml.*HIL_HOME"):
        find_bench("nothing", home=tmp_path)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("radios.tx.colour", "red", "colour"),
        ("colour", "red", "unknown key 'colour'"),
        ("radios.tx.ppm", 3.0, "ppm"),
        ("receiver.radio", "nobody", "nobody"),
        ("links", [], "links"),
        ("gap_s", [2.0, 1.0], "gap_s"),
        ("limits.max_tx_gain_db", -40.0, "max_tx_gain_db"),
    ],
)
def test_wrong_benches_are_refused_by_name(key: str, value: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_bench(ROOT / "radios" / "builtin.toml", {key: value})


REAL = RadioInfo(
    driver="x", name="tx", serial="1", tx_channels=1, rx_channels=1,
    sample_rate_hz=Range(low=1e5, high=1e7), center_freq_hz=Range(low=1e6, high=6e9),
    tx_gain_db=Range(low=0, high=60), rx_gain_db=Range(low=0, high=60), tx_full_scale=32768, rx_full_scale=32768,
)  # fmt: skip
LIMITS: dict[str, Any] = {
    "freq_ranges_hz": [[2.4e9, 2.48e9]], "max_tx_gain_db": 30.0, "max_tx_dbm": 10.0, "max_rx_dbm": -15.0,
    "min_path_loss_db": 40.0,
}  # fmt: skip


@pytest.mark.parametrize(
    ("consent", "change", "message"),
    [
        (False, {}, "--transmit"),
        (True, {"freq_ranges_hz": []}, "freq_ranges_hz"),
        (True, {"freq_ranges_hz": [[5e9, 6e9]]}, "outside limits"),
        (True, {"max_tx_dbm": None}, "max_tx_dbm"),
        (True, {"max_rx_dbm": None}, "max_rx_dbm"),
        (True, {"min_path_loss_db": 30.0}, "attenuation"),
    ],
)
def test_real_transmitters_need_consent_and_limits(consent: bool, change: dict[str, Any], message: str) -> None:
    config = load_bench(ROOT / "radios" / "builtin.toml").model_copy(
        update={"limits": LimitsConfig.model_validate({**LIMITS, **change})}
    )
    with pytest.raises(TransmitRefusedError, match=message):
        check_transmit(config, REAL, consent)


def test_a_real_transmitter_inside_its_limits_may_send() -> None:
    config = load_bench(ROOT / "radios" / "builtin.toml").model_copy(update={"limits": LimitsConfig.model_validate(LIMITS)})
    check_transmit(config, REAL, consent=True)


def test_settings_are_plain_data() -> None:
    settings = RadioSettings(sample_rate_hz=1e6, center_freq_hz=1e9, tx_channels=(0,), tx_gain_db=(1.0,))
    assert settings.replace(tx_gain_db=(2.0,)).tx_gain_db == (2.0,)
    assert json.loads(json.dumps(settings.to_dict()))["tx_channels"] == [0]
    assert (
        BenchConfig.model_validate(find_bench(ROOT / "radios" / "builtin.toml").model_dump()).radios["tx"].sim.tx_channels == 2
    )


def test_duty_is_kept_between_bursts_of_real_radios(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        clock[0] += seconds

    monkeypatch.setattr(session.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(session.time, "sleep", sleep)
    limits = {**LIMITS, "max_duty": 0.1, "max_burst_s": 0.005}
    overrides = {f"limits.{key}": value for key, value in limits.items()}
    with Bench(load_bench(ROOT / "radios" / "builtin.toml", overrides), transmit=True) as air:
        monkeypatch.setattr(type(air.radios["tx"]), "info", property(lambda radio: replace(radio._info, virtual=False)))
        for _ in range(2):
            air.burst(np.full((2, 4000), 0.1, np.complex64))
        assert waits == pytest.approx([0.0, 0.04])
        with pytest.raises(TransmitRefusedError, match="max_burst_s"):
            air.burst(np.full((2, 6000), 0.1, np.complex64))
    with (
        Bench(load_bench(ROOT / "radios" / "builtin.toml", overrides)) as air,
        pytest.raises(TransmitRefusedError, match="--transmit"),
    ):
        air.burst(np.full((2, 4000), 0.1, np.complex64))
