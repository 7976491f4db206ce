"""Semantic importance: how much each feature map of a task network tells of the class, by gradients; and the loss weighted so.

Source: Sun et al., Deep Joint Source-Channel Coding for Wireless Image Transmission with Semantic Importance, Sec. III (GSW
module, eq. 10; semantic loss). Gradients are of logits: those of softmax outputs sum to zero over the classes.
"""

from __future__ import annotations

import torch
from torch import Tensor

from hil.errors import ModelError
from hil.models.image.classifier import ImageClassifier
from hil.models.recipe import Semantic

__all__ = ["effective_maps", "importance", "semantic_loss", "semantic_weights"]

BATCH = 100


def importance(network: ImageClassifier, images: Tensor, settings: Semantic, labels: Tensor | None = None) -> Tensor:
    """W: ∂y^c/∂f_k, mean over places and images, float32 [map].

    Args:
        network: task network, in evaluation mode.
        images: clean ones, float32 [image, 3, H, W].
        settings: the tap, and which y^c counts: the mean of all, the true class's, or the predicted one's.
        labels: true classes, int64 [image]; needed for ``classes = "label"`` alone.

    Raises:
        ModelError: no labels where they are needed.
    """
    if settings.classes == "label" and labels is None:
        raise ModelError('semantic.classes = "label" needs images with classes; take "mean" or "predicted"')
    total = torch.zeros(0)
    for index in torch.arange(len(images)).split(BATCH):
        maps = network.maps(images[index], settings.tap).detach().requires_grad_(True)
        logits = network.judged(maps, settings.tap)
        if settings.classes == "mean":
            counted = logits.mean(1)
        else:
            chosen = logits.argmax(1) if settings.classes == "predicted" or labels is None else labels[index]
            counted = logits.gather(1, chosen[:, None])[:, 0]
        (slope,) = torch.autograd.grad(counted.sum(), maps)
        found = slope.mean((2, 3)).sum(0)
        total = found if not len(total) else total + found
    return total / len(images)


def semantic_weights(wanted: Tensor, temperature: float) -> Tensor:
    """W' = K·softmax(τ·W), float32 [map]: uniform weights are 1."""
    return len(wanted) * torch.softmax(temperature * wanted, 0)


def effective_maps(weights: Tensor) -> float:
    """(Σ w)²/Σ w²: the number of equally weighted maps that would be as concentrated."""
    return float(weights.sum().square() / weights.square().sum())


def semantic_loss(network: ImageClassifier, tap: int, weights: Tensor, sent: Tensor, received: Tensor) -> Tensor:
    """(1/B) Σ_image Σ_k w_k ‖f'_k − f_k‖², a scalar.

    Args:
        network: task network, frozen.
        tap: after which block the maps are taken.
        weights: float32 [map].
        sent, received: images float32 [image, 3, H, W].
    """
    with torch.no_grad():
        truth = network.maps(sent, tap)
    errors = (network.maps(received, tap) - truth).square().sum((2, 3))
    return (errors @ weights).mean()
