"""What a result rests on: version, commit, packages, machine, command, clock. The bits of a result depend on these."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import time
from collections.abc import Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from hil._version import __version__

__all__ = ["commit", "from_versions", "provenance", "same_bits_promised", "version_text"]

PACKAGES = ("numpy", "scipy", "torch", "numba", "h5py", "pydantic", "safetensors", "pillow")
BITS = (
    ("machine", "cpu"),
    ("packages", "torch"),
    ("packages", "numba"),
    ("machine", "torch_threads"),
    ("machine", "torch_capability"),
)
"""What must agree for received symbols to have the same bits (SIGNALS.md, "Bit-identity")."""


def provenance() -> dict[str, Any]:
    """Where and with what this process runs; plain data for captures, results and weights.

    Keys: `version`, `commit` and `dirty` (of the source tree, None outside one), `packages`: their versions, Python's among
    them; `machine`: platform, CPU, torch's threads and vector instructions; `argv`; `clock`: local time, ISO 8601.
    """
    import torch

    known, dirty = commit()
    return {
        "version": version_text(),
        "commit": known,
        "dirty": dirty,
        "packages": {
            "python": platform.python_version(),
            **{name: _version_of(name) for name in PACKAGES},
            "torch": torch.__version__,
        },
        "machine": {
            "platform": platform.platform(),
            "cpu": _cpu(),
            "torch_threads": torch.get_num_threads(),
            "torch_capability": torch.backends.cpu.get_cpu_capability(),
        },
        "argv": sys.argv,
        "clock": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
    }


def from_versions(versions: Mapping[str, Any]) -> dict[str, Any]:
    """The same facts as the first captures and results had them, under `versions`; a key that is not known stays as it is."""
    packages, machine = ("python", "numpy", "torch", "numba"), ("platform", "cpu", "torch_threads", "torch_capability")
    known = {"hil", "argv", *packages, *machine}
    return {
        "version": versions.get("hil"),
        "commit": None,
        "dirty": None,
        "packages": {name: versions[name] for name in packages if name in versions},
        "machine": {name: versions[name] for name in machine if name in versions},
        "argv": versions.get("argv"),
        "clock": None,
    } | {name: value for name, value in versions.items() if name not in known}


def same_bits_promised(then: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Whether two provenances are of machines that must give the same bits."""
    return all((then.get(part) or {}).get(key) == (now.get(part) or {}).get(key) for part, key in BITS)


def version_text() -> str:
    """The version with its commit, such as ``0.1.0+gf6626e2`` or ``0.1.0+gf6626e2.dirty``."""
    known, dirty = commit()
    return __version__ if known is None else f"{__version__}+g{known[:7]}{'.dirty' if dirty else ''}"


@cache
def commit() -> tuple[str | None, bool | None]:
    """Commit of the source tree that runs, and whether it was changed since; of a wheel, what it was built from.

    A module of the package that is in no commit is a change, too.
    """
    package = Path(__file__).resolve().parent
    built = package / "shipped" / "commit.txt"
    if built.is_file():
        text, _, state = built.read_text(encoding="utf-8").strip().partition(" ")
        return text or None, state == "dirty"
    top = package.parent
    if not (top / ".git").exists():
        return None, None
    head = _git(top, "rev-parse", "HEAD")
    if head is None:
        return None, None
    changed = _git(top, "status", "--porcelain", "--untracked-files=no")
    new = _git(top, "ls-files", "--others", "--exclude-standard", "--", package.name)
    return head, bool(changed or new)


def _git(top: Path, *arguments: str) -> str | None:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    try:
        done = subprocess.run(
            ["git", "-C", str(top), *arguments], capture_output=True, text=True, timeout=10, check=True, env=environment
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def _version_of(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    wanted = ("model name", "cpu family", "model\t")
    return "; ".join(dict.fromkeys(line.split(":", 1)[1].strip() for line in lines if line.startswith(wanted)))
