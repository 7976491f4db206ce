"""Quantiles of Student's t for any degrees of freedom, and tails of the normal and of χ²; arrays in, arrays out."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

__all__ = ["chi_square_tail", "normal_quantile", "normal_tail", "student_quantile"]

Floats = NDArray[np.float64]


def normal_quantile(tail: ArrayLike) -> Floats:
    """Quantile z ≥ 0 beyond which the standard normal has this probability on both sides together, 0 < tail ≤ 1."""
    half = torch.as_tensor(np.asarray(tail, np.float64) / 2)
    return np.asarray(-torch.special.ndtri(half).numpy())


def normal_tail(z: ArrayLike) -> Floats:
    """Probability of the standard normal beyond ±|z|."""
    found = torch.special.erfc(torch.as_tensor(np.abs(np.asarray(z, np.float64)) / np.sqrt(2)))
    return np.asarray(found.numpy())


def chi_square_tail(value: float, freedom: float) -> float:
    """Probability that χ² of so many degrees of freedom is larger."""
    if freedom <= 0:
        return 1.0
    half = torch.tensor([freedom / 2, max(value, 0.0) / 2], dtype=torch.float64)
    return float(torch.special.gammaincc(half[0], half[1]))


def student_quantile(tail: ArrayLike, freedom: ArrayLike) -> Floats:
    """Quantile t ≥ 0 beyond which Student's distribution has this probability on both sides together.

    Args:
        tail: in (0, 1), broadcastable.
        freedom: degrees of freedom, at least 1, not only integers; broadcastable.

    Source: Hill, Algorithm 396: Student's t-quantiles, Comm. ACM 13, 1970; relative error below 3e-4. Between 1 and 2, where it
    is worse, ln t is interpolated over 1/freedom between the closed forms: at most 4 % too large.
    """
    p, n = (np.array(part, np.float64) for part in np.broadcast_arrays(tail, freedom))
    n = np.clip(n, 1.0, 1e9)
    one, two = 1 / np.tan(p * np.pi / 2), np.sqrt(2 / (p * (2 - p)) - 2)
    few = two * (one / two) ** np.clip(2 / n - 1, 0.0, 1.0)
    return np.asarray(np.where(n <= 2, few, _expanded(p, np.maximum(n, 2.0))))


def _expanded(p: Floats, n: Floats) -> Floats:
    """Hill's expansions, far from the middle and near it."""
    a = 1 / (n - 0.5)
    b = 48 / a**2
    c = ((20700 * a / b - 98) * a - 16) * a + 96.36
    d = ((94.5 / (b + c) - 3) / b + 1) * np.sqrt(a * np.pi / 2) * n
    y = (d * p) ** (2 / n)
    near = _near(p, n, a, b, c, d)
    with np.errstate(divide="ignore"):
        inner = 1 / (((n + 6) / (n * y) - 0.089 * d - 0.822) * (n + 2) * 3) + 0.5 / (n + 4)
        far = (inner * y - 1) * (n + 1) / (n + 2) + 1 / y
    return np.asarray(np.sqrt(n * np.where(y > 0.05 + a, near, far)))


def _near(p: Floats, n: Floats, a: Floats, b: Floats, c: Floats, d: Floats) -> Floats:
    """The expansion about the normal quantile."""
    x = -normal_quantile(p)
    y = x * x
    c = c + np.where(n < 5, 0.3 * (n - 4.5) * (x + 0.6), 0.0)
    c = (((0.05 * d * x - 5) * x - 7) * x - 2) * x + b + c
    y = (((((0.4 * y + 6.3) * y + 36) * y + 94.5) / c - y - 3) / b + 1) * x
    return np.asarray(np.expm1(a * y * y))
