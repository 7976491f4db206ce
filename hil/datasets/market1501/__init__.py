"""Market-1501, and any folder in its form."""

from hil.datasets.card import PAIRING, DatasetEntry

REGISTERED = (
    DatasetEntry(
        name="market1501",
        target="hil.datasets.market1501.reader:load",
        summary="a folder in Market-1501's form, also of two cameras: market1501:PATH",
        spec="market1501:PATH",
        options=PAIRING,
    ),
)
