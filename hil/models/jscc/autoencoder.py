"""The JSCC autoencoder: feature -> complex symbols, received symbols -> feature.

Source: Jankowski et al., Fig. 3 (JSCC AE); Lo et al., Figs. 5 and 6. The first layer of the encoder reduces the feature to
B = 2·uses real values, and the decoder mirrors the encoder. Two real values make one complex use.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["JsccDecoder", "JsccEncoder"]

SLOPE = 0.2


def _block(inputs: int, outputs: int) -> list[nn.Module]:
    return [nn.Linear(inputs, outputs, bias=False), nn.BatchNorm1d(outputs), nn.LeakyReLU(SLOPE)]


class JsccEncoder(nn.Module):
    """FC(p→B)–BN–LeakyReLU, FC(B→B)–BN–LeakyReLU, FC(B→B); not yet normalised in power.

    Shapes:
        float32 [task, features] -> complex64 [task, uses].
    """

    def __init__(self, *, features: int, uses: int) -> None:
        super().__init__()
        width = 2 * uses
        self.layers = nn.Sequential(*_block(features, width), *_block(width, width), nn.Linear(width, width))

    def forward(self, features: Tensor) -> Tensor:
        """Features to symbols, see the class."""
        in_phase, quadrature = self.layers(features).chunk(2, dim=-1)
        return torch.complex(in_phase, quadrature)


class JsccDecoder(nn.Module):
    """FC(B→B)–BN–LeakyReLU, FC(B→B)–BN–LeakyReLU, FC(B→p).

    Shapes:
        complex64 [task, uses] -> float32 [task, features].
    """

    def __init__(self, *, features: int, uses: int) -> None:
        super().__init__()
        width = 2 * uses
        self.layers = nn.Sequential(*_block(width, width), *_block(width, width), nn.Linear(width, features))

    def forward(self, symbols: Tensor) -> Tensor:
        """Received symbols to features, see the class."""
        out: Tensor = self.layers(torch.cat([symbols.real, symbols.imag], dim=-1))
        return out
