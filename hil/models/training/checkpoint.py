"""Training checkpoints: one file, replaced atomically after every epoch.

All random draws of an epoch come from a generator seeded by (seed, stage, epoch), so parameters, batch statistics and the
optimiser's state are all there is to keep: a run resumed after a kill makes the same bits as one never stopped.
"""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from hil.errors import ModelError
from hil.files import replace_file
from hil.models.recipe import STAGE_NAMES, Recipe

__all__ = ["Checkpoint", "epoch_generator", "read_checkpoint", "run_key", "write_checkpoint"]

KIND = b"hil checkpoint "
HEAD = KIND + b"3\n"
"""Before the SHA-256 of the rest, in hexadecimal, a line end, and what torch saves. 1 had no head, 2 the last losses only."""


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """State after `epoch` epochs of `stage`.

    Attributes:
        stage: name of the stage in progress.
        epoch: epochs of it done.
        model: state dict of the trainable.
        optimiser: state dict of the stage's optimiser.
        seconds: spent so far, by stage.
        losses: mean loss of every epoch, by stage.
    """

    stage: str
    epoch: int
    model: dict[str, Any]
    optimiser: dict[str, Any]
    seconds: dict[str, float] = field(default_factory=dict)
    losses: dict[str, list[float]] = field(default_factory=dict)


def run_key(recipe: Recipe, fingerprint: str) -> str:
    """Names a run by its recipe and data; a checkpoint of another run is never resumed from.

    Settings that came later count where they are used, so that a training that began before them goes on.
    """
    later = ("frozen", "mixed_precision", "bnneck", "binary_power", "classes", "semantic", "layers", "peaks")
    unused: dict[str, Any] = {name: True for name in later if getattr(recipe, name) == Recipe.model_fields[name].default}
    if not recipe.channel.captures:
        unused["channel"] = {"captures"}
    for name, stage in ((name, getattr(recipe, name)) for name in STAGE_NAMES if getattr(recipe, name) is not None):
        left = {key for key in ("warm_up", "triplet", "per_identity") if not getattr(stage, key)}
        unused[name] = left | ({"margin"} if "triplet" in left else set())
    return hashlib.sha256(f"{recipe.model_dump_json(exclude=unused)}|{fingerprint}|{torch.__version__}".encode()).hexdigest()


def epoch_generator(seed: int, stage: str, epoch: int) -> torch.Generator:
    """The CPU generator of one epoch's draws."""
    digest = hashlib.sha256(f"{seed}/{stage}/{epoch}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:7], "big"))


def write_checkpoint(path: Path, key: str, checkpoint: Checkpoint) -> None:
    """Replace the checkpoint at `path`.

    Raises:
        OutputError: it cannot be written.
    """
    buffer = io.BytesIO()
    torch.save({"key": key, **vars(checkpoint)}, buffer)
    content = buffer.getvalue()
    replace_file(path, HEAD + hashlib.sha256(content).hexdigest().encode() + b"\n" + content)


def read_checkpoint(path: Path, key: str) -> Checkpoint | None:
    """The checkpoint at `path`; None if there is none.

    Raises:
        ModelError: it is damaged, no checkpoint, of another version, or of another run. Training would overwrite it.
    """
    problem = ""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as err:
        data, problem = b"", f"cannot be read ({err.strerror})"
    if data.startswith(HEAD):
        stated, _, content = data[len(HEAD) :].partition(b"\n")
        if stated.decode("ascii", "replace") == hashlib.sha256(content).hexdigest():
            found: dict[str, Any] = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
            if found.pop("key") == key:
                return Checkpoint(**found)
            problem = "belongs to another training (other recipe, data or version of torch)"
    older = data.startswith((KIND, b"PK"))
    problem = problem or ("is damaged" if data.startswith(HEAD) else "is of another version" if older else "is no checkpoint")
    raise ModelError(
        f"{path} {problem}, and this training would overwrite it; move it away, choose another --out, or give --fresh to start "
        "over in its place"
    )
