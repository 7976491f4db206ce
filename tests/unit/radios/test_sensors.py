"""Sensors: which are asked, how their words are read, and that a radio without any, or with one that fails, ends nothing."""

import json

import pytest

from hil.errors import RadioError
from hil.radios.bench import find_bench
from hil.radios.drivers.sim._driver import SimulatedRadio
from hil.radios.sensors import asked_for, sensor_value
from hil.radios.session import Bench
from tests.conftest import ROOT


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True),
        ("False", False),
        ("34000", 34000.0),
        ("-12.5\0\n", -12.5),
        ("1e3", 1000.0),
        ("LOCKED", "LOCKED"),
        ("", ""),
    ],
)
def test_words_of_sensors(text: str, value: float | bool | str) -> None:
    got = sensor_value(text)
    assert got == value
    assert type(got) is type(value)


def test_only_locks_and_temperatures_are_asked() -> None:
    names = ("ref_locked", "lo_locked", "mimo_locked", "temp", "lms7_temp", "gps_gpgga", "gps_time", "rssi", "clock")
    assert [name for name in names if asked_for(name)] == ["ref_locked", "lo_locked", "mimo_locked", "temp", "lms7_temp"]


def test_a_radio_without_sensors_and_one_that_cannot_be_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    with Bench(find_bench(ROOT / "radios" / "builtin.toml")) as bench:
        assert bench.describe()["rx"]["sensors"] == {}

        def fails(radio: SimulatedRadio) -> dict[str, float]:
            raise RadioError(f"radio '{radio.info.name}': cannot read its sensors")

        monkeypatch.setattr(SimulatedRadio, "sensors", fails)
        assert json.loads(json.dumps(bench.describe()))["tx"]["sensors"] == {"error": "radio 'tx': cannot read its sensors"}
