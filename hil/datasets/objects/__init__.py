"""The built-in data set of images to send: drawn things before textured grounds, classed and boxed."""

from hil.datasets.card import DatasetEntry

REGISTERED = (
    DatasetEntry(
        name="objects",
        target="hil.datasets.objects.reader:load",
        summary="1 to 4 drawn things of 10 classes in 2 groups, with boxes; built in",
        spec="objects",
        serves=("images", "logits", "boxes"),
        task_networks={"logits": "objects-classifier", "boxes": "objects-detector"},
        options={
            "size": "32 (default) or 96: side in pixels, of the same scenes",
            "images": "N: the first N to test with, and the first 4 N to train on",
        },
    ),
)
