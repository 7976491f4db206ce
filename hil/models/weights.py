"""Weights files: one `.safetensors` with the recipe inside; written atomically, byte for byte the same from the same run.

Matrices and kernels are stored as float16 (half the size; the metrics beside them are of the stored values), vectors and
batch-norm statistics as float32, counters as they are; all floats are loaded as float32.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from hil.errors import ConfigError, ModelError
from hil.files import replace_file
from hil.models.recipe import Recipe, recipe_from_dict
from hil.provenance import provenance

__all__ = ["Weights", "fill_network", "read_weights", "write_weights"]

FORMAT = 2
"""2 has a checksum over tensors and metadata; of a file of 1, the SHA-256 in the metrics beside it is all there is."""


@dataclass(frozen=True, kw_only=True)
class Weights:
    """What a weights file holds: tensors by key (float32), its recipe, and where they came from."""

    path: Path
    tensors: dict[str, Tensor]
    recipe: Recipe
    dataset: str
    fingerprint: str
    provenance: dict[str, Any]


def write_weights(path: Path, tensors: dict[str, Tensor], recipe: Recipe, *, dataset: str, fingerprint: str) -> str:
    """Write a weights file and return its SHA-256.

    What made it is in it, but for command and clock: the same run gives the same bytes.

    Raises:
        OutputError: the file cannot be written.
    """
    stored = {key: _stored(value) for key, value in sorted(tensors.items())}
    info: dict[str, Any] = {
        "format": FORMAT,
        "provenance": {key: value for key, value in provenance().items() if key not in ("argv", "clock")},
        "dataset": dataset,
        "dataset_fingerprint": fingerprint,
        "seed": recipe.seed,
        "recipe": recipe.model_dump(mode="json"),
    }
    info["shapes"] = _shapes(stored)
    info["checksum"] = _checksum(stored, info)
    # one metadata key: safetensors does not keep the order of several, and the bytes would differ from run to run
    data = save(stored, metadata={"hil": json.dumps(info, sort_keys=True, ensure_ascii=False)})
    replace_file(path, data)
    return hashlib.sha256(data).hexdigest()


def read_weights(path: Path) -> Weights:
    """Read a weights file.

    Raises:
        ModelError: missing, damaged, of a newer format, or not written by hil; the message says how to make it again.
    """
    again = f"make it again with: hil train {path.stem} --out {path.parent}"
    if path.is_dir():
        raise ModelError(f"{path} is a folder; name the weights file in it")
    try:
        with safe_open(str(path), framework="pt") as file:
            info: dict[str, Any] = json.loads((file.metadata() or {}).get("hil", "null"))
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - a safe_open is no dict
    except FileNotFoundError as err:
        raise ModelError(f"no such weights file: {path}; {again}") from err
    except (SafetensorError, OSError, ValueError, KeyError, TypeError, RuntimeError) as err:
        raise ModelError(f"{path} is truncated or no .safetensors file ({err}); {again}") from err
    if not isinstance(info, dict) or "recipe" not in info:
        raise ModelError(f"{path} has no recipe in its metadata, so it was not written by hil train; {again}")
    _check(path, tensors, info, again)
    try:
        recipe = recipe_from_dict(info["recipe"], f"{path} (recipe in the metadata)")
    except ConfigError as err:
        raise ModelError(f"{err}; {again}") from err
    return Weights(
        path=path,
        tensors={key: value.float() if value.is_floating_point() else value for key, value in tensors.items()},
        recipe=recipe,
        dataset=str(info.get("dataset", "")),
        fingerprint=str(info.get("dataset_fingerprint", "")),
        provenance=info.get("provenance") or {"version": info.get("hil_version")},
    )


def trained_on(path: Path) -> str:
    """Spec of the data set that weights were trained on, by the file's metadata alone; "" where that is not known."""
    try:
        with safe_open(str(path), framework="pt") as file:
            return str(json.loads((file.metadata() or {}).get("hil", "{}")).get("dataset", ""))
    except (SafetensorError, OSError, ValueError, AttributeError):
        return ""


def _check(path: Path, tensors: dict[str, Tensor], info: dict[str, Any], again: str) -> None:
    """Refuse a file of a newer format, and one of which a bit is not as it was written.

    Raises:
        ModelError: naming which.
    """
    version = info.get("format")
    if isinstance(version, int) and version > FORMAT:
        raise ModelError(f"{path} has weights format {version}, this hil reads up to {FORMAT}; update hil")
    stated = info.get("checksum")
    if stated is not None or version != 1:
        if stated != _checksum(tensors, info):
            stood = info.get("shapes")
            changed = _differences(stood if isinstance(stood, dict) else {}, _shapes(tensors))
            raise ModelError(
                f"{path} is damaged, or was changed: its content does not have the checksum that it states"
                f"{''.join(f', {one}' for one in changed)}; {again}"
            )
        return
    metrics = path.with_suffix(".metrics.json")
    try:
        noted = json.loads(metrics.read_text(encoding="utf-8")).get("sha256")
    except (OSError, ValueError, AttributeError):
        return
    if noted is not None and noted != hashlib.sha256(path.read_bytes()).hexdigest():
        raise ModelError(
            f"{path} does not have the SHA-256 that {metrics.name} beside it states: it is damaged, or of another training "
            f"(then move {metrics.name} away); {again}"
        )


def _checksum(tensors: dict[str, Tensor], info: dict[str, Any]) -> str:
    """SHA-256 over tensors as stored and all metadata but itself."""
    facts = {key: value for key, value in info.items() if key != "checksum"}
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True, ensure_ascii=False).encode())
    for key, value in sorted(tensors.items()):
        digest.update(f"{key} {value.dtype} {list(value.shape)}".encode())
        digest.update(value.contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def fill_network(network: nn.Module, weights: Weights, *, ignore: tuple[str, ...] = ("classifiers.",)) -> None:
    """Put the weights into `network`; keys that start with one of `ignore` are left out.

    Raises:
        ModelError: missing or extra keys, or shapes that differ, named.
    """
    given = {key: value for key, value in weights.tensors.items() if not key.startswith(ignore)}
    problems = _differences(_shapes(network.state_dict()), _shapes(given))
    if problems:
        raise ModelError(
            f"{weights.path} does not fit scheme '{weights.recipe.scheme}': {'; '.join(problems)}. "
            f"Make it again with: hil train {weights.path.stem} --out {weights.path.parent}"
        )
    network.load_state_dict(given)


def _shapes(tensors: Mapping[str, Tensor]) -> dict[str, list[int]]:
    return {key: list(value.shape) for key, value in tensors.items()}


def _differences(wanted: dict[str, Any], given: dict[str, list[int]]) -> list[str]:
    """How the keys and shapes of a file differ from those wanted, in words."""
    return [
        *_listed("missing keys", sorted(wanted.keys() - given.keys())),
        *_listed("unknown keys", sorted(given.keys() - wanted.keys())),
        *_listed("shapes that differ", sorted(key for key in wanted.keys() & given.keys() if wanted[key] != given[key])),
    ]


def _listed(what: str, keys: list[str], most: int = 6) -> list[str]:
    more = f" and {len(keys) - most} more" if len(keys) > most else ""
    return [f"{what} {', '.join(keys[:most])}{more}"] if keys else []


def _stored(value: Tensor) -> Tensor:
    value = value.detach().cpu().contiguous()
    return value.half() if value.is_floating_point() and value.ndim >= 2 else value
