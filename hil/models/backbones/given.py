"""No network: the data set gives features instead of pictures, which somebody's network made elsewhere."""

from __future__ import annotations

from torch import Tensor, nn

__all__ = ["GivenFeatures"]


class GivenFeatures(nn.Module):
    """The feature that a transmitter's network would make; nothing to train.

    Args:
        branch: of the transmitter, from 0; it takes its own view of features, or the only one there is.
    Shapes:
        float32 [image, view, 1, p] -> float32 [image, p].
    """

    def __init__(self, branch: int) -> None:
        super().__init__()
        self.branch = branch

    def forward(self, features: Tensor) -> Tensor:
        """Choose, see the class."""
        return features[:, self.branch if features.shape[1] > 1 else 0, 0]
