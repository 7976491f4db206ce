"""The attention-feature (AF) module: features scaled by a mask that is predicted from them and from the channel's state.

Source: Lo et al., App. D-A, after Xu et al., IEEE TCSVT 32(4), 2022.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["AttentionFeature"]

OPEN = 2.0
"""Bias of the mask before training: σ(2) = 0.88, so that a network starts close to the one without masks."""


class AttentionFeature(nn.Module):
    """s = σ(FC(ReLU(FC([f, c])))), and f ⊙ s.

    Args:
        width: length of the features f.
        csi: length of the channel's state c.

    Shapes:
        float32 [task, width] and float32 [task, csi] -> float32 [task, width].
    """

    def __init__(self, *, width: int, csi: int) -> None:
        super().__init__()
        hidden = max(8, width // 4)
        self.context = nn.Linear(width + csi, hidden)
        self.factor = nn.Linear(hidden, width)
        nn.init.constant_(self.factor.bias, OPEN)

    def mask(self, features: Tensor, csi: Tensor) -> Tensor:
        """The mask, float32 [task, width] in 0…1."""
        found: Tensor = torch.sigmoid(self.factor(torch.relu(self.context(torch.cat([features, csi], dim=-1)))))
        return found

    def forward(self, features: Tensor, csi: Tensor) -> Tensor:
        """Features scaled by their mask, see the class."""
        return features * self.mask(features, csi)
