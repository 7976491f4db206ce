"""Pictures of another size than the codec was trained on: it is fully convolutional, so the same weights serve them.

Measure your own folder of pictures, 512 × 768 such as Kodak's, with

    hil run --schemes examples/large_pictures.py:large --dataset imagefolder:PATH --snr 10 --tasks 16

or at k/n = 1/12 with `large_pictures.py:twelfth`, whose weights are yours to train (docs/images.md, "Large pictures"); or the
built-in ones at 64 × 64, as below. What is larger than a frame rides in several.
"""

import sys

import hil
from hil.models.image.schemes import resized
from hil.models.load import load_scheme
from hil.places import folders


def large(name="deep-jscc", size=(512, 768)):
    """The trained scheme for pictures of so many rows and columns."""
    return resized(load_scheme(name, folders("models")), size)


def twelfth():
    """The same at k/n = 1/12, of a network that `hil train` was asked to call deep-jscc-twelfth."""
    return large("deep-jscc-twelfth")


if __name__ == "__main__":
    out = sys.argv[1] if len(sys.argv) > 1 else "runs"
    results = hil.run(schemes=[large(size=(64, 64))], dataset="objects:images=8", snr_db=[10.0], tasks=8, draws=2, out=out)
    for row in results.points:
        name, metric = row.headline
        print(f"{row.source:<10} {row.scheme}: {name} {metric.value:.1f} dB")
