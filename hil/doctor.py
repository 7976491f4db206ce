"""What is usable on this machine, and what to do about the rest: every check says what it saw and, when red, the fix."""

from __future__ import annotations

import importlib
import json
import os
import platform
import sys
from pathlib import Path
from typing import Any

from hil.cache import cache_folder
from hil.compiled import compiled_code
from hil.errors import HilError
from hil.files import takes_files
from hil.places import folders
from hil.radios.bench import load_bench
from hil.radios.card import DriverEntry, driver_card
from hil.radios.check import Check
from hil.registry import DRIVERS, SCHEMES

__all__ = ["Check", "diagnose", "driver_checks", "find_devices", "list_benches", "to_json"]

SLOW = " on a USB 2 link"
"""Said of a USB 3 device."""


def diagnose(home: Path | None = None) -> list[Check]:
    """Every check, in the order in which things depend on each other."""
    drivers = [check for checks in driver_checks().values() for check in checks]
    return [_interpreter(), _torch(), _caches(), *drivers, _usb_access(), _devices(), *_weights(home), _silence()]


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


def _caches() -> Check:
    """What is made again in every run where it cannot be kept: it works without, and takes longer."""
    data, code = cache_folder(), compiled_code()
    kept = data is not None and takes_files(data)
    places = f"data sets in {data}" if kept else f"data sets nowhere ({data or 'no home'} cannot be written to)"
    places += f"; compiled kernels in {code}" if code is not None else "; compiled kernels nowhere"
    fix = "" if kept and code is not None else "set HIL_CACHE to a folder that can be written to: it saves half a minute a run"
    return Check(name="caches", ok=None, detail=places, fix=fix)


def driver_checks() -> dict[str, list[Check]]:
    """Per driver what it says of its needs here, the vendor's library first."""
    return {name: _driver_check(name) for name in DRIVERS.names()}


def _driver_check(name: str) -> list[Check]:
    try:
        card = driver_card(name)
    except HilError as err:  # two packages that use one name
        return [Check(name=name, ok=False, detail=str(err), fix="uninstall one of the packages")]
    if not card.check:
        return [Check(name=card.name, ok=None, detail=f"{card.target}, of another package: it does not say what it needs")]
    module, _, function = card.check.partition(":")
    checks: list[Check] = getattr(importlib.import_module(module), function)()
    return checks


def _cards() -> list[DriverEntry]:
    return [driver_card(name) for name in DRIVERS.builtin]


def _usb_access() -> Check:
    words = [word for card in _cards() for word in card.udev]
    rules = {
        path.name
        for folder in ("/lib/udev/rules.d", "/usr/lib/udev/rules.d", "/etc/udev/rules.d")
        if Path(folder).is_dir()
        for path in Path(folder).iterdir()
        if any(word in path.name.lower() for word in words)
    }
    root = os.geteuid() == 0
    return Check(
        name="USB access",
        ok=root or bool(rules),
        detail=f"udev rules: {', '.join(sorted(rules)) or 'none'}" + ("; running as root" if root else ""),
        fix="" if root or rules else "install the vendor's udev rules (its packages bring them), then replug the device",
    )


def find_devices(root: Path = Path("/sys/bus/usb/devices")) -> list[str]:
    """USB devices by the identifiers of the makers; nothing is opened and nothing is broadcast."""
    known = {(vendor, product): what for card in _cards() for vendor, product, what in card.usb}
    found = []
    for device in sorted(root.iterdir()) if root.is_dir() else []:
        try:
            pair = ((device / "idVendor").read_text().strip(), (device / "idProduct").read_text().strip())
        except OSError:
            continue
        if pair in known:
            found.append(f"{known[pair]} at USB {device.name}" + (SLOW if _slow(device) else ""))
    return found


def _slow(device: Path) -> bool:
    """Whether a USB 3 device (which calls itself 2.1 on the older bus) is on a link of 480 Mb/s or less."""
    try:
        speed, version = (float((device / name).read_text()) for name in ("speed", "version"))
    except (OSError, ValueError):
        return False
    return speed <= 480 and version > 2.0


def _devices() -> Check:
    found = find_devices()
    if any(one.endswith(SLOW) for one in found):
        fix = "use a USB 3 port (blue, or SS) and a USB 3 cable: on USB 2 some 8 MS/s in all get through"
        return Check(name="devices", ok=False, detail=", ".join(found), fix=fix)
    text = ", ".join(found) or "none on USB; network devices are asked by: hil radios probe NAME --bench FILE"
    return Check(name="devices", ok=None, detail=text)


def list_benches(home: Path | None) -> list[dict[str, Any]]:
    """Bench files that can be found by name, and their radios."""
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
    """Every built-in scheme that was trained should have its weights; those that only have a recipe are named."""
    places = folders("models", home)

    def there(suffix: str) -> list[str]:
        return [name for name in SCHEMES.builtin if any((folder / f"{name}{suffix}").is_file() for folder in places)]

    trained, weights = there(".metrics.json"), there(".safetensors")
    missing = [name for name in trained if name not in weights]
    if missing or not weights:
        fix = "hil train models/NAME.toml, or take models/ from the repository"
        return [Check(name="weights", ok=False, detail=f"missing: {', '.join(missing) or 'all'}", fix=fix)]
    left = [name for name in there(".toml") if name not in weights]
    also = f"; not trained yet (hil train NAME): {', '.join(left)}" if left else ""
    return [Check(name="weights", ok=True, detail=f"all {len(weights)} trained schemes{also}")]


def _silence() -> Check:
    told = "; ".join(card.killed for card in _cards() if card.killed)
    return Check(name="silence after SIGKILL", ok=None, detail=f"within 1 s on virtual radios (tested). Of real ones: {told}")


def to_json(checks: list[Check]) -> str:
    """For scripts."""
    return json.dumps([check.to_dict() for check in checks])
