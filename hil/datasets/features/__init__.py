"""Features that somebody's network made, in a file, instead of pictures."""

from hil.datasets.card import PAIRING, DatasetEntry

REGISTERED = (
    DatasetEntry(
        name="features",
        target="hil.datasets.features.reader:load",
        summary="features of a re-identification set in an HDF5 file, no pictures: features:PATH",
        spec="features:PATH",
        options=PAIRING,
    ),
)
