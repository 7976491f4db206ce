"""Inputs of the golden metrics: drawn by numpy's PCG64, so that only the numbers of the other implementations are kept."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

IMAGE_CASES = {"noise": 1, "shifted": 2, "unrelated": 3, "same": 4}
LARGE = (176, 201)
SMALL = (19, 24)


@dataclass(frozen=True, kw_only=True)
class Scene:
    """One image's true objects and its detections: boxes [n, 4] (left, top, right, bottom), classes [n], scores [n].

    Attributes:
        difficult: bool [n], objects that nobody must find.
    """

    objects: np.ndarray
    classes: np.ndarray
    boxes: np.ndarray
    labels: np.ndarray
    scores: np.ndarray
    difficult: np.ndarray


def image_pair(name: str, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Two images, float64 [3, H, W] in 0…1."""
    rng = np.random.Generator(np.random.PCG64([IMAGE_CASES[name], *size]))
    coarse = rng.random((3, size[0] // 4 + 2, size[1] // 4 + 2))
    first = np.kron(coarse, np.ones((1, 4, 4)))[:, : size[0], : size[1]]
    first = 0.9 * first + 0.1 * rng.random(first.shape)
    if name == "noise":
        second = np.clip(first + 0.1 * rng.standard_normal(first.shape), 0, 1)
    elif name == "shifted":
        second = np.roll(first, 1, axis=2)
    elif name == "unrelated":
        second = rng.random(first.shape)
    else:
        second = first.copy()
    return first, second


def scenes(seed: int, *, images: int = 40, classes: int = 4, crowded: bool = False, difficult: float = 0.0) -> list[Scene]:
    """Images with up to 6 objects and up to 12 detections, most of them near an object; scores all differ.

    `difficult` is the share of objects that are, drawn apart from all else.
    """
    marks = np.random.Generator(np.random.PCG64([seed, 1]))
    rng = np.random.Generator(np.random.PCG64(seed))
    found = []
    for _ in range(images):
        count = int(rng.integers(0, 7))
        corner = rng.random((count, 2)) * (12 if crowded else 40)
        objects = np.concatenate([corner, corner + 6 + rng.random((count, 2)) * 14], 1)
        kinds = rng.integers(0, classes, count)
        boxes, labels = [], []
        for _ in range(int(rng.integers(0, 13))):
            if count and rng.random() < 0.8:
                near = int(rng.integers(count))
                boxes.append(objects[near] + rng.normal(0, 1.5, 4))
                labels.append(kinds[near] if rng.random() < 0.85 else int(rng.integers(classes)))
            else:
                corner = rng.random(2) * 40
                boxes.append(np.concatenate([corner, corner + 2 + rng.random(2) * 15]))
                labels.append(int(rng.integers(classes)))
        scores = np.round(rng.permutation(1000)[: len(boxes)] / 1001 + rng.random(len(boxes)) / 2000 + 1e-4, 9)
        found.append(
            Scene(
                objects=objects.astype(np.float32).reshape(-1, 4),
                classes=kinds.astype(np.int64),
                boxes=np.array(boxes, np.float32).reshape(-1, 4),
                labels=np.array(labels, np.int64),
                scores=scores.astype(np.float32),
                difficult=marks.random(count) < difficult,
            )
        )
    return found


def labels(seed: int, *, tasks: int = 300, classes: int = 7) -> tuple[np.ndarray, np.ndarray]:
    """True classes and predicted ones, int64 [task]; one class in ten predictions is missing (−1). One class never occurs."""
    rng = np.random.Generator(np.random.PCG64(seed))
    truth = rng.integers(0, classes - 1, tasks)
    predicted = np.where(rng.random(tasks) < 0.6, truth, rng.integers(0, classes - 1, tasks))
    return truth, np.where(rng.random(tasks) < 0.1, -1, predicted)
