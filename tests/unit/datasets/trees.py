"""Small folders of images in the forms that the readers know."""

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
