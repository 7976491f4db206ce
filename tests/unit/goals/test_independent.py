"""Metrics against scikit-learn and torchmetrics on random data; detection has a slow reference (`detection.reference`)."""

import numpy as np
import pytest
import torch

from hil.goals.classification.confusion import MACRO_F1, NOTHING, class_metrics
from hil.goals.contract import PerTask
from hil.goals.image.similarity import SSIM_SIDE, ssim
from tests.unit.goals.classification.test_confusion import answered

BORDER = SSIM_SIDE // 2
"""Pixels along each edge where the window does not fit whole."""


@pytest.mark.parametrize("seed", range(4))
def test_classes_agree_with_scikit_learn(seed):
    from sklearn.metrics import accuracy_score, f1_score, precision_score, recall_score

    rng = np.random.default_rng(seed)
    kinds = int(rng.integers(2, 9))
    truth = rng.integers(0, kinds, 200)
    predicted = np.where(rng.random(200) < 0.5, truth, rng.integers(-1, kinds, 200))  # −1: lost, an error of its class
    tasks: PerTask = answered(truth, predicted)
    occur = sorted({*truth.tolist(), *predicted.tolist()} - {NOTHING})
    assert float(tasks.values["accuracy"].double().mean()) == pytest.approx(accuracy_score(truth, predicted), abs=1e-9)
    assert MACRO_F1.of(tasks) == pytest.approx(f1_score(truth, predicted, labels=occur, average="macro"), abs=1e-9)
    every = {"labels": list(range(kinds)), "average": None, "zero_division": 0}
    recalls, precisions = recall_score(truth, predicted, **every), precision_score(truth, predicted, **every)
    metrics = class_metrics(tuple(map(str, range(kinds))))
    assert [metric.of(tasks) for metric in metrics[::2]] == pytest.approx(recalls.tolist(), abs=1e-9)
    assert [metric.of(tasks) for metric in metrics[1::2]] == pytest.approx(precisions.tolist(), abs=1e-9)


@pytest.mark.parametrize("size", [(11, 11), (32, 32), (40, 27)])
def test_ssim_is_that_of_torchmetrics_where_the_window_fits(size):
    """torchmetrics reflects the picture at its edges and averages over them as well: without those places it is ours."""
    from torchmetrics.functional.image import structural_similarity_index_measure

    generator = torch.Generator().manual_seed(size[1])
    first = torch.rand(5, 3, *size, generator=generator, dtype=torch.float64)
    second = (first + 0.2 * torch.randn(first.shape, generator=generator, dtype=torch.float64)).clamp(0, 1)
    whole, places = structural_similarity_index_measure(
        first, second, gaussian_kernel=True, sigma=1.5, kernel_size=11, data_range=1.0, k1=0.01, k2=0.03,
        reduction="none", return_full_image=True,
    )  # fmt: skip
    inside = places[..., BORDER:-BORDER, BORDER:-BORDER].mean((1, 2, 3))
    torch.testing.assert_close(ssim(first, second), inside, rtol=0, atol=1e-6)
    assert float((whole - inside).abs().max()) > 1e-3  # so its own mean is another number
