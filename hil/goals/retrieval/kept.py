"""Gallery features that are kept between runs: the same weights on the same images give the same ones.

Kept are those of hil's own networks alone. Nobody knows what else a stranger's scheme reads than its file and its weights.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from hil import models
from hil.cache import Store
from hil.datasets.dataset import Dataset
from hil.models.branches import BranchNetwork
from hil.provenance import provenance

__all__ = ["FEATURES", "kept_features"]

FEATURES = Store(name="gallery", most_bytes=2 << 30)
"""Market-1501's gallery takes 10 MB a view with 128 features, 162 MB with 2,048."""
HEAD = 64
"""Bytes of an entry that say the shape."""


def kept_features(scheme: object, dataset: Dataset, mode: str, embed: Callable[[], Mapping[str, Tensor]]) -> Tensor:
    """A scheme's features of a data set's gallery, as they were kept, or embedded now and then kept.

    Args:
        scheme: whose.
        dataset: at the scheme's image size.
        mode: of `hil.models.contract.Embeds.embed`.
        embed: makes them, float32 [view, image, p], of at least this mode; whatever it makes is kept.
    """
    if not isinstance(scheme, BranchNetwork) or type(scheme).__module__.partition(".")[0] != "hil" or scheme.training:
        return embed()[mode]
    about = provenance()
    of = {
        "weights": _weights(scheme),
        "recipe": scheme.recipe.model_dump(mode="json"),
        "code": _code(),
        "images": dataset.fingerprint,
        "size": dataset.image_size,
        "machine": about["machine"],
        "torch": about["packages"]["torch"],
    }
    found = FEATURES.read(_key(of, mode))
    if found is not None:
        shape = tuple(json.loads(found[:HEAD].tobytes()))
        return torch.from_numpy(found[HEAD:].view(np.float32).reshape(shape))
    made = {one: features.contiguous() for one, features in embed().items()}
    for one, features in made.items():
        head = json.dumps(list(features.shape)).encode().ljust(HEAD)
        FEATURES.write(_key(of, one), head, features.numpy().reshape(math.prod(features.shape)).data.cast("B"))
    return made[mode]


def _key(of: Mapping[str, object], mode: str) -> str:
    return json.dumps({**of, "mode": mode}, sort_keys=True)


def _weights(network: BranchNetwork) -> str:
    """SHA-256 of the weights as they are in memory, whatever file they once came from."""
    digest = hashlib.sha256()
    for name, value in sorted(network.state_dict().items()):
        digest.update(f"{name} {value.dtype} {list(value.shape)} {value.device}".encode())
        digest.update(np.ascontiguousarray(value.cpu().numpy()).data)
    return digest.hexdigest()


@cache
def _code() -> str:
    """SHA-256 of the source that networks are made of."""
    digest = hashlib.sha256()
    for folder in models.__path__:
        for path in sorted(Path(folder).rglob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()
