"""CIFAR-10, the binary version."""

from hil.datasets.card import DatasetEntry

REGISTERED = (
    DatasetEntry(
        name="cifar10",
        target="hil.datasets.cifar10.reader:load",
        summary="CIFAR-10, the binary version: cifar10:PATH",
        spec="cifar10:PATH",
    ),
)
