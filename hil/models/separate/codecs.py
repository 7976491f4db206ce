"""Source codecs: an image to a stream of bytes at a quality, and back.

A file's header hangs on the image's size and the quality alone, so a receiver that knows both can make it. With ``headers``
left out a stream is the quality (one byte) and the file's data; whether the file comes back to the bit is checked when it is
made. Where it does not, or with headers sent, a stream is the file.
"""

from __future__ import annotations

import functools
import io
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, features

from hil.errors import ConfigError, DriverMissingError

__all__ = ["CODECS", "Codec", "budgeted", "decoded"]

Pixels = NDArray[np.uint8]
KEPT = 4096
"""Streams and images that are remembered: a task comes back for every noise draw."""
WHOLE = 255
"""In place of a quality: the whole file follows."""


@dataclass(frozen=True, kw_only=True)
class Codec:
    """One codec.

    Attributes:
        name: of its files.
        write: pixels uint8 [H, W, 3] and a quality to a file.
        read: the reverse.
        lowest, highest: qualities, worst and best.
        cut: where the data begins in a file; 0: nothing is left out.
        mend: (header, data) to a file, where lengths in the header hang on the data.
        check: raises `DriverMissingError` where something that it needs is missing.
    """

    name: str
    write: Callable[[Pixels, int], bytes]
    read: Callable[[bytes], Pixels]
    lowest: int = 0
    highest: int = 100
    cut: Callable[[bytes], int] = lambda file: 0
    mend: Callable[[bytes, bytes], bytes] = lambda header, data: header + data
    check: Callable[[], object] = lambda: None


def _pillow(pixels: Pixels, quality: int, *, kind: str, **options: Any) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, kind, quality=quality, **options)
    return out.getvalue()


def _opened(file: bytes) -> Pixels:
    with Image.open(io.BytesIO(file)) as image:
        return np.asarray(image.convert("RGB"))


def _jpeg_scan(file: bytes) -> int:
    start = file.index(b"\xff\xda")
    return start + 2 + int.from_bytes(file[start + 2 : start + 4], "big")


def _webp_mended(header: bytes, data: bytes) -> bytes:
    payload = data + b"\0" * (len(data) % 2)
    return b"RIFF" + (12 + len(payload)).to_bytes(4, "little") + b"WEBPVP8 " + len(data).to_bytes(4, "little") + payload


def _mdat(file: bytes) -> int:
    place = file.rindex(b"mdat")
    return place + 4 if int.from_bytes(file[place - 4 : place], "big") == len(file) - place + 4 else 0


def _boxes_mended(header: bytes, data: bytes) -> bytes:
    """The length of the data stands in its own box and, once, in the box that says where items lie."""
    length = int.from_bytes(header[-8:-4], "big") - 8
    place = header.index(b"iloc")
    where = header.rindex(length.to_bytes(4, "big"), place, place - 4 + int.from_bytes(header[place - 4 : place], "big"))
    own = (len(data) + 8).to_bytes(4, "big") + b"mdat" + data
    return header[:where] + len(data).to_bytes(4, "big") + header[where + 4 : -8] + own


def _heif_write(pixels: Pixels, quality: int) -> bytes:
    out = io.BytesIO()
    heif = _heif().from_bytes("RGB", (pixels.shape[1], pixels.shape[0]), pixels.tobytes())
    heif.save(out, quality=quality)
    return out.getvalue()


def _heif_read(file: bytes) -> Pixels:
    return np.asarray(_heif().open_heif(io.BytesIO(file)).to_pillow().convert("RGB"))


def _heif() -> Any:
    try:
        import pillow_heif
    except ImportError as err:
        raise DriverMissingError(f"HEIF needs pillow-heif: pip install 'hil[digital]' ({err})") from err
    return pillow_heif


def _check_avif() -> None:
    if not features.check("avif"):
        raise DriverMissingError("this Pillow was built without AVIF: pip install 'pillow>=11.3'")


def _avif_write(pixels: Pixels, quality: int) -> bytes:
    return _pillow(pixels, quality, kind="AVIF", max_threads=1, speed=6)


