"""What is usable on this machine, and what to do about the rest: every check says what it saw and, when red, the fix."""

from __future__ import annotations

import ctypes.util
import importlib.metadata
import importlib.util
import json
import os
import platform
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

__all__ = ["Check", "diagnose", "find_devices", "list_benches", "to_json", "vendor_libraries"]

_RMEM = 50_000_000
_PROBE_S = 20


@dataclass(frozen=True, kw_only=True)
class Check:
    """One line of the diagnosis; `ok` None = only for information."""

    name: str
    ok: bool | None
    detail: str
    fix: str = ""

    def to_dict(self) -> dict[str, Any]:
        """JSON types only."""
        return asdict(self)


def diagnose(home: Path | None = None) -> list[Check]:
    """Every check, in the order in which things depend on each other."""
    return [
        _interpreter(),
        _torch(),
        *vendor_libraries(),
        *_permissions(),
        _devices(),
        *_weights(home),
        _silence(),
    ]


def _interpreter() -> Check:
    version = platform.python_version()
    ok = (3, 11) <= sys.version_info[:2] <= (3, 14)
    return Check(
        name="interpreter", ok=ok, detail=f"Python {version} ({sys.executable})", fix="" if ok else "use Python 3.11 … 3.14"
    )


def _torch() -> Check:
    try:
        import torch
    except ImportError as err:
        return Check(name="torch", ok=False, detail=str(err), fix="pip install torch")
    cuda = torch.cuda.is_available()
    device = torch.cuda.get_device_name(0) if cuda else f"CPU, {torch.get_num_threads()} threads"
    return Check(name="torch", ok=True, detail=f"torch {torch.__version__} on {device}")


def vendor_libraries() -> list[Check]:
    """One check a driver. A vendor's module is imported in a process of its own: one that does not fit may crash."""
    return [Check(name="sim", ok=True, detail="simulated radios need nothing"), _uhd(), _pluto(), _soapy()]


def _import(code: str) -> tuple[bool, str]:
    """Run code in a fresh interpreter; whether it ended well, and the last line it printed."""
    try:
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=_PROBE_S, check=False)
    except subprocess.TimeoutExpired:
        return False, f"did not answer in {_PROBE_S} s"
    lines = [line for line in (done.stdout if done.returncode == 0 else done.stderr).splitlines() if line.strip()]
    if done.returncode < 0:
        return False, f"crashed with signal {-done.returncode}"
    return done.returncode == 0, lines[-1] if lines else ""


def _missing(name: str, packages: str, conda: str) -> Check:
    linked = " and run scripts/link_vendor" if Path("/etc/debian_version").exists() else ""
    return Check(
        name=name, ok=False, detail="not installed", fix=f"Debian/Ubuntu: apt install {packages}{linked}; conda: {conda}"
    )


def _uhd() -> Check:
    name = "uhd"
    if importlib.util.find_spec("uhd") is None:
        return _missing(name, "python3-uhd uhd-host", "conda install -c conda-forge uhd")
    numpy = importlib.metadata.version("numpy")
    origin = getattr(importlib.util.find_spec("uhd"), "origin", None) or ""
    debian = Path(origin).resolve().is_relative_to("/usr/lib/python3")
    if debian and int(numpy.split(".")[0]) >= 2:
        return Check(
            name=name,
            ok=False,
            detail=f"Debian's UHD binding is built against numpy 1, here is numpy {numpy}: receiving would crash",
            fix="pip install 'numpy<2' in this environment",
        )
    ok, said = _import("import uhd; print(getattr(uhd.libpyuhd, 'get_version_string', lambda: '4')())")
    fix = "" if ok else "the binding must fit this interpreter: apt install python3-uhd, scripts/link_vendor"
    return Check(name=name, ok=ok, detail=f"UHD {said}, numpy {numpy}" if ok else f"import uhd fails: {said}", fix=fix)


def _pluto() -> Check:
    name = "pluto"
    have_library = ctypes.util.find_library("iio") is not None
    have_modules = all(importlib.util.find_spec(module) is not None for module in ("adi", "iio"))
    fix = "apt install libiio0 (conda: conda install -c conda-forge libiio), then pip install 'pyadi-iio>=0.0.21' 'pylibiio<1'"
    if not have_library or not have_modules:
        lacking = [text for have, text in ((have_library, "libiio"), (have_modules, "pyadi-iio")) if not have]
        return Check(name=name, ok=False, detail=f"not installed: {', '.join(lacking)}", fix=fix)
    ok, said = _import("import iio, adi; print('libiio %d.%d (%s), pyadi-iio %s' % (*iio.version, adi.__version__))")
    return Check(name=name, ok=ok, detail=said if ok else f"import adi fails: {said}", fix="" if ok else fix)


