"""Print what raw pixels and colour histograms retrieve on a data set: the baselines of docs/data-card.md.

Usage: python scripts/baselines.py [SPEC]     (synthetic by default)
"""

from __future__ import annotations

import sys

import numpy as np
import torch
from torch import Tensor

from hil.datasets.dataset import load_dataset
from hil.datasets.images import batches
from hil.errors import HilError
from hil.goals.retrieval.ranking import chance, rank
from hil.goals.retrieval.tasks import make_tasks


def raw_pixels(images: Tensor) -> Tensor:
    """Pixels as they are; uint8 [image, C, H, W] -> float32 [image, p]."""
    return images.flatten(1).to(torch.float32) / 255.0


def channel_histograms(images: Tensor) -> Tensor:
    """Eight bins a channel, shares; uint8 [image, C, H, W] -> float32 [image, 8·C]."""
    bins = images.flatten(2) // 32
    return torch.stack([(bins == level).to(torch.float32).mean(2) for level in range(8)], dim=2).flatten(1)


def joint_histogram(images: Tensor) -> Tensor:
    """4 × 4 × 4 bins over R, G and B together, shares; uint8 [image, 3, H, W] -> float32 [image, 64]."""
    red, green, blue = (images // 64).to(torch.int64).flatten(2).unbind(1)
    cells = red * 16 + green * 4 + blue
    counts = torch.zeros(len(images), 64).scatter_add_(1, cells, torch.ones(cells.shape))
    return counts / cells.shape[1]


def bootstrap_interval(hits: Tensor, people: Tensor, draws: int = 2000) -> tuple[float, float]:
    """95 % interval of a mean, people resampled; bool [task], int64 [task]."""
    _, own, counts = people.unique(return_inverse=True, return_counts=True)
    right = np.bincount(own.numpy(), hits.numpy())
    drawn = np.random.default_rng(1).multinomial(len(right), np.full(len(right), 1 / len(right)), size=draws)
    low, high = np.percentile(drawn @ right / (drawn @ counts.numpy()), [2.5, 97.5])
    return float(low), float(high)


def main() -> int:
    """Print one line a baseline."""
    torch.set_num_threads(1)
    spec = sys.argv[1] if len(sys.argv) > 1 else "synthetic"
    try:
        dataset = load_dataset(spec)
        tasks = make_tasks(dataset)
    except HilError as err:
        print(f"error: {err}", file=sys.stderr)
        return 1
    identities = len(set(tasks.identities.tolist()))
    print(f"{spec}: {len(tasks)} tasks of {identities} identities, gallery {len(dataset.gallery)}, {dataset.fingerprint}")
    print(f"{'chance':<20} {100 * chance(tasks, dataset.gallery):5.2f}")
    for name, describe in (
        ("raw pixels", raw_pixels),
        ("histogram 3 × 8", channel_histograms),
        ("histogram 4 × 4 × 4", joint_histogram),
    ):
        asked, stored = (
            torch.cat([describe(part) for part in batches(split.images)])
            for split in (dataset.split(tasks.split), dataset.split("gallery"))
        )
        for views in (1, 2):
            scores = rank(asked[tasks.views], torch.stack([stored, stored]), tasks, dataset.gallery, views=views)
            low, high = bootstrap_interval(scores.top1, tasks.identities)
            top1 = 100 * float(scores.top1.double().mean())
            interval = f"[{100 * low:5.2f}, {100 * high:5.2f}]"
            print(f"{name:<20} {top1:5.2f} {interval}  mAP {100 * scores.mean_ap:5.2f}  {views} view(s)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
