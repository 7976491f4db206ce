"""Market-1501, and any folder in its form."""

from hil.registry import Entry

REGISTERED = (
    Entry(
        name="market1501",
        target="hil.datasets.market1501.reader:load",
        summary="a folder in Market-1501's form: market1501:PATH",
    ),
)
