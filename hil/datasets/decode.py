"""One image file to RGB pixels, whatever type its pixels have: converted rightly, or refused by name.

Right means: full range stays full range (16 bits, one bit, palettes), the picture stands as its EXIF orientation says, and
nothing is guessed. Floating-point and 32-bit pixels have no agreed white, transparent ones no agreed background, and of several
frames none is the picture, so these are refused. Colour profiles are not applied.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from hil.errors import DatasetError

__all__ = ["FORMATS", "MOST_PIXELS", "SUFFIXES", "Fit", "fitted", "image_size_of", "quiet_decoders", "read_pixels", "shown"]

FORMATS = ("JPEG", "MPO", "PNG", "BMP", "DIB", "GIF", "WEBP", "TIFF", "PPM", "JPEG2000", "TGA", "AVIF", "PCX", "QOI")
"""Of Pillow, those that hold pictures and start no other program (as EPS does); those that this Pillow lacks are left out."""
SUFFIXES = (
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".bmp", ".dib", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".pbm",
    ".pnm", ".jp2", ".j2k", ".jpf", ".tga", ".avif", ".pcx", ".qoi",
)  # fmt: skip
"""Of files that are taken for images, in lower case; what is in them decides how they are read."""
MOST_PIXELS = 1 << 26
"""Of one image: more (67 million) would take 200 MB, and is no picture of a person."""

Fit = Literal["resize", "crop", "turn"]
"""How an image of another shape is brought to a size: stretched; enlarged or reduced as it is, and what overlaps cut off on
both sides alike; or turned by 90 degrees if it stands where others lie, and then cut."""

_ORIENTATION = 0x0112
_TURNED = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""EXIF orientation -> what makes the picture upright."""
_SIDEWAYS = (5, 6, 7, 8)
_BITS_PER_SAMPLE, _PHOTOMETRIC, _SAMPLE_FORMAT = 258, 262, 339  # TIFF tags
_SEEN_THROUGH = ("LA", "La", "PA", "RGBA", "RGBa")
_PLAIN = ("1", "L", "P", "RGB", "RGBX", "CMYK", "YCbCr", "HSV")
_TRANSPARENT = "it has transparent pixels, and nothing says what is behind them; flatten it"


def shown(path: Path | str) -> str:
    """A path for messages: printable and on one line, whatever bytes it is made of."""
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape", "surrogatepass").decode() for letter in str(path)
    )


@contextmanager
def quiet_decoders() -> Iterator[None]:
    """Pillow's warnings (of odd metadata, of large images) are not for users: what matters is refused by name."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def image_size_of(path: Path) -> tuple[int, int]:
    """Height and width of an image as it should be seen.

    Raises:
        DatasetError: it cannot be read.
    """
    with _named(path), path.open("rb") as file:
        image = _opened(file)
        if image.format == "TIFF":
            image.load()  # Pillow turns these itself
        height, width = image.height, image.width
        return (width, height) if _orientation(image) in _SIDEWAYS else (height, width)


def read_pixels(
    path: Path, size: tuple[int, int], *, fit: Fit = "resize", expected: object = None, state: Any = None
) -> NDArray[np.uint8]:
    """An image as RGB, bicubic where it is not of that size.

    Args:
        path: of the file.
        size: height and width.
        fit: how one of another shape is brought to it.
        expected: what `state` must give.
        state: called with the open file; None: not asked.

    Returns:
        uint8 [3, H, W].

    Raises:
        DatasetError: it cannot be read, its pixels have no right conversion, or its state is not the expected one.
    """
    with _named(path), path.open("rb") as file:
        if state is not None and state(file) != expected:
            raise _RefusedError("it was changed while it was in use; start again")
        image = _opened(file)
        image.load()
        return _fitted(_shaped(_rgb(image), size, fit), size)


def fitted(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """An image uint8 [3, H, W], or grey [1, H, W], at another height and width, bicubic."""
    if len(image) == 1:
        return fitted(np.repeat(image, 3, 0), size)[:1]
    return _fitted(Image.fromarray(np.ascontiguousarray(image.transpose(1, 2, 0))), size)


class _RefusedError(Exception):
    """Why an image is not taken."""


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Whatever goes wrong with a file is told with its name: damaged ones make Pillow raise nearly anything."""
    try:
        yield
    except Exception as err:
        if isinstance(err, _RefusedError):
            why = str(err)
        elif isinstance(err, UnidentifiedImageError):
            why = "it is damaged, or no image of a kind that is read here" if _size_on_disk(path) else "it is empty"
        else:
            why = getattr(err, "strerror", None) or str(err) or type(err).__name__
        raise DatasetError(f"Cannot read the image {shown(path)}: {shown(why)}. Replace or remove it.") from err


