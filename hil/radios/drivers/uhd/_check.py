"""Whether USRPs can be used here."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import sys
from pathlib import Path

from hil.radios.check import Check, missing_library, run_apart

__all__ = ["check"]

_NAME = "uhd"
_IMAGES = ("usrp_b200_fw.hex", "usrp_b2*_fpga.bin")
_RMEM = 50_000_000


def check() -> list[Check]:
    """UHD's Python module, and the sockets that network devices need."""
    return [_library(), _images(), *_sockets()]


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


def _images() -> Check:
    """Firmware and FPGA images, which B200 and B210 load whenever they are plugged in; an N210 has its own in flash."""
    given = os.environ.get("UHD_IMAGES_DIR")
    places = [Path(given)] if given else [Path(base) / "share/uhd/images" for base in ("/usr", "/usr/local", sys.prefix)]
    for place in places:
        if all(any(place.glob(pattern)) for pattern in _IMAGES):
            return Check(name="USRP images", ok=None, detail=f"of the B200 series in {place}")
    return Check(
        name="USRP images",
        ok=None,
        detail=f"none of the B200 series in {', '.join(map(str, places))}: such a device cannot be opened",
        fix="for a B200 or B210, as root: uhd_images_downloader -t b2xx",
    )


def _sockets() -> list[Check]:
    rmem = Path("/proc/sys/net/core/rmem_max")
    if not rmem.exists():
        return []
    size = int(rmem.read_text())
    ok = size >= _RMEM
    fix = "" if ok else f"for network USRPs: sysctl -w net.core.rmem_max={_RMEM} net.core.wmem_max={_RMEM // 20}"
    return [Check(name="socket buffers", ok=ok, detail=f"net.core.rmem_max = {size}", fix=fix)]
