"""The factorised density of a latent vector, learned through its cumulative distribution function.

Each element has a chain of small monotonic layers from the real line to (0, 1) of its own: matrices are kept positive by a
softplus, and g(x) = x + tanh(a)·tanh(x) rises for every a. So c rises from 0 to 1 whatever the parameters are, and
P(q) = c(q + ½) − c(q − ½) sums to 1 over the integers.

Source: Ballé, Minnen, Singh, Hwang, Johnston, Variational image compression with a scale hyperprior, 2018, App. 6.1.
"""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from hil.models.digital.tables import integer_tables

__all__ = ["SIZE", "FactorizedDensity"]

WIDTHS = (1, 3, 3, 3, 1)
SPREAD = 10.0
"""Width of the initial density, in quantiser steps."""
RAREST = 1e-30
SIZE = 128
"""Integers that a table has room for."""
REACH = 2048
"""Medians are looked for in ±REACH."""


class FactorizedDensity(nn.Module):
    """Cumulative distribution functions of `elements` independent latents.

    Args:
        elements: of the latent vector.
    """

    def __init__(self, elements: int) -> None:
        super().__init__()
        self.elements = elements
        scale = SPREAD ** (1 / (len(WIDTHS) - 1))
        self.matrices, self.biases, self.factors = nn.ParameterList(), nn.ParameterList(), nn.ParameterList()
        for inputs, outputs in pairwise(WIDTHS):
            start = math.log(math.expm1(1 / scale / outputs))
            self.matrices.append(nn.Parameter(torch.full((elements, outputs, inputs), start)))
            self.biases.append(nn.Parameter(torch.rand(elements, outputs, 1) - 0.5))
            self.factors.append(nn.Parameter(torch.zeros(elements, outputs, 1)))

    def logits(self, values: Tensor) -> Tensor:
        """Logit of the cumulative distribution function at `values` [element, n], same shape and type."""
        out = values[:, None]
        last = len(WIDTHS) - 2
        for index, (matrix, bias, factor) in enumerate(zip(self.matrices, self.biases, self.factors, strict=True)):
            out = F.softplus(matrix.to(values.dtype)) @ out + bias.to(values.dtype)
            if index < last:
                out = out + torch.tanh(factor.to(values.dtype)) * torch.tanh(out)
        return out[:, 0]

    def probability(self, values: Tensor) -> Tensor:
        """c(v + ½) − c(v − ½) at `values` [element, n], same shape; exact in both tails."""
        low, high = self.logits(values - 0.5), self.logits(values + 0.5)
        sign = -torch.sign(low + high).detach()  # a sigmoid near 1 has no digits left: take both from the other side
        return (torch.sigmoid(sign * high) - torch.sigmoid(sign * low)).abs()

    def bits(self, latents: Tensor) -> Tensor:
        """−Σ log2 P of latent vectors [task, element], float [task]."""
        return -self.probability(latents.T).clamp_min(RAREST).log2().sum(0)

    def tables(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Integer tables [element, SIZE + 1] of the integers around each median, and the first of those, [element]."""
        integers = torch.arange(-REACH, REACH, dtype=torch.float64, device=self.matrices[0].device)
        with torch.no_grad():
            below = self.logits((integers + 0.5).expand(self.elements, -1)) < 0
            first = below.sum(1) - REACH - SIZE // 2
            within = first[:, None] + torch.arange(SIZE, device=first.device)
            probability = self.probability(within.double()).cpu().numpy()
        return integer_tables(probability), first.cpu().numpy()