def _size_on_disk(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _opened(file: BinaryIO) -> Image.Image:
    """The image of an open file, not yet decoded; its outside is checked."""
    image = _identified(file)
    if not 0 < image.width * image.height <= MOST_PIXELS:
        raise _RefusedError(f"it has {image.width} × {image.height} pixels, and 1 to {MOST_PIXELS} are read")
    if image.format == "PNG":  # its checksums are not looked at when it is decoded
        image.verify()
        file.seek(0)
        image = _identified(file)
    frames = getattr(image, "n_frames", 1)
    if frames > 1 and image.format != "MPO":  # of a camera: further pictures after the one that is meant
        raise _RefusedError(f"it holds {frames} frames; save the one that is meant")
    return image


def _identified(file: BinaryIO) -> Image.Image:
    Image.init()
    return Image.open(file, formats=[name for name in FORMATS if name in Image.OPEN])


def _orientation(image: Image.Image) -> int:
    """How EXIF says that it should be turned; 1 (upright) where that cannot be read."""
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except Exception:
        return 1


def _rgb(image: Image.Image) -> Image.Image:
    """A decoded image as RGB, upright."""
    turned = _TURNED.get(_orientation(image))
    made = _converted(image)
    return made if turned is None else made.transpose(turned)


def _converted(image: Image.Image) -> Image.Image:
    mode = image.mode
    tags: Any = getattr(image, "tag_v2", {})
    if 2 in _all(tags.get(_SAMPLE_FORMAT)):
        raise _RefusedError("its pixels are signed numbers, which have no agreed white; save it with 8 bits a channel")
    if mode.startswith("I;16") or (mode == "I" and image.format in ("PNG", "PPM", "JPEG2000")):
        return _from_sixteen(image, tags)
    if mode in _SEEN_THROUGH or (mode in _PLAIN and "transparency" in image.info):
        layered = image.convert("RGBA")
        if layered.getchannel("A").getextrema() != (255, 255):
            raise _RefusedError(_TRANSPARENT)
        return layered.convert("RGB")
    if mode not in _PLAIN:
        raise _RefusedError(f"its pixels are of type '{mode}', which has no agreed white; save it with 8 bits a channel")
    return image.convert("RGB")


def _from_sixteen(image: Image.Image, tags: Any) -> Image.Image:
    """Grey levels of 9 to 16 bits, full range to full range."""
    if "transparency" in image.info:
        raise _RefusedError(_TRANSPARENT)
    levels = np.asarray(image).astype(np.int64)
    bits = max(_all(tags.get(_BITS_PER_SAMPLE)), default=16)
    white = (1 << bits) - 1
    if levels.min() < 0 or levels.max() > white:
        raise _RefusedError(f"its grey levels lie in {levels.min()}…{levels.max()}, not in 0…{white}")
    if tags.get(_PHOTOMETRIC) == 0:  # 0 is white, which Pillow leaves as it is for these
        raise _RefusedError(f"it has {bits} bits a pixel of which 0 is white; save it with 8 bits")
    return Image.fromarray(((levels * 510 + white) // (2 * white)).astype(np.uint8)).convert("RGB")


def _all(values: Any) -> tuple[int, ...]:
    if values is None:
        return ()
    return tuple(values) if isinstance(values, tuple | list) else (values,)


def _shaped(image: Image.Image, size: tuple[int, int], fit: Fit) -> Image.Image:
    """The part of an image that has the shape of `size`, in the middle; turned before, where it is to be."""
    if fit == "resize":
        return image
    high, wide = size
    if fit == "turn" and (image.height - image.width) * (high - wide) < 0:
        image = image.transpose(Image.Transpose.ROTATE_90)
    scale = min(image.height / high, image.width / wide)
    rows, columns = round(scale * high), round(scale * wide)
    top, left = (image.height - rows) // 2, (image.width - columns) // 2
    return image.crop((left, top, left + columns, top + rows))


def _fitted(image: Image.Image, size: tuple[int, int]) -> NDArray[np.uint8]:
    if (image.height, image.width) != size:
        image = image.resize((size[1], size[0]), Image.Resampling.BICUBIC)
    return np.ascontiguousarray(np.asarray(image, np.uint8).transpose(2, 0, 1))
