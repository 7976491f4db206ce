"""CUHK03 under its new protocol."""

from hil.datasets.card import PAIRING, DatasetEntry

REGISTERED = (
    DatasetEntry(
        name="cuhk03",
        target="hil.datasets.cuhk03.reader:load",
        summary="CUHK03 (767/700 identities): cuhk03:PATH or cuhk03:PATH?labeled",
        spec="cuhk03:PATH",
        options={"labeled": "boxes drawn by hand", "detected": "boxes of a detector (the default)", **PAIRING},
    ),
)
