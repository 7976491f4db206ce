"""One line of a diagnosis, and how a driver looks at a vendor's library without risking this process."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

__all__ = ["Check", "missing_library", "run_apart"]

_PROBE_S = 20


@dataclass(frozen=True, kw_only=True)
class Check:
    """One line of the diagnosis: what was seen and, when red, the fix.

    Attributes:
        name: of what was looked at.
        ok: green or red; None = only for information.
        detail: what was seen.
        fix: what to do about it; "" where nothing is to be done.
    """

    name: str
    ok: bool | None
    detail: str
    fix: str = ""

    def to_dict(self) -> dict[str, Any]:
        """JSON types only."""
        return asdict(self)


def run_apart(code: str) -> tuple[bool, str]:
    """Run code in a fresh interpreter, as a binding that does not fit may crash; whether it ended well, and its last line."""
    try:
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=_PROBE_S, check=False)
    except subprocess.TimeoutExpired:
        return False, f"did not answer in {_PROBE_S} s"
    lines = [line for line in (done.stdout if done.returncode == 0 else done.stderr).splitlines() if line.strip()]
    if done.returncode < 0:
        return False, f"crashed with signal {-done.returncode}"
    return done.returncode == 0, lines[-1] if lines else ""


def missing_library(name: str, packages: str, conda: str) -> Check:
    """The check of a driver whose vendor's library is not there.

    Args:
        name: of the driver.
        packages: of Debian and Ubuntu.
        conda: command for conda.
    """
    linked = " and run scripts/link_vendor" if Path("/etc/debian_version").exists() else ""
    return Check(
        name=name, ok=False, detail="not installed", fix=f"Debian/Ubuntu: apt install {packages}{linked}; conda: {conda}"
    )
