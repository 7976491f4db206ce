"""Objects in boxes as Pascal VOC has them: a devkit's year, or ``annotations/`` (XML) beside ``images/``.

Pictures are stretched to one size, boxes with them. Objects that are marked difficult are kept, marked so: VOC's own
evaluation counts neither them nor who finds them. Source: Everingham et al., The Pascal Visual Object Classes (VOC) Challenge,
IJCV 2010, and its devkit.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import torch
from torch import Tensor

from hil.datasets.dataset import Dataset, Split
from hil.datasets.decode import shown
from hil.datasets.images import FileState
from hil.datasets.listing import Pictures, kept_for_tests, listed, picture_size, pictures, sizes_before
from hil.datasets.options import is_folder
from hil.datasets.raw import find_folder, key_values, parse_seed, parse_size, read_bytes
from hil.errors import DatasetError

__all__ = ["load"]

CLASSES = (
    "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "diningtable", "dog", "horse",
    "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
)  # fmt: skip
"""Of VOC 2007 and later; a set with others has its own, in alphabetical order."""
_DECLARED = re.compile(rb"<!\s*(DOCTYPE|ENTITY)", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class _Labelled:
    """An image, its size as the XML says, and its objects: class, whether difficult, left, top, right, bottom in pixels."""

    path: Path
    size: tuple[int, int]
    objects: tuple[tuple[str, bool, tuple[float, float, float, float]], ...]


def load(argument: str, image_size: tuple[int, int] | None = None) -> Dataset:
    """Read ``voc:PATH`` or ``voc:PATH?size=128x128&split=3``.

    Args:
        argument: a devkit's year (``VOC2007`` with ``Annotations``, ``JPEGImages`` and ``ImageSets/Main``), a folder with
            ``annotations`` and ``images``; the size; and the seed of the split where there is none.
        image_size: height and width; None: the size asked for, or the pictures' own if they have one.

    Raises:
        DatasetError: no path, a folder or an image is missing, XML that is damaged or says what cannot be.
    """
    path, options = key_values("voc", argument, ("size", "split"))
    root = find_folder("voc", path)
    marked, images = _folders(root)
    there = {one.stem: (one, state) for found in [listed(images)] for one, state in zip(found.paths, found.states, strict=True)}
    parts = _parts(root, marked, parse_seed("voc", options.get("split", "0")))
    labelled = {name: [_read(marked / f"{stem}.xml", there) for stem in stems] for name, stems in parts.items()}
    names = {kind for part in labelled.values() for one in part for kind, _, _ in one.objects}
    classes = CLASSES if names <= set(CLASSES) else tuple(sorted(names))
    size = image_size or parse_size("voc", options.get("size"))
    if size is None:
        size = picture_size("voc", [one.path for part in labelled.values() for one in part], turn=False)
    states = {one: state for one, state in there.values()}
    train, test = (_split([*labelled[name]], states, classes, size) for name in ("train", "test"))
    before = sizes_before([one.path for one in labelled["test"]], size)
    return Dataset(name="voc", train=train, test=test, classes=classes, sizes_before=before)


def _folders(root: Path) -> tuple[Path, Path]:
    for marked, images in (("Annotations", "JPEGImages"), ("annotations", "images")):
        if is_folder(root / marked) and is_folder(root / images):
            return root / marked, root / images
    raise DatasetError(
        f"{shown(root)} must hold Annotations and JPEGImages (a year of VOC's devkit, such as VOCdevkit/VOC2007), or "
        "annotations and images."
    )


def _parts(root: Path, marked: Path, seed: int) -> dict[str, list[str]]:
    """Names of the images to train on and to test with; VOC 2012 publishes no test, so its ``val`` is one.

    Raises:
        DatasetError: a list is empty, or there is no XML.
    """
    lists = root / "ImageSets" / "Main"
    tested = next((lists / f"{name}.txt" for name in ("test", "val") if (lists / f"{name}.txt").is_file()), None)
    if tested is not None:
        trained = lists / ("trainval.txt" if tested.stem == "test" and (lists / "trainval.txt").is_file() else "train.txt")
        found = {"train": _names(trained) if trained.is_file() else [], "test": _names(tested)}
        if not found["test"]:
            raise DatasetError(f"{shown(tested)} names no image. Unpack the devkit again.")
        return found
    stems = sorted(one.stem for one in marked.glob("*.xml"))
    if not stems:
        raise DatasetError(f"{shown(marked)} holds no .xml. Unpack the data set again.")
    kept = kept_for_tests(stems, seed)
    if all(kept) or not any(kept):  # a handful of pictures
        kept = [index % 5 == 0 for index in range(len(stems))]
    return {
        "train": [stem for stem, away in zip(stems, kept, strict=True) if not away],
        "test": [stem for stem, away in zip(stems, kept, strict=True) if away],
    }


def _names(path: Path) -> list[str]:
    lines = read_bytes(path).decode("utf-8", "replace").split("\n")
    return [line.split()[0] for line in lines if line.split()]


def _read(path: Path, there: Mapping[str, tuple[Path, FileState]]) -> _Labelled:
    """One XML file.

    Raises:
        DatasetError: it cannot be read, has no image, or says what cannot be.
    """
    text = read_bytes(path)
    if _DECLARED.search(text):
        raise DatasetError(f"{shown(path)} declares entities, which VOC's XML has no use for; remove the declaration.")
    try:
        tree = ElementTree.fromstring(text)
        size = int(tree.findtext("size/height", "")), int(tree.findtext("size/width", ""))
        objects = []
        for item in tree.iter("object"):
            left, top, right, bottom = (float(item.findtext(f"bndbox/{side}", "")) for side in ("xmin", "ymin", "xmax", "ymax"))
            name = (item.findtext("name") or "").strip()
            if not name or not (left <= right and top <= bottom):
                raise ValueError(f"object {name or 'without a name'} from ({left:g}, {top:g}) to ({right:g}, {bottom:g})")
            difficult = (item.findtext("difficult") or "0").strip() == "1"
            objects.append((name, difficult, (left - 1, top - 1, right, bottom)))  # VOC counts pixels from 1, both ends in
    except (ElementTree.ParseError, ValueError) as err:
        raise DatasetError(f"Cannot read {shown(path)}: {shown(str(err))}. Correct or remove it.") from err
    if min(size) < 1:
        raise DatasetError(f"Cannot read {shown(path)}: it says that the image has {size[0]} × {size[1]} pixels. Correct it.")
    named = Path((tree.findtext("filename") or "").strip()).stem
    image = there.get(path.stem) or there.get(named)
    if image is None:
        raise DatasetError(
            f"{shown(path)} is of an image that is not there ({shown(named or path.stem)}). Remove it, or put it there."
        )
    return _Labelled(path=image[0], size=size, objects=tuple(objects))


def _split(part: list[_Labelled], states: Mapping[Path, FileState], classes: tuple[str, ...], size: tuple[int, int]) -> Split:
    found = Pictures(paths=tuple(one.path for one in part), states=tuple(states[one.path] for one in part))
    return Split(
        images=pictures([found], size, "resize"),
        names=tuple(shown(one.path.name) for one in part),
        boxes=tuple(_boxes(one, classes, size) for one in part),
    )


def _boxes(one: _Labelled, classes: tuple[str, ...], size: tuple[int, int]) -> Tensor:
    """Its objects at another size of the image, float32 [n, 5]; what reaches beyond the image is cut off."""
    high, wide = size[0] / one.size[0], size[1] / one.size[1]
    rows = [
        [*box, float(-1 - classes.index(name) if difficult else classes.index(name))] for name, difficult, box in one.objects
    ]
    found = torch.tensor(rows, dtype=torch.float32).reshape(-1, 5) * torch.tensor([wide, high, wide, high, 1.0])
    found[:, [0, 2]] = found[:, [0, 2]].clamp(0, size[1])
    found[:, [1, 3]] = found[:, [1, 3]].clamp(0, size[0])
    return found
