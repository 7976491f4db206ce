"""Which gallery images are right answers to a task, and which do not count for it.

Junk is what shows the task's person from any camera of the task, and every image labelled junk (−1). Distractors (0) are wrong
answers. Source: Zheng et al., Scalable Person Re-identification, ICCV 2015.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from hil.datasets.dataset import JUNK, Split

__all__ = ["Relevance"]


@dataclass(frozen=True, kw_only=True)
class Relevance:
    """For each task the gallery images of its own person, listed: there are few of them.

    Attributes:
        starts: int64 [task + 1]; task t has the entries starts[t] … starts[t + 1] − 1.
        images: int64 [entry], ascending within a task.
        right: bool [entry]: a right answer, else junk for this task.
        junk: bool [image], labelled junk: counts for no task.
    """

    starts: Tensor
    images: Tensor
    right: Tensor
    junk: Tensor

    @classmethod
    def of(cls, identities: Tensor, cameras: Tensor, gallery: Split) -> Relevance:
        """Of tasks with these persons, int64 [task], seen from these cameras, int64 [task, view]."""
        junk = gallery.identities == JUNK
        order = torch.argsort(gallery.identities, stable=True)
        known = gallery.identities[order]
        first = torch.searchsorted(known, identities)
        counts = torch.searchsorted(known, identities, right=True) - first
        counts[identities == JUNK] = 0
        starts = torch.cat([counts.new_zeros(1), counts.cumsum(0)])
        task = torch.repeat_interleave(torch.arange(len(identities)), counts)
        images = order[torch.arange(len(task)) - starts[task] + first[task]]
        seen = (cameras[task] == gallery.cameras[images][:, None]).any(1)
        return cls(starts=starts, images=images, right=~seen, junk=junk)

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def task(self) -> Tensor:
        """The task of each entry, int64 [entry]."""
        return torch.repeat_interleave(torch.arange(len(self)), self.starts.diff())

    def _counted(self, which: Tensor) -> Tensor:
        return torch.zeros(len(self), dtype=torch.int64).index_add_(0, self.task, which.long())

    @property
    def positives(self) -> Tensor:
        """Number of right answers, int64 [task]."""
        return self._counted(self.right)

    @property
    def counted(self) -> Tensor:
        """Number of gallery images that count, int64 [task]."""
        return int((~self.junk).sum()) - self._counted(~self.right)

    def entries(self, index: Tensor, *, right: bool) -> tuple[Tensor, Tensor]:
        """Right answers, or own junk, of many rows that answer tasks.

        Args:
            index: int64 [row], the task of each.
            right: which of the two.

        Returns:
            row and image of each entry, int64 [n] each, ascending.
        """
        counts = self.starts.diff()[index]
        row = torch.repeat_interleave(torch.arange(len(index)), counts)
        place = torch.arange(len(row)) - torch.repeat_interleave(counts.cumsum(0) - counts, counts) + self.starts[index][row]
        keep = self.right[place] == right
        return row[keep], self.images[place[keep]]
