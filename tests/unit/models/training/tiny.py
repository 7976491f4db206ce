"""Recipes and data that are trained in a moment: random images of a few identities, enough to run every line."""

from dataclasses import dataclass

import torch

from hil.models.recipe import Augment, Recipe, Stage

SIZE = (32, 16)


@dataclass(frozen=True)
class Tiny:
    """What `train` asks of a data set."""

    train: object
    name: str = "tiny"
    fingerprint: str = "f00d"


@dataclass(frozen=True)
class TinySplit:
    images: torch.Tensor
    identities: torch.Tensor
    cameras: torch.Tensor


def tiny(identities: int = 8, cameras: int = 4) -> Tiny:
    generator = torch.Generator().manual_seed(1)
    count = identities * cameras
    images = torch.randint(0, 256, (count, 3, *SIZE), generator=generator, dtype=torch.uint8)
    labels = torch.arange(count) // cameras + 1
    return Tiny(train=TinySplit(images=images, identities=labels, cameras=torch.arange(count) % cameras + 1))


def stage(loss: str, epochs: int = 2, **more) -> Stage:
    return Stage(loss=loss, epochs=epochs, batch_size=8, lr=1e-2, schedule="cosine", optimiser="adamw", **more)


def recipe(name: str, scheme: str, **more) -> Recipe:
    settings = {"features": 8, "uses": 8, "image_size": SIZE, "augment": Augment(flip=0.5, shift=1, erase=0.5, colour=0.2)}
    return Recipe(name=name, scheme=scheme, **{**settings, **more})


def baseline(**more) -> Recipe:
    return recipe("baseline-pair", "baseline-pair", t1=stage("cross_entropy", 2, label_smoothing=0.1), **more)


def noma(**more) -> Recipe:
    return recipe(
        "jscc-noma", "jscc-noma", **{"init": "baseline-pair", "t2": stage("mse"), "t3": stage("cross_entropy"), **more}
    )


def long_noma() -> Recipe:
    return noma(init=None, t1=stage("cross_entropy", 3), t2=stage("mse", 3), t3=stage("cross_entropy", 3))
