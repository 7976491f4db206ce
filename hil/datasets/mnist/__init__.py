"""MNIST, and any set in its files."""

from hil.datasets.card import DatasetEntry

REGISTERED = (
    DatasetEntry(
        name="mnist",
        target="hil.datasets.mnist.reader:load",
        summary="MNIST, or Fashion-MNIST, in IDX files, gzipped or not: mnist:PATH",
        spec="mnist:PATH",
    ),
)
