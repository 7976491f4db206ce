"""The JSCC autoencoder: feature -> complex symbols, received symbols -> feature.

Source: Jankowski et al., Fig. 3 (JSCC AE); Lo et al., Figs. 5 and 6. The first layer of the encoder reduces the feature to
B = 2·uses real values, and the decoder mirrors the encoder. Two real values make one complex use. Where a coder knows the
channel's state, attention-feature modules stand before, between and after its layers (Lo et al., App. D).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hil.models.jscc.attention import AttentionFeature

__all__ = ["JsccDecoder", "JsccEncoder"]

SLOPE = 0.2
LAYERS = (slice(0, 3), slice(3, 6), slice(6, 7))
"""FC–BN–LeakyReLU, FC–BN–LeakyReLU, FC."""


def _block(inputs: int, outputs: int) -> list[nn.Module]:
    return [nn.Linear(inputs, outputs, bias=False), nn.BatchNorm1d(outputs), nn.LeakyReLU(SLOPE)]


class _Coder(nn.Module):
    """FC–BN–LeakyReLU, FC–BN–LeakyReLU, FC, with a module before and after each where the channel's state is known.

    Args:
        widths: of the input and of the three layers' outputs.
        csi: length of the channel's state; 0: it is not known.
    """

    def __init__(self, widths: tuple[int, int, int, int], csi: int) -> None:
        super().__init__()
        first, second, third, last = widths
        self.layers = nn.Sequential(*_block(first, second), *_block(second, third), nn.Linear(third, last))
        self.attention = nn.ModuleList(AttentionFeature(width=width, csi=csi) for width in widths if csi)

    def through(self, values: Tensor, csi: Tensor | None) -> Tensor:
        """Real values through layers and modules."""
        if not len(self.attention):
            found: Tensor = self.layers(values)
            return found
        before, *after = self.attention
        values = before(values, csi)
        for layers, module in zip(LAYERS, after, strict=True):
            values = module(self.layers[layers](values), csi)
        return values


class JsccEncoder(_Coder):
    """FC(p→B)–BN–LeakyReLU, FC(B→B)–BN–LeakyReLU, FC(B→B); not yet normalised in power.

    Args:
        features: length p of the feature.
        uses: complex channel uses B/2.
        csi: length of the channel's state; 0: it is not known.

    Shapes:
        float32 [task, features] and, where it is known, float32 [task, csi] -> complex64 [task, uses].
    """

    def __init__(self, *, features: int, uses: int, csi: int = 0) -> None:
        super().__init__((features, 2 * uses, 2 * uses, 2 * uses), csi)

    def forward(self, features: Tensor, csi: Tensor | None = None) -> Tensor:
        """Features to symbols, see the class."""
        in_phase, quadrature = self.through(features, csi).chunk(2, dim=-1)
        return torch.complex(in_phase, quadrature)


class JsccDecoder(_Coder):
    """FC(B→B)–BN–LeakyReLU, FC(B→B)–BN–LeakyReLU, FC(B→p); its first module scales what was received.

    Args:
        features: length p of the feature.
        uses: complex channel uses B/2.
        csi: length of the channel's state; 0: it is not known.

    Shapes:
        complex64 [task, uses] and, where it is known, float32 [task, csi] -> float32 [task, features].
    """

    def __init__(self, *, features: int, uses: int, csi: int = 0) -> None:
        super().__init__((2 * uses, 2 * uses, 2 * uses, features), csi)

    def forward(self, symbols: Tensor, csi: Tensor | None = None) -> Tensor:
        """Received symbols to features, see the class."""
        return self.through(torch.cat([symbols.real, symbols.imag], dim=-1), csi)
