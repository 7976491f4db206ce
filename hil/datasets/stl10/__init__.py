"""STL-10, the binary version."""

from hil.datasets.card import DatasetEntry

REGISTERED = (
    DatasetEntry(
        name="stl10",
        target="hil.datasets.stl10.reader:load",
        summary="STL-10, the binary version: stl10:PATH",
        spec="stl10:PATH",
    ),
)
