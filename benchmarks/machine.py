"""The machine that a result was measured on."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

import hil

__all__ = ["describe"]


def _cpu() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _llvm() -> str | None:
    try:
        import llvmlite.binding
    except ImportError:
        return None
    return str(llvmlite.binding.get_host_cpu_name())


def _commit() -> str | None:
    """Commit of the working tree, with "-dirty" where files differ from it."""
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty", "--exclude=*"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def describe() -> dict[str, Any]:
    """Commit, CPU model and microarchitecture, cores, load, versions; JSON types only."""
    versions: dict[str, str | None] = {"python": platform.python_version(), "hil": hil.__version__}
    for name in ("torch", "numpy", "numba", "scipy"):
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = None
    return {
        "commit": _commit(),
        "cpu": _cpu(),
        "microarchitecture": _llvm(),
        "cores": os.cpu_count(),
        "load": [round(value, 2) for value in os.getloadavg()],
        "system": platform.platform(),
        "versions": versions,
    }
