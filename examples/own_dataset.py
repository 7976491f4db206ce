"""A data set of your own: a function that returns splits of images with labels.

Use it with

hil run --schemes single --dataset examples/own_dataset.py:load:30 --snr 10
"""

import sys

import torch

import hil
from hil.datasets.dataset import Dataset, Split
from hil.datasets.folder import resized


def people(count, first, cameras, seed):
    """`count` people in coloured clothes, one picture before each camera: uint8 [image, 3, 64, 32]."""
    generator = torch.Generator().manual_seed(seed)
    clothes = torch.randint(40, 216, (count, 3, 4, 1), generator=generator)
    images, identities, seen = [], [], []
    for camera in cameras:
        light = torch.randint(-30, 31, (count, 3, 1, 1), generator=generator)
        plain = (clothes + light).repeat_interleave(16, dim=2).expand(count, 3, 64, 32)
        images.append(plain + torch.randint(-20, 21, plain.shape, generator=generator))
        identities.append(torch.arange(first, first + count))
        seen.append(torch.full((count,), camera))
    pixels = torch.cat(images).clamp(0, 255).to(torch.uint8)
    names = [f"picture {index}" for index in range(len(pixels))]
    return Split.people(images=pixels, identities=torch.cat(identities), cameras=torch.cat(seen), names=names)


def load(argument, image_size=None):
    """The data set `argument` (how many people) asks for, at the size that a scheme asks for."""
    count = int(argument or 20)
    splits = {
        "train": people(count, 1, (1, 2, 3), seed=1),
        "query": people(count, 1001, (1, 2), seed=2),
        "gallery": people(count, 1001, (3, 4), seed=2),
    }
    if image_size is not None:
        splits = {name: resized(split, image_size) for name, split in splits.items()}
    return Dataset(name="clothes", **splits)


if __name__ == "__main__":
    out = sys.argv[1] if len(sys.argv) > 1 else "runs"
    data = f"{__file__}:load:30"
    results = hil.run(schemes=["single"], dataset=data, snr_db=[10.0], tasks=84, draws=4, out=out)
    for row in results.points:
        print(f"{row.scheme:<15} {row.source:<10} top-1 {100 * row.headline[1].value:.1f} %")
