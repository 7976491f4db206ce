"""Pascal VOC, and any set labelled in its XML."""

from hil.datasets.card import DatasetEntry

REGISTERED = (
    DatasetEntry(
        name="voc",
        target="hil.datasets.voc.reader:load",
        summary="boxes in Pascal VOC's XML, a devkit or annotations/ beside images/: voc:PATH",
        spec="voc:PATH",
        options={
            "size": "HxW in pixels that pictures are brought to (they are of many sizes)",
            "split": "a seed: which fifth is kept for tests, where there is no ImageSets",
        },
    ),
)