def _program(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        raise DriverMissingError(f"BPG needs '{name}' on the PATH; it comes with libbpg (bellard.org/bpg), or take HEIF")
    return path


def _bpg(program: str, *arguments: str | Path) -> None:
    done = subprocess.run([_program(program), *map(str, arguments)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise ConfigError(f"{program} failed: {done.stderr.strip() or done.returncode}")


def _bpg_write(pixels: Pixels, quality: int) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        source, made = Path(folder, "in.png"), Path(folder, "out.bpg")
        Image.fromarray(pixels).save(source)
        _bpg("bpgenc", "-q", str(51 - quality), "-o", made, source)
        return made.read_bytes()


def _bpg_read(file: bytes) -> Pixels:
    with tempfile.TemporaryDirectory() as folder:
        source, made = Path(folder, "in.bpg"), Path(folder, "out.png")
        source.write_bytes(file)
        _bpg("bpgdec", "-o", made, source)
        return _opened(made.read_bytes())


CODECS = {
    "jpeg": Codec(
        name="jpeg", write=functools.partial(_pillow, kind="JPEG"), read=_opened, lowest=1, highest=95, cut=_jpeg_scan
    ),
    "webp": Codec(
        name="webp",
        write=functools.partial(_pillow, kind="WEBP", method=6),
        read=_opened,
        cut=lambda file: 20 if file[12:16] == b"VP8 " and len(file) == 20 + int.from_bytes(file[16:20], "little") else 0,
        mend=_webp_mended,
    ),
    "heif": Codec(name="heif", write=_heif_write, read=_heif_read, cut=_mdat, mend=_boxes_mended, check=_heif),
    "avif": Codec(name="avif", write=_avif_write, read=_opened, cut=_mdat, mend=_boxes_mended, check=_check_avif),
    "bpg": Codec(
        name="bpg", write=_bpg_write, read=_bpg_read, highest=51, check=lambda: (_program("bpgenc"), _program("bpgdec"))
    ),
}


@functools.lru_cache(maxsize=256)
def _header(name: str, quality: int, height: int, width: int) -> bytes:
    """The header of any image of this size at this quality."""
    codec = CODECS[name]
    file = codec.write(np.full((height, width, 3), 128, np.uint8), quality)
    return file[: codec.cut(file)]


def _stream(codec: Codec, pixels: Pixels, quality: int, headers: bool) -> bytes:
    file = codec.write(pixels, quality)
    if headers:
        return file
    cut = codec.cut(file)
    short = bytes([quality]) + file[cut:]
    return short if cut and _file(codec, short, *pixels.shape[:2]) == file else bytes([WHOLE]) + file


def _file(codec: Codec, stream: bytes, height: int, width: int) -> bytes:
    if stream[0] == WHOLE:
        return stream[1:]
    try:
        return codec.mend(_header(codec.name, stream[0], height, width), stream[1:])
    except ValueError:  # a header that does not say its length once
        return b""


@functools.lru_cache(maxsize=KEPT)
def _budgeted(name: str, data: bytes, height: int, width: int, room: int, headers: bool) -> bytes:
    codec, pixels = CODECS[name], np.frombuffer(data, np.uint8).reshape(height, width, 3)
    best, low, high = b"", codec.lowest, codec.highest
    while low <= high:
        quality = (low + high) // 2
        stream = _stream(codec, pixels, quality, headers)
        if len(stream) <= room:
            best, low = stream, quality + 1
        else:
            high = quality - 1
    return best


def budgeted(codec: str, pixels: Pixels, room: int, *, headers: bool) -> bytes:
    """The stream of the best quality, by bisection, that fits; b"" where the worst one does not.

    Args:
        codec: its name in `CODECS`.
        pixels: uint8 [H, W, 3].
        room: bytes.
        headers: files are sent whole.

    Raises:
        DriverMissingError: the codec is not installed.
    """
    return _budgeted(codec, np.ascontiguousarray(pixels).tobytes(), *pixels.shape[:2], room, headers)


@functools.lru_cache(maxsize=KEPT)
def decoded(codec: str, stream: bytes, height: int, width: int, headers: bool) -> Pixels | None:
    """Pixels uint8 [H, W, 3] of a stream; None of one that is none, or of another size.

    Raises:
        DriverMissingError: the codec is not installed.
    """
    own = CODECS[codec]
    try:
        pixels = own.read(stream if headers else _file(own, stream, height, width))
    except (OSError, ValueError, SyntaxError, RuntimeError, EOFError):  # what the libraries say of a damaged file
        return None
    return pixels if pixels.shape == (height, width, 3) else None
