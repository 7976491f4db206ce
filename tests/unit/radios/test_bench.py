"""Bench files: looked up, checked, and the limits that a real transmitter needs."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hil.errors import ConfigError, TransmitRefusedError
from hil.places import find
from hil.radios import limits as limits_module
from hil.radios.bench import BenchConfig, LimitsConfig, find_bench, load_bench
from hil.radios.contract import RadioInfo, RadioSettings, Range
from hil.radios.limits import Permit, check_transmit
from hil.radios.session import Bench

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize("name", ["builtin", "independent", "rayleigh"])
def test_shipped_benches_load_by_name(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_bench(name).name == name
    mine = tmp_path / "home" / "radios" / f"{name}.toml"
    mine.parent.mkdir(parents=True)
    mine.write_text((ROOT / "radios" / f"{name}.toml").read_text().replace(f'name = "{name}"', 'name = "mine"'))
    assert find_bench(name, home=tmp_path / "home").name == "mine"
    assert find("radios", mine, ".toml") == mine


def test_a_seed_makes_another_bench_only_where_the_air_is_simulated() -> None:
    for name, same in (("b210", True), ("builtin", False), ("virtual-soapy", False)):
        bench = find_bench(name)
        assert (bench.model_copy(update={"seed": 99}).digest() == bench.digest()) is same


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


def test_bursts_of_real_radios_are_short_and_rest_between(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        clock[0] += seconds

    monkeypatch.setattr(limits_module.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(limits_module.time, "sleep", sleep)
    limits = {**LIMITS, "max_duty": 0.1, "max_burst_s": 0.005}
    config = load_bench(ROOT / "radios" / "builtin.toml", {f"limits.{key}": value for key, value in limits.items()})
    permit = Permit(config, {"consent": True})
    permit.spend(REAL, 0.004)
    permit.rest(REAL)
    permit.spend(REAL, 0.002)
    permit.rest(REAL)
    assert waits == pytest.approx([0.0, 0.04, 0.0, 0.02])
    with pytest.raises(TransmitRefusedError, match="max_burst_s"):
        permit.spend(REAL, 0.006)
    assert permit.longest_s == 0.005
    permit.spend(replace(REAL, virtual=True), 1.0)
    with Bench(config) as air:
        monkeypatch.setattr(type(air.radios["tx"]), "info", property(lambda radio: replace(radio._info, virtual=False)))
        with pytest.raises(TransmitRefusedError, match="--transmit"):
            air.burst(np.full((2, 4000), 0.1, np.complex64))


@pytest.mark.parametrize(
    ("change", "allowed"),
    [
        ({}, True),
        ({"center_freq_hz": 1.575e9}, False),
        ({"sample_rate_hz": 61e6}, False),
        ({"lo_offset_hz": 60e6}, False),
        ({"tx_gain_db": (31.0,)}, False),
        ({"tx_channels": (3,)}, False),
    ],
)
def test_what_a_radio_is_set_to_counts_and_not_what_the_bench_file_says(change: dict[str, Any], allowed: bool) -> None:
    config = load_bench(ROOT / "radios" / "builtin.toml").model_copy(update={"limits": LimitsConfig.model_validate(LIMITS)})
    settings = RadioSettings(sample_rate_hz=1e6, center_freq_hz=2.45e9, tx_channels=(0,), tx_gain_db=(0.0,)).replace(**change)
    permit = Permit(config, {"consent": True})
    if allowed:
        permit.check(REAL, settings)
        return
    with pytest.raises(TransmitRefusedError):
        permit.check(REAL, settings)


def test_a_radios_transmitters_share_an_antenna_port() -> None:
    data = load_bench(ROOT / "radios" / "soapy.toml").model_dump()
    data["transmitters"][1]["antenna"] = "BAND2"
    with pytest.raises(ValueError, match="same antenna"):
        BenchConfig.model_validate(data)


def test_leaving_closes_every_radio_whatever_happens_on_the_way() -> None:
    """A second signal, or a vendor's error, while the first radio is closed."""
    closed: list[str] = []
    bench = Bench(load_bench(ROOT / "radios" / "independent.toml"))

    def closing(name: str, error: BaseException | None) -> Any:
        def close() -> None:
            closed.append(name)
            if error is not None:
                raise error

        return close

    errors: dict[str, BaseException] = {"tx0": SystemExit(143), "tx1": OSError("gone")}
    for name, radio in bench.radios.items():
        radio.close = closing(name, errors.get(name))  # type: ignore[method-assign]
    with pytest.raises(SystemExit):
        bench.close()
    assert closed == ["tx0", "tx1", "rx"]
    del errors["tx0"]
    for name, radio in bench.radios.items():
        radio.close = closing(name, errors.get(name))  # type: ignore[method-assign]
    with pytest.raises(KeyError, match="first") as caught, bench:
        raise KeyError("first")
    assert caught.value.__notes__ == ["gone"]
