"""Training checkpoints: one file, replaced atomically after every epoch.

All random draws of an epoch come from a generator seeded by (seed, stage, epoch), so parameters, batch statistics and the
optimiser's state are all there is to keep: a run resumed after a kill makes the same bits as one never stopped.
"""

from __future__ import annotations

import hashlib
import io
import pickle
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from hil.models.recipe import Recipe
from hil.models.weights import replace_file

__all__ = ["Checkpoint", "epoch_generator", "read_checkpoint", "run_key", "write_checkpoint"]


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """State after `epoch` epochs of `stage`.

    Attributes:
        stage: name of the stage in progress.
        epoch: epochs of it done.
        model: state dict of the trainable.
        optimiser: state dict of the stage's optimiser.
        seconds: spent so far, by stage.
        losses: last epoch's mean loss, by stage.
    """

    stage: str
    epoch: int
    model: dict[str, Any]
    optimiser: dict[str, Any]
    seconds: dict[str, float] = field(default_factory=dict)
    losses: dict[str, float] = field(default_factory=dict)


def run_key(recipe: Recipe, fingerprint: str) -> str:
    """Names a run by its recipe and data; a checkpoint of another run is never resumed from."""
    return hashlib.sha256(f"{recipe.model_dump_json()}|{fingerprint}|{torch.__version__}".encode()).hexdigest()


def epoch_generator(seed: int, stage: str, epoch: int) -> torch.Generator:
    """The CPU generator of one epoch's draws."""
    digest = hashlib.sha256(f"{seed}/{stage}/{epoch}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:7], "big"))


def write_checkpoint(path: Path, key: str, checkpoint: Checkpoint) -> None:
    """Replace the checkpoint at `path`.

    Raises:
        ModelError: it cannot be written.
    """
    buffer = io.BytesIO()
    torch.save({"key": key, **vars(checkpoint)}, buffer)
    replace_file(path, buffer.getvalue())


def read_checkpoint(path: Path, key: str) -> Checkpoint | None:
    """The checkpoint at `path`, or None if there is none, it is unreadable, or it belongs to another run."""
    try:
        data = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError):
        return None
    if not isinstance(data, dict) or data.pop("key", None) != key:
        return None
    return Checkpoint(**data)
