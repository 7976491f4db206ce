"""Whether SoapySDR can be used here."""

from __future__ import annotations

import importlib.util
import platform

from hil.radios.check import Check, missing_library, run_apart

__all__ = ["check"]

_NAME = "soapy"


def check() -> list[Check]:
    """SoapySDR's Python module, and the device modules that it finds."""
    if importlib.util.find_spec("SoapySDR") is None:
        packages, conda = "python3-soapysdr soapysdr0.8-module-remote", "soapysdr soapysdr-module-remote"
        return [missing_library(_NAME, packages, f"conda install -c conda-forge {conda}")]
    ok, said = run_apart(
        "import SoapySDR as s; print('SoapySDR ' + s.getLibVersion() + ', modules: ' + "
        "(', '.join(m.split('/')[-1] for m in s.listModules()) or 'none'))"
    )
    fix = f"the binding must fit this interpreter (Python {platform.python_version()}): apt install python3-soapysdr"
    detail = said if ok else f"import SoapySDR fails: {said}"
    return [Check(name=_NAME, ok=ok, detail=detail, fix="" if ok else fix)]
