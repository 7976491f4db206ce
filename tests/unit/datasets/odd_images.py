"""Image files of every kind that Pillow writes, odd and damaged ones among them, each with what is right of it."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from PIL import Image, TiffImagePlugin

TURNS = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a.swapaxes(0, 1)[::-1, ::-1],
    8: lambda a: np.rot90(a),
}
"""EXIF orientation -> what shows the picture upright."""


@dataclass(frozen=True)
class Odd:
    """A file: its suffix and bytes; and the right pixels, uint8 [H, W, 3] within a tolerance, or None: it must be refused."""

    name: str
    suffix: str
    data: bytes
    right: np.ndarray | None = None
    within: int = 0


def saved(image, kind, **options):
    stored = BytesIO()
    image.save(stored, kind, **options)
    return stored.getvalue()


def grey3(levels):
    return np.repeat(levels[..., None], 3, axis=2).astype(np.uint8)


def scaled(levels, white):
    """Full range to full range, rounded; in exact integers."""
    return ((levels.astype(object) * 255 * 2 + white) // (2 * white)).astype(np.uint8)


def tiff_tags(**tags):
    info = TiffImagePlugin.ImageFileDirectory_v2()
    for number, value in tags.items():
        info[int(number.removeprefix("tag"))] = value
    return info


def blocks(rng, size):
    """Flat blocks, which a JPEG keeps nearly as they are."""
    height, width = size
    colours = rng.integers(0, 256, (-(-height // 16), -(-width // 16), 3))
    return colours.repeat(16, 0).repeat(16, 1)[:height, :width].astype(np.uint8)


def plain(rng, size):
    """What keeps every bit: colour, grey, one bit, palettes."""
    rgb = rng.integers(0, 256, (*size, 3), np.uint8)
    grey = rng.integers(0, 256, size, np.uint8)
    bits = rng.integers(0, 2, size).astype(bool)
    where = f"{size[0]}x{size[1]}"
    for suffix, kind in (
        (".png", "PNG"),
        (".bmp", "BMP"),
        (".tif", "TIFF"),
        (".ppm", "PPM"),
        (".TGA", "TGA"),
        (".Tiff", "TIFF"),
    ):
        yield Odd(f"rgb {kind} {where}", suffix, saved(Image.fromarray(rgb), kind), rgb)
    for suffix, kind, options in (
        (".png", "PNG", {}), (".PNG", "PNG", {"optimize": True}), (".dib", "DIB", {}), (".pgm", "PPM", {}), (".gif", "GIF", {}),
        (".tiff", "TIFF", {"compression": "tiff_lzw"}), (".jp2", "JPEG2000", {}),
    ):  # fmt: skip
        yield Odd(f"grey {kind} {where}", suffix, saved(Image.fromarray(grey), kind, **options), grey3(grey))
    for suffix, kind in ((".png", "PNG"), (".bmp", "BMP"), (".tif", "TIFF"), (".pbm", "PPM"), (".pcx", "PCX")):
        yield Odd(f"one bit {kind} {where}", suffix, saved(Image.fromarray(bits), kind), grey3(bits * 255))
    yield Odd(f"lossless webp {where}", ".webp", saved(Image.fromarray(rgb), "WEBP", lossless=True), rgb)
    indexed = Image.fromarray(rng.integers(0, 16, size, np.uint8)).convert("P")
    palette = rng.integers(0, 256, (256, 3), np.uint8)
    indexed.putpalette(palette.tobytes())
    for suffix, kind in ((".png", "PNG"), (".bmp", "BMP"), (".gif", "GIF"), (".tif", "TIFF")):
        yield Odd(f"palette {kind} {where}", suffix, saved(indexed, kind), palette[np.asarray(indexed)])
    yield Odd(f"png in a .jpg {where}", ".jpg", saved(Image.fromarray(rgb), "PNG"), rgb)


def see_through(rng, size):
    """Alpha: opaque is as if there were none; anything behind which something should be seen is refused."""
    rgb = rng.integers(0, 256, (*size, 3), np.uint8)
    opaque = np.full(size, 255, np.uint8)
    part = opaque.copy()
    part[rng.integers(size[0]), rng.integers(size[1])] = rng.integers(0, 255)
    for suffix, kind, more in (
        (".png", "PNG", {}),
        (".tif", "TIFF", {}),
        (".webp", "WEBP", {"lossless": True}),
        (".tga", "TGA", {}),
    ):
        for alpha, right in ((opaque, rgb), (part, None)):
            image = Image.fromarray(np.dstack([rgb, alpha]))
            yield Odd(f"RGBA {kind} {'opaque' if right is not None else 'not'}", suffix, saved(image, kind, **more), right)
    grey = rgb[..., 0]
    for alpha, right in ((opaque, grey3(grey)), (part, None)):
        image = Image.merge("LA", [Image.fromarray(grey), Image.fromarray(alpha)])
        yield Odd("LA PNG", ".png", saved(image, "PNG"), right)
    indexed = Image.fromarray(rng.integers(0, 8, size, np.uint8)).convert("P")
    palette = rng.integers(0, 256, (256, 3), np.uint8)
    indexed.putpalette(palette.tobytes())
    used = int(np.asarray(indexed)[0, 0])
    shown = palette[np.asarray(indexed)]
    yield Odd("palette PNG, a transparent colour in use", ".png", saved(indexed, "PNG", transparency=used))
    yield Odd("palette PNG, another one", ".png", saved(indexed, "PNG", transparency=200), shown)
    yield Odd("palette PNG, half transparent", ".png", saved(indexed, "PNG", transparency=bytes([255] * used + [128])))
    yield Odd("palette PNG, all opaque", ".png", saved(indexed, "PNG", transparency=bytes([255] * 8)), shown)
    yield Odd("palette GIF, a transparent colour in use", ".gif", saved(indexed, "GIF", transparency=used))
    key = tuple(int(value) for value in rgb[0, 0])
    yield Odd("RGB PNG, a transparent colour in use", ".png", saved(Image.fromarray(rgb), "PNG", transparency=key))
    grey16 = Image.fromarray(grey.astype(np.uint16) * 257)
    yield Odd("16-bit PNG with a transparent level", ".png", saved(grey16, "PNG", transparency=257 * int(grey[0, 0])))


def sixteen(rng, size):
    """More than eight bits: full range to full range; numbers without an agreed white are refused."""
    levels = rng.integers(0, 65536, size).astype(np.uint16)
    levels.flat[:2] = 0, 65535
    right = grey3(scaled(levels, 65535))
    image = Image.fromarray(levels)
    yield Odd("16-bit PNG", ".png", saved(image, "PNG"), right)
    yield Odd("16-bit TIFF", ".tif", saved(image, "TIFF"), right)
    yield Odd("16-bit TIFF, deflated", ".tiff", saved(image, "TIFF", compression="tiff_deflate"), right)
    yield Odd("16-bit JPEG 2000", ".jp2", saved(image, "JPEG2000"), right)
    swapped = Image.frombytes("I;16B", size[::-1], levels.astype(">u2").tobytes())
    yield Odd("I;16B TIFF", ".tif", saved(swapped, "TIFF"), right)
    yield Odd("16-bit PGM", ".pgm", b"P5 %d %d 65535\n" % size[::-1] + levels.astype(">u2").tobytes(), right)
    ten = levels >> 6
    pgm = b"P5\n# ten bits\n%d %d\n1023\n" % size[::-1] + ten.astype(">u2").tobytes()
    yield Odd("10-bit PGM", ".pgm", pgm, grey3(scaled(ten, 1023)), 1)
    text = f"P2 {size[1]} {size[0]} 15 " + " ".join(str(value) for value in (levels >> 12).flat)
    yield Odd("4-bit PGM in words", ".pgm", text.encode(), grey3(scaled(levels >> 12, 15)))
    yield Odd("16-bit RGB PNG", ".png", rgb16_png(levels), np.dstack([levels >> 8] * 3).astype(np.uint8), 1)
    yield Odd("16-bit TIFF, 0 is white", ".tif", saved(image, "TIFF", tiffinfo=tiff_tags(tag262=0)))
    for scale in (1.0, 255.0):
        numbers = (rng.random(size) * scale).astype(np.float32)
        yield Odd(f"float TIFF 0…{scale:g}", ".tif", saved(Image.fromarray(numbers), "TIFF"))
    yield Odd("32-bit TIFF", ".tif", saved(Image.fromarray(levels.astype(np.int32) * 30000), "TIFF"))
    yield Odd("32-bit TIFF, small numbers", ".tif", saved(Image.fromarray(rng.integers(0, 256, size).astype(np.int32)), "TIFF"))
    yield Odd("signed 16-bit TIFF", ".tif", saved(image, "TIFF", tiffinfo=tiff_tags(tag339=2)))
    yield Odd(
        "signed 8-bit TIFF", ".tif", saved(Image.fromarray(levels.astype(np.uint8)), "TIFF", tiffinfo=tiff_tags(tag339=2))
    )
    yield Odd("float PFM in a .ppm", ".ppm", b"Pf\n%d %d\n-1.0\n" % size[::-1] + rng.random(size).astype("<f4").tobytes())


def rgb16_png(levels):
    """A PNG of 16 bits a channel, which Pillow cannot write."""
    height, width = levels.shape
    rows = np.dstack([levels] * 3).astype(">u2").tobytes()
    raw = b"".join(b"\0" + rows[start : start + 6 * width] for start in range(0, len(rows), 6 * width))
    return png(struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0), zlib.compress(raw))


def png(header, data):
    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def spaces(rng, size):
    """Other colour spaces."""
    rgb = blocks(rng, size)
    image = Image.fromarray(rgb)
    inks = image.convert("CMYK")
    yield Odd("CMYK TIFF", ".tif", saved(inks, "TIFF"), rgb)
    yield Odd("CMYK JPEG", ".jpg", saved(inks, "JPEG", quality=100, subsampling=0), rgb, 6)
    yield Odd("RGB JPEG", ".JPEG", saved(image, "JPEG", quality=100, subsampling=0), rgb, 6)
    yield Odd("progressive JPEG", ".Jpg", saved(image, "JPEG", quality=100, subsampling=0, progressive=True), rgb, 6)
    yield Odd("grey JPEG", ".jpe", saved(image.convert("L"), "JPEG", quality=100), grey3(np.asarray(image.convert("L"))), 6)
    yield Odd("AVIF", ".avif", saved(image, "AVIF", quality=100, subsampling="4:4:4"), rgb, 10)
    yield Odd("LAB TIFF", ".tif", saved(Image.frombytes("LAB", size[::-1], rgb.tobytes()), "TIFF"))


def turned(rng, size):
    """Every EXIF orientation."""
    rgb = blocks(rng, size)
    for orientation, upright in TURNS.items():
        exif = Image.Exif()
        exif[0x0112] = orientation
        for suffix, kind, more, within in (
            (".jpg", "JPEG", {"quality": 100, "subsampling": 0}, 6), (".png", "PNG", {}, 0), (".tif", "TIFF", {}, 0),
            (".webp", "WEBP", {"lossless": True}, 0),
        ):  # fmt: skip
            data = saved(Image.fromarray(rgb), kind, exif=exif, **more)
            yield Odd(f"orientation {orientation} {kind}", suffix, data, upright(rgb), within)
    strange = Image.Exif()
    strange[0x0112] = 77
    yield Odd("orientation 77", ".png", saved(Image.fromarray(rgb), "PNG", exif=strange), rgb)
    yield Odd("EXIF that is none", ".png", saved(Image.fromarray(rgb), "PNG", exif=b"Exif\0\0nothing of the kind"), rgb)


def several(rng, size):
    """More than one frame."""
    frames = [Image.fromarray(rng.integers(0, 256, (*size, 3), np.uint8)) for _ in range(3)]
    for suffix, kind in ((".gif", "GIF"), (".webp", "WEBP"), (".png", "PNG"), (".tif", "TIFF"), (".avif", "AVIF")):
        yield Odd(f"three frames {kind}", suffix, saved(frames[0], kind, save_all=True, append_images=frames[1:]))
    rgb = blocks(rng, size)
    first, second = Image.fromarray(rgb), frames[0]
    both = saved(first, "MPO", save_all=True, append_images=[second], quality=100, subsampling=0)
    yield Odd("a camera's MPO", ".jpg", both, rgb, 6)


def nothing(rng, size):
    """What is no image."""
    yield Odd("empty", ".jpg", b"")
    yield Odd("one byte", ".png", b"\x89")
    yield Odd("random bytes", ".bmp", rng.bytes(4000))
    yield Odd("text", ".png", b"not an image\n" * 20)
    yield Odd("web page", ".jpg", b"<!DOCTYPE html><html><body>404</body></html>")
    yield Odd("SVG", ".png", b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>')
    yield Odd("EPS", ".jpg", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n%%EOF\n")
    yield Odd("PDF", ".png", saved(Image.new("RGB", size[::-1]), "PDF"))
    yield Odd("zeros", ".tif", bytes(5000))
    for width, height in ((0, 9), (9, 0), (1 << 31, 1)):
        yield Odd(
            f"PNG of {width} × {height}",
            ".png",
            png(struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0), zlib.compress(b"\0" * 99)),
        )


def bombs(rng, size):
    """Small files that would take gigabytes."""
    for width, height in ((9000, 9000), (20000, 10000), (60000, 60000), (1 << 30, 1 << 20)):
        data = zlib.compress(bytes(1 << 20))
        yield Odd(f"PNG of {width} × {height}", ".png", png(struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0), data))
    yield Odd("PGM of 40000 × 40000", ".pgm", b"P5 40000 40000 255\n" + bytes(1000))
    yield Odd(
        "GIF of 65535 × 65535", ".gif", b"GIF89a\xff\xff\xff\xff\x80\0\0\0\0\0\xff\xff\xff,\0\0\0\0\xff\xff\xff\xff\0\2\2D\1\0;"
    )
    header = b"BM" + struct.pack("<IHHI", 0, 0, 0, 54) + struct.pack("<IiiHHIIiiII", 40, 30000, 30000, 1, 24, 0, 0, 0, 0, 0, 0)
    yield Odd("BMP of 30000 × 30000", ".bmp", header + bytes(100))


def damaged(rng, size):
    """Whole files cut off, or with one bit turned; right is the whole picture where the damage leaves it as it was."""
    image = Image.fromarray(blocks(rng, size))
    few = image.quantize()
    kinds = (
        (image, ".png", "PNG", {}), (few, ".png", "PNG", {}), (image, ".bmp", "BMP", {}), (few, ".bmp", "BMP", {}),
        (image, ".jpg", "JPEG", {"quality": 100, "subsampling": 0}), (image, ".tga", "TGA", {}), (image, ".tif", "TIFF", {}),
        (image, ".tif", "TIFF", {"compression": "tiff_lzw"}), (few, ".gif", "GIF", {}), (image, ".ppm", "PPM", {}),
        (image, ".webp", "WEBP", {"lossless": True}), (image, ".jp2", "JPEG2000", {}), (image, ".qoi", "QOI", {}),
        (image, ".pcx", "PCX", {}), (image, ".avif", "AVIF", {"quality": 100, "subsampling": "4:4:4"}),
    )  # fmt: skip
    for picture, suffix, kind, more in kinds:
        data, right = saved(picture, kind, **more), np.asarray(picture.convert("RGB"))
        within = {"JPEG": 6, "AVIF": 10}.get(kind, 0)
        for share in (0.02, 0.3, *rng.random(3), 0.97):
            end = max(1, int(share * len(data)))
            yield Odd(f"{kind} {picture.mode} {more} cut at {end} of {len(data)}", suffix, data[:end], right, within)
    for picture in (image, image.convert("L"), image.quantize()):
        compressed, right = saved(picture, "PNG"), np.asarray(picture.convert("RGB"))
        for _ in range(12):
            broken = bytearray(compressed)
            place = int(rng.integers(len(broken)))
            broken[place] ^= 1 << int(rng.integers(8))
            yield Odd(f"PNG {picture.mode} with a bit turned at {place} of {len(broken)}", ".png", bytes(broken), right)


def whole_kinds(seed):
    """All files whose right answer is known."""
    rng = np.random.default_rng(seed)
    for size in ((20, 12), (1, 1), (3, 70)):
        yield from plain(rng, size)
    for size in ((20, 12), (5, 3)):
        yield from see_through(rng, size)
        yield from sixteen(rng, size)
    yield from spaces(rng, (32, 48))
    yield from turned(rng, (16, 48))
    yield from several(rng, (24, 12))
    yield from nothing(rng, (9, 9))
    yield from bombs(rng, (9, 9))
