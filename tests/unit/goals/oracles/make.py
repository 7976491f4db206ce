"""Make `golden.json`: what other implementations say of the inputs in `cases.py`.

Usage, from the repository's root, in an environment of its own:

    python -m venv /tmp/oracles
    /tmp/oracles/bin/pip install numpy torch pycocotools scikit-learn scikit-image pytorch-msssim torchmetrics
    /tmp/oracles/bin/python -m tests.unit.goals.oracles.make
"""

from __future__ import annotations

import contextlib
import io
import json
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from pytorch_msssim import ms_ssim, ssim
from skimage.metrics import structural_similarity
from sklearn.metrics import f1_score, precision_score, recall_score
from torchmetrics.functional.classification import multiclass_f1_score

from tests.unit.goals.oracles.cases import IMAGE_CASES, LARGE, SMALL, image_pair, labels, scenes

PACKAGES = ("numpy", "torch", "pycocotools", "scikit-learn", "scikit-image", "pytorch-msssim", "torchmetrics")
SCENES = {"sparse": {"seed": 1}, "crowded": {"seed": 2, "crowded": True}, "large": {"seed": 3, "images": 150, "classes": 6}}


def coco(found, classes):
    """MAP@[.5:.95] and MAP@.5 by pycocotools."""
    images = [{"id": number + 1} for number in range(len(found))]
    truths, made = [], []
    for number, scene in enumerate(found):
        for box, kind in zip(scene.objects.astype(float), scene.classes, strict=True):
            sides = [box[2] - box[0], box[3] - box[1]]
            truths.append(
                {"id": len(truths) + 1, "image_id": number + 1, "category_id": int(kind) + 1, "iscrowd": 0}
                | {"bbox": [box[0], box[1], *sides], "area": sides[0] * sides[1]}
            )
        for box, label, score in zip(scene.boxes.astype(float), scene.labels, scene.scores, strict=True):
            sides = [max(0.0, box[2] - box[0]), max(0.0, box[3] - box[1])]
            made.append(
                {"image_id": number + 1, "category_id": int(label) + 1, "bbox": [box[0], box[1], *sides], "score": float(score)}
            )
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = {
            "images": images,
            "annotations": truths,
            "categories": [{"id": c + 1} for c in range(classes)],
            "info": {},
        }
        truth.createIndex()
        evaluation = COCOeval(truth, truth.loadRes(made), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return {"map_coco": float(evaluation.stats[0]), "map50_101": float(evaluation.stats[1])}


def similarity(name, size):
    """SSIM by two packages; MS-SSIM by the one whose definition is taken.

    torchmetrics is no oracle here: it averages over the padded border too, and differs by up to .02.
    """
    first, second = image_pair(name, size)
    one, other = torch.from_numpy(first)[None], torch.from_numpy(second)[None]
    found = {
        "ssim_skimage": structural_similarity(
            first, second, data_range=1, channel_axis=0, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
        ),
        "ssim_pytorch_msssim": ssim(one, other, data_range=1, size_average=False),
    }
    if min(size) > 160:
        found["ms_ssim"] = ms_ssim(one, other, data_range=1, size_average=False)
    return {key: float(value) for key, value in found.items()}


def classes(seed, count=7):
    """Macro F1, recall and precision by scikit-learn; F1 without missing predictions by torchmetrics too."""
    truth, predicted = labels(seed, classes=count)
    occur = sorted({*truth.tolist(), *predicted.tolist()} - {-1})
    whole = predicted >= 0
    every = {"labels": list(range(count)), "average": None}
    return {
        "macro_f1": float(f1_score(truth, predicted, labels=occur, average="macro")),
        "recall": recall_score(truth, predicted, zero_division=np.nan, **every).tolist(),
        "precision": precision_score(truth, predicted, zero_division=0, **every).tolist(),
        "macro_f1_whole": float(f1_score(truth[whole], predicted[whole], average="macro")),
        "macro_f1_whole_torchmetrics": float(
            multiclass_f1_score(torch.from_numpy(predicted[whole]), torch.from_numpy(truth[whole]), count, average="macro")
        ),
    }


def main() -> None:
    """Write the file."""
    found = {
        "versions": {package: version(package) for package in PACKAGES},
        "detection": {name: options | coco(scenes(**options), options.get("classes", 4)) for name, options in SCENES.items()},
        "similarity": {
            f"{name}-{side}": similarity(name, size)
            for name in IMAGE_CASES
            for side, size in (("large", LARGE), ("small", SMALL))
        },
        "classification": {str(seed): classes(seed) for seed in (1, 2, 3)},
    }
    text = json.dumps(found, indent=1).replace("NaN", "null") + "\n"
    Path(__file__).with_name("golden.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
