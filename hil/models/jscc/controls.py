"""What keeps a comparison honest: how much of two views' advantage is that of two networks (SIGNALS.md, "Comparisons")."""

from __future__ import annotations

import torch
from torch import Tensor

from hil.models.contract import Sent
from hil.models.jscc.network import JsccNetwork
from hil.models.jscc.schemes import NomaJscc, OmaJscc, own_uses
from hil.models.recipe import Recipe

__all__ = ["SameViewNoma", "SameViewOma", "TwinSingle"]


class SameViewOma(OmaJscc):
    """OMA's trained networks, all given the first view: an ensemble without diversity."""

    def encode(self, views: Tensor, csi: Tensor | None = None, generator: torch.Generator | None = None) -> Sent:
        """As `JsccNetwork.encode`, with the first view in every branch."""
        return super().encode(views[:, :1].expand_as(views), csi, generator)


class SameViewNoma(NomaJscc):
    """NOMA's trained networks, all given the first view."""

    def encode(self, views: Tensor, csi: Tensor | None = None, generator: torch.Generator | None = None) -> Sent:
        """As `JsccNetwork.encode`, with the first view in every branch."""
        return super().encode(views[:, :1].expand_as(views), csi, generator)


class TwinSingle(JsccNetwork):
    """One transmitter with two networks on its one view, as large as OMA's two together; each fills one half of the uses.

    Its feature is both networks' one after the other, so that the distance to a gallery image is the sum of theirs.
    """

    def __init__(self, recipe: Recipe) -> None:
        super().__init__(recipe, filled=own_uses(recipe, 2), together=True)

    def extract(self, views: Tensor) -> Tensor:
        """Features of the one view by both networks, float32 [task, branch, p]; see `BranchNetwork.extract`."""
        return super().extract(views.expand(-1, 2, -1, -1, -1) if views.ndim == 5 and views.shape[1] == 1 else views)
