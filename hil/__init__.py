"""Hardware-in-the-loop SDR testbed for joint source-channel coding (JSCC).

The names below are what a Python user needs; each is imported when it is used. Everything else lives where
`ARCHITECTURE.md` says.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from hil._version import __version__
from hil.errors import HilError

if TYPE_CHECKING:
    from hil.captures import Capture
    from hil.goals.contract import Goal
    from hil.models.contract import Scheme
    from hil.radios.session import Bench
    from hil.results.document import read_results as load_results
    from hil.runs.calibrate import calibrate
    from hil.runs.face import replay, run, score, send
    from hil.runs.resume import resume

__all__ = [
    "Bench", "Capture", "Goal", "HilError", "Scheme", "__version__", "calibrate", "load_results", "replay", "resume", "run",
    "score", "send",
]  # fmt: skip

_FACE = {
    "Bench": "hil.radios.session:Bench",
    "Capture": "hil.captures:Capture",
    "Goal": "hil.goals.contract:Goal",
    "Scheme": "hil.models.contract:Scheme",
    "calibrate": "hil.runs.calibrate:calibrate",
    "load_results": "hil.results.document:read_results",
    "replay": "hil.runs.face:replay",
    "resume": "hil.runs.resume:resume",
    "run": "hil.runs.face:run",
    "score": "hil.runs.face:score",
    "send": "hil.runs.face:send",
}


def __getattr__(name: str) -> Any:
    if name not in _FACE:
        raise AttributeError(f"module 'hil' has no attribute '{name}'")
    module, _, attribute = _FACE[name].partition(":")
    return getattr(importlib.import_module(module), attribute)


def __dir__() -> list[str]:
    return sorted({*globals(), *_FACE})
