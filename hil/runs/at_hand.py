"""Schemes given as objects in memory: what can be noted of them in a capture, and held against those of a replay.

Such a scheme has no file that loads it again. Its classes' code and a checksum of its numbers are noted under ``object:NAME``;
a replay asks for an object of that name again, and refuses another.
"""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from hil.captures import SourceFile
from hil.errors import ModelError
from hil.models.contract import Scheme

__all__ = ["check_objects", "noted_objects"]

PREFIX = "object:"
LIBRARIES = ("builtins", "torch", "typing", "abc", "hil")
"""Packages whose classes need no note."""


def noted_objects(objects: Mapping[str, Scheme]) -> dict[str, SourceFile]:
    """The note of each scheme at hand, under ``object:NAME``: code of its classes, and the SHA-256 of its numbers."""
    found = {}
    for name, scheme in objects.items():
        text = _described(scheme)
        found[PREFIX + name] = SourceFile(sha256=hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest(), text=text)
    return found


def check_objects(noted: Mapping[str, SourceFile], names: Iterable[str], objects: Mapping[str, Scheme], *, other: bool) -> None:
    """Refuse a replay that lacks a scheme which was an object in memory, or that was given another one.

    Args:
        noted: in the capture; nothing is asked of schemes that are not noted as objects there.
        names: of the schemes to be scored.
        objects: at hand, by name.
        other: accept others than those on the air.

    Raises:
        ModelError: naming the scheme, and the way out.
    """
    for name in names:
        note = noted.get(PREFIX + name)
        if note is None:
            continue
        kind = (note.text or "").partition("\n")[0].removeprefix("# ")
        if name not in objects:
            raise ModelError(
                f"scheme '{name}' was an object in memory ({kind}), which no file brings back; give it from Python, "
                f"objects={{'{name}': …}}; its code is in the capture"
            )
        if not other and noted_objects({name: objects[name]})[PREFIX + name].sha256 != note.sha256:
            raise ModelError(
                f"the object given as scheme '{name}' is not the one on the air ({kind}): its code or its numbers differ; give "
                "that one, or score with this one by other_weights=True"
            )


def _described(scheme: Scheme) -> str:
    """What is noted of a scheme: its class, the checksum of its numbers, and the code of its classes."""
    digest, unread = hashlib.sha256(), []
    for path, value in _parts(scheme):
        if isinstance(value, Tensor):
            value = value.detach().cpu().contiguous().numpy()
        if isinstance(value, np.ndarray) and value.dtype != object:
            digest.update(f"{path} {value.dtype} {value.shape}\0".encode() + value.tobytes())
        elif isinstance(value, bool | int | float | complex | str | bytes | torch.dtype | None):
            digest.update(f"{path} {value!r}\0".encode())
        else:
            unread.append(path)
    lines = [f"# {type(scheme).__module__}.{type(scheme).__qualname__}", f"# numbers: SHA-256 {digest.hexdigest()}"]
    lines += [f"# not looked at: {', '.join(unread)}"] if unread else []
    for one in type(scheme).__mro__:
        if one.__module__.partition(".")[0] not in LIBRARIES:
            try:
                lines.append(inspect.getsource(one))
            except (OSError, TypeError):  # typed into an interpreter
                lines.append(f"# no code to be found: {one.__module__}.{one.__qualname__}\n")
    return "\n".join(lines)


def _parts(value: Any, path: str = "", depth: int = 6) -> Iterator[tuple[str, Any]]:
    """Leaves of a scheme's attributes, in order, by their path; of networks all parameters and buffers."""
    if isinstance(value, nn.Module):
        yield from ((f"{path}{name}", part) for name, part in value.state_dict(keep_vars=True).items())
        value = {name: part for name, part in vars(value).items() if not name.startswith("_") and name != "training"}
    elif depth == 6:
        value = dict(getattr(value, "__dict__", {}))
    if isinstance(value, list | tuple):
        value = dict(enumerate(value))
    if not isinstance(value, dict) or not depth:
        yield path.rstrip("."), value
        return
    for name, part in value.items():
        if isinstance(part, (list, tuple, dict, nn.Module)):
            yield from _parts(part, f"{path}{name}.", depth - 1)
        else:
            yield f"{path}{name}", part
