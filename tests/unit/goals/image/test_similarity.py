"""PSNR in closed form; SSIM and MS-SSIM against scikit-image, pytorch-msssim, and a plain loop."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hil.goals.image.similarity import MS_SSIM_SIDE, PSNR_CAP_DB, ms_ssim, psnr_db, ssim
from tests.unit.goals.oracles import golden
from tests.unit.goals.oracles.cases import IMAGE_CASES, LARGE, SMALL, image_pair

SIZES = {"large": LARGE, "small": SMALL}


def plain_ssim(first: np.ndarray, second: np.ndarray) -> float:
    """One channel, window by window."""
    place = np.arange(11) - 5
    line = np.exp(-(place**2) / (2 * 1.5**2))
    weights = np.outer(line, line) / np.outer(line, line).sum()
    values = []
    for row in range(first.shape[0] - 10):
        for column in range(first.shape[1] - 10):
            x, y = (image[row : row + 11, column : column + 11] for image in (first, second))
            mx, my = (weights * x).sum(), (weights * y).sum()
            vx, vy = (weights * (x - mx) ** 2).sum(), (weights * (y - my) ** 2).sum()
            cov = (weights * (x - mx) * (y - my)).sum()
            values.append((2 * mx * my + 0.01**2) * (2 * cov + 0.03**2) / ((mx**2 + my**2 + 0.01**2) * (vx + vy + 0.03**2)))
    return float(np.mean(values))


@pytest.mark.parametrize("name", sorted(IMAGE_CASES))
@pytest.mark.parametrize("size", sorted(SIZES))
def test_ssim_agrees_with_other_implementations(name, size):
    kept = golden()["similarity"][f"{name}-{size}"]
    first, second = (torch.from_numpy(image)[None] for image in image_pair(name, SIZES[size]))
    found = float(ssim(first, second))
    assert found == pytest.approx(kept["ssim_skimage"], abs=1e-9)
    assert found == pytest.approx(kept["ssim_pytorch_msssim"], abs=1e-6)  # its window is float32
    if size == "large":
        assert float(ms_ssim(first, second)) == pytest.approx(kept["ms_ssim"], abs=1e-6)


@given(seed=st.integers(0, 10**6), height=st.integers(11, 15), width=st.integers(11, 15), mixed=st.floats(0, 1))
@settings(max_examples=25, deadline=None)
def test_ssim_is_what_its_definition_says(seed, height, width, mixed):
    rng = np.random.default_rng(seed)
    first = rng.random((2, height, width))
    second = mixed * first + (1 - mixed) * rng.random((2, height, width))
    found = float(ssim(torch.from_numpy(first)[None], torch.from_numpy(second)[None]))
    assert found == pytest.approx(np.mean([plain_ssim(*pair) for pair in zip(first, second, strict=True)]), abs=1e-9)


def test_pairs_are_measured_each_by_itself():
    pairs = [image_pair(name, SMALL) for name in IMAGE_CASES]
    first, second = (torch.from_numpy(np.stack(images)) for images in zip(*pairs, strict=True))
    alone = torch.cat([ssim(one[None], other[None]) for one, other in zip(first, second, strict=True)])
    torch.testing.assert_close(ssim(first, second), alone, rtol=1e-12, atol=1e-12)


def test_the_least_side_of_ms_ssim_is_the_papers():
    assert MS_SSIM_SIDE == 161
    image = torch.rand(1, 1, 161, 161, generator=torch.Generator().manual_seed(0))
    assert float(ms_ssim(image, image)) == pytest.approx(1)


def test_psnr_in_closed_form_and_its_cap():
    mse = torch.tensor([1.0, 0.01, 1 / 255**2, 1e-10, 1e-12, 0.0], dtype=torch.float64)
    expected = [0.0, 20.0, 20 * math.log10(255), PSNR_CAP_DB, PSNR_CAP_DB, PSNR_CAP_DB]
    assert psnr_db(mse).tolist() == pytest.approx(expected)
