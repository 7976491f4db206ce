"""Whether USRPs can be used here."""

from __future__ import annotations

import importlib.metadata
import importlib.util
from pathlib import Path

from hil.radios.check import Check, missing_library, run_apart

__all__ = ["check"]

_NAME = "uhd"
_RMEM = 50_000_000


def check() -> list[Check]:
    """UHD's Python module, and the sockets that network devices need."""
    return [_library(), *_sockets()]


def _library() -> Check:
    spec = importlib.util.find_spec("uhd")
    if spec is None:
        return missing_library(_NAME, "python3-uhd uhd-host", "conda install -c conda-forge uhd")
    numpy = importlib.metadata.version("numpy")
    debian = Path(spec.origin or "").resolve().is_relative_to("/usr/lib/python3")
    if debian and int(numpy.split(".")[0]) >= 2:
        return Check(
            name=_NAME,
            ok=False,
            detail=f"Debian's UHD binding is built against numpy 1, here is numpy {numpy}: receiving would crash",
            fix="pip install 'numpy<2' in this environment",
        )
    ok, said = run_apart("import uhd; print(getattr(uhd.libpyuhd, 'get_version_string', lambda: '4')())")
    fix = "" if ok else "the binding must fit this interpreter: apt install python3-uhd, scripts/link_vendor"
    return Check(name=_NAME, ok=ok, detail=f"UHD {said}, numpy {numpy}" if ok else f"import uhd fails: {said}", fix=fix)


def _sockets() -> list[Check]:
    rmem = Path("/proc/sys/net/core/rmem_max")
    if not rmem.exists():
        return []
    size = int(rmem.read_text())
    ok = size >= _RMEM
    fix = "" if ok else f"for network USRPs: sysctl -w net.core.rmem_max={_RMEM} net.core.wmem_max={_RMEM // 20}"
    return [Check(name="socket buffers", ok=ok, detail=f"net.core.rmem_max = {size}", fix=fix)]