def _soapy() -> Check:
    name = "soapy"
    if importlib.util.find_spec("SoapySDR") is None:
        return _missing(
            name, "python3-soapysdr soapysdr0.8-module-remote", "conda install -c conda-forge soapysdr soapysdr-module-remote"
        )
    ok, said = _import(
        "import SoapySDR as s; print('SoapySDR ' + s.getLibVersion() + ', modules: ' + "
        "(', '.join(m.split('/')[-1] for m in s.listModules()) or 'none'))"
    )
    return Check(
        name=name,
        ok=ok,
        detail=said if ok else f"import SoapySDR fails: {said}",
        fix=""
        if ok
        else f"the binding must fit this interpreter (Python {platform.python_version()}): apt install python3-soapysdr",
    )


def _permissions() -> list[Check]:
    checks = []
    rmem = Path("/proc/sys/net/core/rmem_max")
    if rmem.exists():
        size = int(rmem.read_text())
        ok = size >= _RMEM
        checks.append(
            Check(
                name="socket buffers",
                ok=ok,
                detail=f"net.core.rmem_max = {size}",
                fix="" if ok else f"for network USRPs: sysctl -w net.core.rmem_max={_RMEM} net.core.wmem_max={_RMEM // 20}",
            )
        )
    rules = [
        path.name
        for folder in ("/lib/udev/rules.d", "/usr/lib/udev/rules.d", "/etc/udev/rules.d")
        if Path(folder).is_dir()
        for path in Path(folder).iterdir()
        if any(word in path.name.lower() for word in ("uhd", "iio", "pluto", "soapy", "lime"))
    ]
    usable = os.geteuid() == 0 or bool(rules)
    checks.append(
        Check(
            name="USB access",
            ok=usable,
            detail=f"udev rules: {', '.join(sorted(set(rules))) or 'none'}"
            + ("; running as root" if os.geteuid() == 0 else ""),
            fix="" if usable else "install the vendor's udev rules (uhd-host, libiio0 bring them), then replug the device",
        )
    )
    return checks


def find_devices() -> list[str]:
    """USB devices by the identifiers of the makers; nothing is opened and nothing is broadcast."""
    known = {
        ("2500", "0020"): "USRP B200/B210",
        ("2500", "0021"): "USRP B200mini",
        ("0456", "b673"): "ADALM-Pluto",
        ("1d50", "6108"): "LimeSDR",
        ("0403", "601f"): "LimeSDR Mini",
        ("1d50", "6089"): "HackRF One",
        ("2cf0", "5250"): "bladeRF",
    }
    found = []
    root = Path("/sys/bus/usb/devices")
    for device in sorted(root.iterdir()) if root.is_dir() else []:
        try:
            pair = ((device / "idVendor").read_text().strip(), (device / "idProduct").read_text().strip())
        except OSError:
            continue
        if pair in known:
            found.append(f"{known[pair]} at USB {device.name}")
    return found


def _devices() -> Check:
    found = find_devices()
    text = ", ".join(found) or "none on USB; network devices are asked by: hil radios probe NAME --bench FILE"
    return Check(name="devices", ok=None, detail=text)


def list_benches(home: Path | None) -> list[dict[str, Any]]:
    """Bench files that can be found by name, and their radios."""
    from hil.errors import HilError
    from hil.places import folders
    from hil.radios.bench import load_bench

    benches: dict[str, dict[str, Any]] = {}
    for folder in folders("radios", home):
        for path in sorted(folder.glob("*.toml")) if folder.is_dir() else []:
            try:
                config = load_bench(path)
            except HilError as err:
                benches.setdefault(path.stem, {"name": path.stem, "radios": {"error": str(err)}})
                continue
            kinds = {name: radio.driver + (", virtual" if radio.virtual else "") for name, radio in config.radios.items()}
            benches.setdefault(path.stem, {"name": path.stem, "radios": kinds})
    return list(benches.values())


def _weights(home: Path | None) -> list[Check]:
    from hil.places import folders

    names = ("baseline-single", "baseline-pair", "jscc-single", "jscc-oma", "jscc-noma")
    places = folders("models", home)
    missing = [name for name in names if not any((folder / f"{name}.safetensors").is_file() for folder in places)]
    if missing:
        fix = "hil train models/NAME.toml, or take models/ from the repository"
        return [Check(name="weights", ok=False, detail=f"missing: {', '.join(missing)}", fix=fix)]
    return [Check(name="weights", ok=True, detail=f"all {len(names)} shipped schemes")]


def _silence() -> Check:
    return Check(
        name="silence after SIGKILL",
        ok=None,
        detail="within 1 s on virtual radios (tested). Real ones: timed and host-fed bursts end by themselves; a Pluto on USB "
        "may repeat a cyclic buffer until it is opened again, one behind a cut network until the connection times out",
    )


def to_json(checks: list[Check]) -> str:
    """For scripts."""
    return json.dumps([check.to_dict() for check in checks])
