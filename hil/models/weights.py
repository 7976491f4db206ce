"""Weights files: one `.safetensors` with the recipe inside; written atomically, byte for byte the same from the same run.

Matrices and kernels are stored as float16 (half the size; the metrics beside them are of the stored values), vectors and
batch-norm statistics as float32, counters as they are; all floats are loaded as float32.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from hil.errors import ConfigError, ModelError
from hil.models.recipe import Recipe, recipe_from_dict
from hil.provenance import provenance

__all__ = ["Weights", "fill_network", "read_weights", "replace_file", "write_weights"]

FORMAT = 1


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
        ModelError: the file cannot be written.
    """
    stored = {key: _stored(value) for key, value in sorted(tensors.items())}
    info = {
        "format": FORMAT,
        "provenance": {key: value for key, value in provenance().items() if key not in ("argv", "clock")},
        "dataset": dataset,
        "dataset_fingerprint": fingerprint,
        "seed": recipe.seed,
        "recipe": recipe.model_dump(mode="json"),
    }
    # one metadata key: safetensors does not keep the order of several, and the bytes would differ from run to run
    data = save(stored, metadata={"hil": json.dumps(info, sort_keys=True, ensure_ascii=False)})
    replace_file(path, data)
    return hashlib.sha256(data).hexdigest()


def replace_file(path: Path, data: bytes) -> None:
    """Write `data` so that `path` is either the old file or the whole new one, whenever the power goes.

    Raises:
        ModelError: the file cannot be written.
    """
    partial = path.with_name(path.name + ".partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as err:
        raise ModelError(f"cannot write {path}: {err.strerror or err}; choose another folder with --out") from err


def read_weights(path: Path) -> Weights:
    """Read a weights file.

    Raises:
        ModelError: missing, truncated, or not written by hil; the message says how to make it again.
    """
    again = f"make it again with: hil train {path.stem} --out {path.parent}"
    try:
        with safe_open(str(path), framework="pt") as file:
            info: dict[str, Any] = json.loads((file.metadata() or {}).get("hil", "null"))
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - a safe_open is no dict
    except FileNotFoundError as err:
        raise ModelError(f"no such weights file: {path}; {again}") from err
    except (SafetensorError, OSError, ValueError) as err:
        raise ModelError(f"{path} is truncated or no .safetensors file ({err}); {again}") from err
    if not isinstance(info, dict) or "recipe" not in info:
        raise ModelError(f"{path} has no recipe in its metadata, so it was not written by hil train; {again}")
    if info.get("format", 0) > FORMAT:
        raise ModelError(f"{path} has weights format {info['format']}, this hil reads up to {FORMAT}; update hil")
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


def fill_network(network: nn.Module, weights: Weights, *, ignore: tuple[str, ...] = ("classifiers.",)) -> None:
    """Put the weights into `network`; keys that start with one of `ignore` are left out.

    Raises:
        ModelError: missing or extra keys, or shapes that differ, named.
    """
    own = network.state_dict()
    given = {key: value for key, value in weights.tensors.items() if not key.startswith(ignore)}
    problems = [
        *_listed("missing keys", sorted(own.keys() - given.keys())),
        *_listed("unknown keys", sorted(given.keys() - own.keys())),
        *_listed("shapes that differ", sorted(key for key in own.keys() & given.keys() if own[key].shape != given[key].shape)),
    ]
    if problems:
        raise ModelError(
            f"{weights.path} does not fit scheme '{weights.recipe.scheme}': {'; '.join(problems)}. "
            f"Make it again with: hil train {weights.path.stem} --out {weights.path.parent}"
        )
    network.load_state_dict(given)


def _listed(what: str, keys: list[str], most: int = 6) -> list[str]:
    more = f" and {len(keys) - most} more" if len(keys) > most else ""
    return [f"{what} {', '.join(keys[:most])}{more}"] if keys else []


def _stored(value: Tensor) -> Tensor:
    value = value.detach().cpu().contiguous()
    return value.half() if value.is_floating_point() and value.ndim >= 2 else value
