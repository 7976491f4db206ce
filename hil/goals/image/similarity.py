"""How alike two images are: PSNR, SSIM, MS-SSIM. Values lie in 0…1, so the peak is 1; all sums are in float64."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["MS_SSIM_SIDE", "PSNR_CAP_DB", "SSIM_SIDE", "ms_ssim", "psnr_db", "ssim"]

PSNR_CAP_DB = 100.0
"""PSNR of images that are equal, or nearly: a mean squared error below 1e-10 counts as 1e-10."""

WINDOW, SIGMA = 11, 1.5
K1, K2 = 0.01, 0.03
SSIM_SIDE = WINDOW
"""Shortest side that the window fits into, pixels."""

SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
MS_SSIM_SIDE = (WINDOW - 1) * 2 ** (len(SCALE_WEIGHTS) - 1) + 1
"""Shortest side that the window fits into after four halvings, pixels."""


def psnr_db(mse: Tensor) -> Tensor:
    """Peak signal-to-noise ratio of a mean squared error, dB; 100 dB at most."""
    return -10 * torch.log10(mse.clamp_min(10 ** (-PSNR_CAP_DB / 10)))


def ssim(first: Tensor, second: Tensor) -> Tensor:
    """Structural similarity of image pairs, the mean over channels and over the places where the whole window fits.

    Args:
        first: [n, C, H, W] in 0…1, H and W at least `SSIM_SIDE`.
        second: the same shape.

    Returns:
        float64 [n], −1…1.

    Source: Wang et al., Image Quality Assessment: From Error Visibility to Structural Similarity, IEEE TIP 13(4), 2004:
    Gaussian window of 11×11 with σ = 1.5, K1 = .01, K2 = .03.
    """
    whole, _ = _ssim(first.double(), second.double())
    return whole.mean(1)


def ms_ssim(first: Tensor, second: Tensor) -> Tensor:
    """Structural similarity over five scales of image pairs, the mean over channels.

    Args:
        first: [n, C, H, W] in 0…1, H and W at least `MS_SSIM_SIDE`.
        second: the same shape.

    Returns:
        float64 [n], 0…1.

    Source: Wang, Simoncelli and Bovik, Multi-Scale Structural Similarity, Asilomar 2003, as the package pytorch-msssim
    computes it: halved by 2×2 means (an odd side is filled with a zero before), negative factors counted as 0.
    """
    one, other = first.double(), second.double()
    factors = []
    for level in range(len(SCALE_WEIGHTS)):
        whole, contrast = _ssim(one, other)
        if level == len(SCALE_WEIGHTS) - 1:
            factors.append(whole.relu())
            break
        factors.append(contrast.relu())
        odd = [side % 2 for side in one.shape[2:]]
        one, other = F.avg_pool2d(one, 2, padding=odd), F.avg_pool2d(other, 2, padding=odd)
    weights = torch.tensor(SCALE_WEIGHTS, dtype=torch.float64)[:, None, None]
    return (torch.stack(factors) ** weights).prod(0).mean(1)


def _ssim(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """SSIM and its contrast-structure factor by channel, float64 [n, C] each."""
    mean_x, mean_y, square_x, square_y, product = _windowed(torch.stack([x, y, x * x, y * y, x * y]))
    var_x, var_y, covariance = square_x - mean_x**2, square_y - mean_y**2, product - mean_x * mean_y
    c1, c2 = K1**2, K2**2
    contrast = (2 * covariance + c2) / (var_x + var_y + c2)
    whole = (2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1) * contrast
    return whole.mean((2, 3)), contrast.mean((2, 3))


def _windowed(maps: Tensor) -> Tensor:
    """Gaussian-weighted means at every place where the window fits, along both sides of [..., H, W]."""
    place = torch.arange(WINDOW, dtype=torch.float64) - WINDOW // 2
    weights = torch.exp(-(place**2) / (2 * SIGMA**2))
    weights = weights / weights.sum()
    for axis in (-1, -2):
        size = maps.shape[axis] - WINDOW + 1
        total = torch.zeros_like(maps.narrow(axis, 0, size))
        for shift, weight in enumerate(weights.tolist()):
            total.add_(maps.narrow(axis, shift, size), alpha=weight)
        maps = total
    return maps
