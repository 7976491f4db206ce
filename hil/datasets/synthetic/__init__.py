"""The built-in data set: drawn people before six cameras."""

from hil.datasets.card import DatasetEntry

REGISTERED = (
    DatasetEntry(
        name="synthetic",
        target="hil.datasets.synthetic.reader:load",
        summary="drawn people before six cameras; synthetic:identities=N for a part of it, tested=N for other test people",
        spec="synthetic",
        serves=("features",),
        default=True,
    ),
)
