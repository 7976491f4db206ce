"""Folders of pictures, with classes or without."""

from hil.datasets.card import DatasetEntry

REGISTERED = (
    DatasetEntry(
        name="imagefolder",
        target="hil.datasets.imagefolder.reader:load",
        summary="pictures in folders, one a class, or in one folder: imagefolder:PATH",
        spec="imagefolder:PATH",
        options={
            "size": "HxW in pixels, where the pictures are of several sizes",
            "fit": "crop, turn or resize: how pictures of another shape are brought to the size",
            "split": "a seed: which fifth is kept for tests, where there are no folders train and test",
        },
    ),
)
