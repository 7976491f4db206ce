"""Small folders of images in the forms that the readers know."""

from io import BytesIO

import numpy as np
from PIL import Image


def save(path, colour, size=(16, 8)):
    """An image of one colour, `size` = height, width."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (size[1], size[0]), colour).save(path)


def market(root, size=(16, 8)):
    """Two training people; two test people seen by three cameras, one junk image and two distractors."""
    for person in (2, 7):
        for camera in (1, 2):
            save(root / "bounding_box_train" / f"{person:04d}_c{camera}s1_000151_01.jpg", (10 * person, 0, 0), size)
    for person in (1, 20):
        for camera in (1, 2, 3):
            save(root / "query" / f"{person:04d}_c{camera}s1_000151_00.jpg", (0, person, camera), size)
            save(root / "bounding_box_test" / f"{person:04d}_c{camera}s2_000300_01.png", (0, person, camera), size)
    save(root / "bounding_box_test" / "-1_c1s1_000401_03.jpg", (1, 1, 1), size)
    for frame in (1, 2):
        save(root / "bounding_box_test" / f"0000_c3s1_{frame:06d}_01.jpg", (2, 2, 2), size)
    (root / "bounding_box_test" / "Thumbs.db").write_bytes(b"\0")
    (root / "readme.txt").write_text("x")
    return root


def cuhk(root):
    for person in (1, 2):
        for camera in (1, 2):
            for frame in (1, 2):
                name = f"{person:04d}_c{camera}_{frame:06d}_01.png"
                save(root / "bounding_box_train" / name, (person, camera, frame))
                name = f"{person + 2:04d}_c{camera}_{frame:06d}_01.png"
                save(root / "query" / name, (person, camera, frame))
                save(root / "bounding_box_test" / name, (person, camera, frame + 2))


def tile(number, size=(8, 4)):
    """PNG bytes of a small image that a number decides."""
    generator = np.random.default_rng(number)
    stored = BytesIO()
    Image.fromarray(generator.integers(0, 256, (*size, 3), np.uint8)).save(stored, "PNG")
    return stored.getvalue()


def write_tiles(folder, names, tiles):
    """A file of each name; which of the tiles it is follows from its person and place."""
    folder.mkdir(parents=True)
    for place, name in enumerate(names):
        person = int(name.split("_")[0])
        (folder / name).write_bytes(tiles[(7 * person + place) % len(tiles)])


def spread(number, groups):
    """So many things over groups, as evenly as can be: how many each gets."""
    return [number // groups + (group < number % groups) for group in range(groups)]


def cuhk03_np(root):
    """CUHK03's new protocol with its exact counts: 767 people to train on, 700 asked for, one query image a camera."""
    tiles = [tile(number) for number in range(64)]
    for boxes, train, gallery in (("detected", 7365, 5332), ("labeled", 7368, 5328)):
        views = [(person, camera) for person in range(1, 768) for camera in (1, 2)]
        tested = [(person, camera) for person in range(768, 1468) for camera in (1, 2)]
        for folder, places, counts in (
            ("bounding_box_train", views, spread(train, len(views))),
            ("query", tested, [1] * len(tested)),
            ("bounding_box_test", tested, spread(gallery, len(tested))),
        ):
            first = 1 if folder != "bounding_box_test" else 100
            names = [
                f"{person:04d}_c{camera}_{first + shot}.png"
                for (person, camera), count in zip(places, counts, strict=True)
                for shot in range(count)
            ]
            write_tiles(root / boxes / folder, names, tiles)
    return root


def two_cameras(root, *, shots, people=24):
    """A set of two cameras in Market-1501's form.

    With two shots a camera (CUHK01) the first is asked for and the second is in the gallery; with one (VIPeR) camera 1 asks.
    """
    tiles = [tile(number) for number in range(64)]
    both = [(person, camera, shot) for person in range(1, 2 * people + 1) for camera in (1, 2) for shot in range(shots)]

    def asked(camera, shot):
        return shot == 0 if shots > 1 else camera == 1

    named = [(person, asked(camera, shot), f"{person:04d}_c{camera}s1_{shot:06d}_00.png") for person, camera, shot in both]
    write_tiles(root / "bounding_box_train", [name for person, _, name in named if person <= people], tiles)
    write_tiles(root / "query", [name for person, query, name in named if person > people and query], tiles)
    write_tiles(root / "bounding_box_test", [name for person, query, name in named if person > people and not query], tiles)
    return root
