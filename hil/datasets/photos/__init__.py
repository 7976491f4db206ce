"""Photos of objects as people have them: a folder an object, the camera in front of each name."""

from hil.datasets.card import PAIRING, DatasetEntry

REGISTERED = (
    DatasetEntry(
        name="folder",
        target="hil.datasets.photos.reader:load",
        summary="photos of objects by several cameras, OBJECT/CAMERA_*.jpg: folder:PATH",
        spec="folder:PATH",
        options={
            "size": "HxW in pixels, where the photos are of several sizes",
            "fit": "crop, turn or resize: how photos of another shape are brought to the size",
            "split": "a seed: which half of the objects is kept for tests",
            **PAIRING,
        },
    ),
)
