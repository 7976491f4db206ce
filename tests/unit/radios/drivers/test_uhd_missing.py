"""What the USRP driver says where UHD is missing, or made for another numpy; needs no UHD."""

import importlib.util
import sys
from types import ModuleType

import numpy as np
import pytest

from hil.errors import ConfigError, DriverMissingError
from hil.radios.drivers.uhd import _device as uhd_device
from hil.radios.drivers.uhd import _module as uhd_module
from hil.radios.drivers.uhd._driver import UhdRadio
from hil.registry import DRIVERS
from tests.wire.n210_bench import make_bench


def install(tmp_path, monkeypatch, binding: bytes):
    package = tmp_path / "uhd"
    package.mkdir()
    (package / "__init__.py").write_text("raise ImportError('libuhd.so.4.9: cannot open shared object file')")
    (package / "libpyuhd.cpython-311-x86_64-linux-gnu.so").write_bytes(binding)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "uhd", raising=False)
    importlib.invalidate_caches()


def test_missing_module_says_what_to_install(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(DriverMissingError, match=r"apt install python3-uhd.*conda install.*hil doctor"):
        uhd_module.load_uhd()


def test_binding_for_another_numpy_is_never_imported(tmp_path, monkeypatch):
    install(tmp_path, monkeypatch, b"..numpy.core._multiarray_umath..")
    monkeypatch.setattr(np, "__version__", "2.3.1")
    with pytest.raises(DriverMissingError, match="built for numpy 1"):
        uhd_module.load_uhd()
    assert "uhd" not in sys.modules


@pytest.mark.parametrize(("binding", "version"), [(b"numpy._core numpy.core", "2.3.1"), (b"numpy.core", "1.26.4")])
def test_binding_that_fits_is_imported(tmp_path, monkeypatch, binding, version):
    install(tmp_path, monkeypatch, binding)
    monkeypatch.setattr(np, "__version__", version)
    with pytest.raises(DriverMissingError, match=r"cannot be loaded.*libuhd.*apt install"):
        uhd_module.load_uhd()


def test_options_are_checked_before_anything_is_opened():
    data = make_bench(options={"adress": "192.168.10.2"}).model_dump()
    assert DRIVERS.load("uhd") is UhdRadio
    with pytest.raises(ConfigError, match="unknown key 'adress'"):
        UhdRadio.open("tx", type(make_bench()).model_validate(data), {})


def test_nobody_at_home_is_not_found(monkeypatch):
    class Nobody:
        def __init__(self, args):
            raise RuntimeError("LookupError: KeyError: No devices found for ----->\nDevice Address:\n    type: b200\n")

    fake = ModuleType("uhd")
    fake.usrp = type("usrp", (), {"MultiUSRP": Nobody})
    monkeypatch.setattr(uhd_device, "load_uhd", lambda: fake)
    with pytest.raises(uhd_device.RadioNotFoundError, match=r"no USRP at 'type=b200'.*uhd_find_devices"):
        uhd_device.UhdDevice.connect("sdr", uhd_device.UhdOptions(args="type=b200"))
