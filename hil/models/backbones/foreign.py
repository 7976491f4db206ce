"""Anybody's image -> feature network: ``path.py:Class``, and weights of its own in their published keys."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from hil.errors import ConfigError, ModelError
from hil.foreign import load_foreign
from hil.models.state_dicts import read_state_dict

__all__ = ["check_features", "foreign_backbone", "load_weights"]

HEADS = ("fc.", "classifier.")
"""Keys of the layers that published networks have behind their features, for classes that are not ours."""


def foreign_backbone(spec: str) -> nn.Module:
    """What ``path.py:Class`` makes when it is called without arguments.

    Shapes:
        float32 [image, 3, H, W] in 0…1 -> float32 [image, features], in training and in evaluation.

    Raises:
        ConfigError: no such class, or something that is no `torch.nn.Module`.
    """
    made = load_foreign(spec, "backbone", call=True)
    if not isinstance(made, nn.Module):
        raise ConfigError(f"backbone '{spec}' makes a {type(made).__name__}, not a torch.nn.Module")
    return made


def check_features(spec: str, backbone: nn.Module, image_size: tuple[int, int], features: int) -> None:
    """Ask a backbone once, in both modes: published networks often put out class scores in training.

    Raises:
        ConfigError: it does not take such images, or puts out something else than features of that length.
    """
    images = torch.zeros(2, 3, *image_size)
    before = {key: value.clone() for key, value in backbone.state_dict().items()}
    for training in (True, False):
        backbone.train(training)
        try:
            with torch.no_grad():
                found = backbone(images)
        except Exception as err:  # whatever a stranger's network raises
            raise ConfigError(f"backbone '{spec}' does not take images of {image_size[0]} × {image_size[1]}: {err}") from err
        if not isinstance(found, Tensor) or tuple(found.shape) != (2, features):
            shape = list(found.shape) if isinstance(found, Tensor) else type(found).__name__
            raise ConfigError(
                f"backbone '{spec}' puts out {shape} for 2 images {'in training' if training else 'in evaluation'}, not "
                f"[2, {features}]; set features, and have its forward return features in both modes (a subclass can)"
            )
    backbone.load_state_dict(before)  # batch norm has looked at what was no image
    backbone.train()


def load_weights(backbone: nn.Module, path: Path) -> None:
    """Put a published weights file into a backbone: every key must be there and fit, but for those of a class head.

    Raises:
        ModelError: see `hil.models.state_dicts.read_state_dict`; or keys or shapes differ.
    """
    own, state = backbone.state_dict(), read_state_dict(path)

    def fits(key: str) -> bool:
        return key in own and key in state and own[key].shape == state[key].shape

    body = {key for key in {*own, *state} if not key.startswith(HEADS)}
    if wrong := sorted(key for key in body if not fits(key)):
        raise ModelError(
            f"{path} does not fit the backbone: {len(wrong)} keys are missing on either side or have another shape "
            f"({', '.join(wrong[:4])}{', …' if len(wrong) > 4 else ''})"
        )
    backbone.load_state_dict({key: state[key] if fits(key) else value for key, value in own.items()})
