"""The built-in data set: drawn people before six cameras."""

from hil.registry import Entry

REGISTERED = (
    Entry(
        name="synthetic",
        target="hil.datasets.synthetic.reader:load",
        summary="drawn people before six cameras; synthetic:identities=N for a part of it",
        default=True,
    ),
)
