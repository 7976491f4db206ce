"""Drivers' light cards: what is known of a driver before it is imported."""

import importlib
from pathlib import Path

import pytest

from hil.errors import ConfigError
from hil.radios.bench import BenchConfig, load_bench
from hil.radios.card import DriverEntry, driver_card, is_simulated
from hil.radios.check import Check, missing_library, run_apart
from hil.radios.contract import Radio
from hil.radios.virtual.server import ProtocolServer
from hil.radios.virtual.world import protocol
from hil.registry import DRIVERS
from tests.conftest import ROOT


def attribute(target: str) -> object:
    module, _, name = target.partition(":")
    return getattr(importlib.import_module(module), name)


@pytest.mark.parametrize("name", sorted(DRIVERS.builtin))
def test_what_a_card_points_at_is_there(name: str) -> None:
    card = driver_card(name)
    assert card == DRIVERS.builtin[name]
    driver = attribute(card.target)
    assert isinstance(driver, type)
    assert issubclass(driver, Radio)
    assert bool(card.server) != card.simulated
    if card.server:
        assert attribute(card.server) is protocol(name)
        assert issubclass(protocol(name), ProtocolServer)
    else:
        with pytest.raises(ConfigError, match="no virtual device; there are"):
            protocol(name)
    check = attribute(card.check)
    assert callable(check)
    lines = check()
    assert lines[0].name == name
    for line in lines:
        assert isinstance(line, Check)
        assert line.ok is not False or line.fix
    assert all(len(part) == 4 and int(part, 16) >= 0 for device in card.usb for part in device[:2])


def test_drivers_from_elsewhere_have_bare_cards(tmp_path: Path) -> None:
    spec = f"{tmp_path}/mine.py:MyRadio"
    assert driver_card(spec) == DriverEntry(name=spec, target=spec)
    assert not is_simulated(spec)
    assert is_simulated("sim")
    with pytest.raises(ConfigError, match="unknown radio driver 'pluta'; did you mean 'pluto'"):
        driver_card("pluta")


def test_a_bench_file_with_an_unknown_driver_is_refused_and_a_captures_bench_is_not() -> None:
    """A file is about to be opened; a capture only says with what it was made, perhaps with a driver of another machine."""
    path = ROOT / "radios" / "pluto-pair.toml"
    with pytest.raises(ConfigError, match=r"pluto-pair\.toml: radios\.\w+\.driver: unknown radio driver 'plutto'"):
        load_bench(path, {f"radios.{next(iter(load_bench(path).radios))}.driver": "plutto"})
    data = load_bench(path).model_dump()
    for radio in data["radios"].values():
        radio["driver"] = "somebodys"
    assert BenchConfig.model_validate(data).radios.keys() == data["radios"].keys()


def test_a_library_is_looked_at_in_a_process_of_its_own() -> None:
    assert run_apart("print('first'); print('last')") == (True, "last")
    assert run_apart("raise ImportError('no such thing')") == (False, "ImportError: no such thing")
    assert run_apart("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)") == (False, "crashed with signal 11")
    assert "apt install a b" in missing_library("x", "a b", "conda install c").fix
