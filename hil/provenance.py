"""What a result rests on: version, commit, packages, machine, command, clock. The bits of a result depend on these."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import time
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from hil._version import __version__

__all__ = ["commit", "provenance", "same_bits_promised", "version_text"]

PACKAGES = ("numpy", "scipy", "torch", "numba", "h5py", "pydantic", "safetensors", "pillow")
BITS = ("cpu", "torch", "numba", "torch_threads", "torch_capability")
"""What must agree for received symbols to have the same bits (SIGNALS.md, "Bit-identity")."""


def provenance() -> dict[str, Any]:
    """Where and with what this process runs; plain data for captures, results and weights.

    Keys: `hil` (version), `commit` and `dirty` (of the source tree, None outside one), `python`, the versions of packages,
    `platform`, `cpu`, `torch_threads`, `torch_capability`, `argv`, `time`.
    """
    import torch

    known, dirty = commit()
    return {
        "hil": version_text(),
        "commit": known,
        "dirty": dirty,
        "python": platform.python_version(),
        **{name: _version_of(name) for name in PACKAGES},
        "torch": torch.__version__,
        "platform": platform.platform(),
        "cpu": _cpu(),
        "torch_threads": torch.get_num_threads(),
        "torch_capability": torch.backends.cpu.get_cpu_capability(),
        "argv": sys.argv,
        "time": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
    }


def same_bits_promised(then: dict[str, Any], now: dict[str, Any]) -> bool:
    """Whether two provenances are of machines that must give the same bits."""
    return all(then.get(key) == now.get(key) for key in BITS)


def version_text() -> str:
    """The version with its commit, such as ``0.1.0+gf6626e2`` or ``0.1.0+gf6626e2.dirty``."""
    known, dirty = commit()
    return __version__ if known is None else f"{__version__}+g{known[:7]}{'.dirty' if dirty else ''}"


@cache
def commit() -> tuple[str | None, bool | None]:
    """Commit of the source tree that runs, and whether it was changed since; of a wheel, what it was built from."""
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
    return head, bool(changed)


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
