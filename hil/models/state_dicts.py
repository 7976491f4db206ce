"""Weights files of others (``.pt``, ``.pth``, ``.safetensors``): checked, unwrapped, and never allowed to run code."""

from __future__ import annotations

import hashlib
import re
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from hil.errors import ModelError

__all__ = ["read_state_dict"]

WRAPPERS = ("state_dict", "model_state_dict", "model", "net", "network", "weights")
"""Keys under which training scripts keep a state dict beside other things, the first one found counts."""
PREFIXES = ("module.", "_orig_mod.")
"""What `DataParallel` and `torch.compile` put before every key."""
AGAIN = "save it with torch.save(model.state_dict(), …)"
_NAMED_HASH = re.compile(r"-([0-9a-f]{8,64})\.(?:pth|pt|safetensors)$")


def read_state_dict(path: Path) -> dict[str, Tensor]:
    """The tensors of a weights file by key.

    A state dict in a wrapper (``{"state_dict": …}``, ``{"model": …}``) is taken out of it, and the prefixes of `DataParallel`
    and `torch.compile` are taken off. Damage is noticed by the checksums that the file has: of its zip entries, and of the
    eight or more digits of its SHA-256 that torchvision's file names end with.

    Raises:
        ModelError: missing, empty, damaged, unsafe, or no state dict.
    """
    try:
        _check(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of TorchScript archives, which are refused with an error as well
            if path.suffix == ".safetensors":
                found: Any = load_file(path)
            else:
                found = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as err:
        raise ModelError(f"no such weights file: {path}") from err
    except ModelError:
        raise
    except Exception as err:  # whatever unpickling other bytes raises
        raise ModelError(f"cannot read {path} as weights: {_said(err)}") from err
    state = _unprefixed(_unwrapped(path, found))
    spoilt = [key for key, value in state.items() if value.is_floating_point() and not bool(torch.isfinite(value).all())]
    if spoilt:
        raise ModelError(f"{path}: {spoilt[0]} holds NaN or infinities; train or download it again")
    return state


def _check(path: Path) -> None:
    """Refuse what cannot be read, or does not have the checksums that it states.

    Raises:
        ModelError: naming which.
        OSError: it cannot be read.
    """
    if path.is_dir():
        raise ModelError(f"{path} is a folder; name the weights file in it")
    if path.stat().st_size == 0:
        raise ModelError(f"{path} is empty; download or copy it again")
    named = _NAMED_HASH.search(path.name)
    if named is not None:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if not digest.startswith(named[1]):
            raise ModelError(
                f"{path} is damaged: its SHA-256 begins with {digest[: len(named[1])]}, its name says {named[1]}; "
                "download or copy it again"
            )
    if path.suffix != ".safetensors":
        _check_archive(path)


def _check_archive(path: Path) -> None:
    """Refuse what `torch.save` has not written so. Its format before torch 1.6, a bare pickle, has no checksums to look at.

    Raises:
        ModelError: naming why.
    """
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            damaged, members = archive.testzip(), {Path(name).name for name in archive.namelist()}
        if damaged is not None:
            raise ModelError(f"{path} is damaged: the checksum of '{damaged}' in it is another; download or copy it again")
        if "constants.pkl" in members:
            raise ModelError(f"{path} is a TorchScript archive, not a state dict; {AGAIN}")
        return
    with path.open("rb") as file:
        start = file.read(2)
    if start == b"PK":
        raise ModelError(f"{path} is cut off; download or copy it again")
    if start[:1] != b"\x80":
        raise ModelError(f"{path} was not written by torch.save; give a .pth or .pt file with a state dict")


def _said(err: Exception) -> str:
    """What matters of an error of torch, in one line."""
    text = " ".join(str(err).split())
    refused = re.search(r"Unsupported (?:global|class|operand)[^:]*: ?(?:GLOBAL )?([\w.]+)", text)
    if refused is not None or "weights_only" in text.lower():
        what = f"objects ({refused[1]})" if refused is not None else "objects"
        return f"it holds {what} beside tensors, which loading would run code for; {AGAIN}"
    return text[:200] or type(err).__name__


def _unwrapped(path: Path, found: Any) -> dict[str, Tensor]:
    """The state dict in what a file holds.

    Raises:
        ModelError: there is none.
    """
    if _is_state(found):
        return dict(found)
    if isinstance(found, Mapping):
        for name in WRAPPERS:
            if _is_state(found.get(name)):
                return dict(found[name])
        keys = ", ".join(str(key)[:40] for key in list(found)[:8])
        raise ModelError(
            f"{path} is not a state dict (key -> tensor) and wraps none under {', '.join(WRAPPERS)}; its keys: {keys or 'none'}"
        )
    raise ModelError(f"{path} is not a state dict (key -> tensor) but a {type(found).__name__}; {AGAIN}")


def _is_state(found: Any) -> bool:
    if not isinstance(found, Mapping) or not found:
        return False
    return all(isinstance(key, str) and isinstance(value, Tensor) for key, value in found.items())


def _unprefixed(state: dict[str, Tensor]) -> dict[str, Tensor]:
    while prefix := next((one for one in PREFIXES if all(key.startswith(one) for key in state)), ""):
        state = {key.removeprefix(prefix): value for key, value in state.items()}
    return state
