"""CUHK03 under its new protocol."""

from hil.registry import Entry

REGISTERED = (
    Entry(
        name="cuhk03",
        target="hil.datasets.cuhk03.reader:load",
        summary="CUHK03 (767/700 identities): cuhk03:PATH or cuhk03:PATH?labeled",
    ),
)
