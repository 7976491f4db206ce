"""What the cameras of the synthetic set do to a figure: viewpoint, background, occlusion, light, colour, blur and noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hil.datasets.streams import Floats, Ints, Stream
from hil.datasets.synthetic._figures import Poses

__all__ = ["CAMERAS", "Camera", "backdrop", "draw_poses", "expose"]


@dataclass(frozen=True, kw_only=True)
class Camera:
    """One camera.

    Attributes:
        turn, spread: which side of people it mostly sees (0 front, 2 back) and how much that varies.
        size: pixels a body height, of 64 rows.
        light, cast, veil: overall gain, gain of R, G, B, and the grey light added to all.
        fade: how far colours are pulled to grey (0…1).
        curve: contrast curve, −0.5…0.5; positive lifts the middle tones.
        wall, floor: background colours; tiles: period of the wall's pattern in pixels.
        blur: largest blur of an image, 0…1; noise: standard deviation.
        hidden: share of images with something in front of the person.
    """

    turn: float
    spread: float
    size: float
    light: float
    cast: tuple[float, float, float]
    veil: float
    fade: float
    curve: float
    wall: tuple[float, float, float]
    floor: tuple[float, float, float]
    tiles: float
    blur: float
    noise: float
    hidden: float


# fmt: off
CAMERAS: tuple[Camera, ...] = (
    Camera(turn=0.0, spread=1.1, size=58, light=1.00, cast=(1.00, 1.00, 1.00), veil=0.00, fade=0.00, curve=0.0,
           wall=(0.62, 0.60, 0.55), floor=(0.45, 0.44, 0.42), tiles=9.0, blur=0.4, noise=0.025, hidden=0.15),
    Camera(turn=2.0, spread=1.1, size=55, light=0.77, cast=(1.09, 0.98, 0.83), veil=0.02, fade=0.08, curve=0.15,
           wall=(0.50, 0.36, 0.28), floor=(0.32, 0.28, 0.26), tiles=5.0, blur=0.6, noise=0.040, hidden=0.18),
    Camera(turn=1.0, spread=1.0, size=60, light=1.10, cast=(0.89, 1.00, 1.12), veil=0.06, fade=0.12, curve=-0.1,
           wall=(0.66, 0.72, 0.78), floor=(0.56, 0.58, 0.60), tiles=13.0, blur=0.5, noise=0.025, hidden=0.15),
    Camera(turn=0.5, spread=1.2, size=54, light=0.70, cast=(0.93, 1.05, 0.94), veil=0.04, fade=0.18, curve=0.25,
           wall=(0.30, 0.42, 0.30), floor=(0.36, 0.38, 0.30), tiles=7.0, blur=0.7, noise=0.045, hidden=0.20),
    Camera(turn=3.0, spread=1.2, size=59, light=0.92, cast=(1.08, 0.94, 1.01), veil=0.08, fade=0.08, curve=0.0,
           wall=(0.72, 0.62, 0.66), floor=(0.50, 0.46, 0.50), tiles=11.0, blur=0.5, noise=0.035, hidden=0.15),
    Camera(turn=1.8, spread=2.0, size=57, light=1.04, cast=(0.97, 0.95, 0.84), veil=0.00, fade=0.04, curve=-0.15,
           wall=(0.40, 0.40, 0.46), floor=(0.62, 0.58, 0.48), tiles=6.0, blur=0.6, noise=0.040, hidden=0.18),
)
# fmt: on


def _of(name: str, cameras: Ints) -> Floats:
    """A property of each image's camera, float32 [image] or [image, 3]; cameras count from 1."""
    table = np.array([getattr(camera, name) for camera in CAMERAS], np.float32)
    return np.asarray(table[cameras - 1], np.float32)


def _wide(values: Floats) -> Floats:
    return values.reshape(values.shape[0], -1, 1, 1)


def draw_poses(cameras: Ints, heights: Floats, stream: Stream) -> Poses:
    """How people of the given `heights` stand before the given cameras; int64 and float32 [image]."""
    count = len(cameras)
    size = _of("size", cameras) * heights * stream.uniform(0.92, 1.06, count)
    slack = np.float32(63) - size
    return Poses(
        turn=_of("turn", cameras) + np.float32(4) + _of("spread", cameras) * stream.uniform(-1, 1, count),
        top=np.maximum(slack * stream.uniform(0.3, 0.8, count), np.float32(-2)),
        middle=np.float32(15.5) + stream.uniform(-2.5, 2.5, count),
        size=size,
        lean=stream.uniform(-0.06, 0.06, count),
        stride=stream.uniform(-1, 1, count),
        swing=stream.uniform(-1, 1, count),
    )


def _clutter(count: int, height: int, width: int, stream: Stream) -> Floats:
    """Smooth random colour, zero mean, float32 [image, 3, H, W]: an 8 × 4 grid of random values, interpolated."""
    grid = stream.uniform(-1, 1, count, 3, 9, 5)
    rows = (np.arange(height, dtype=np.float32) * np.float32(8)) / np.float32(height)
    low = rows.astype(np.int64)
    part = (rows - low)[:, None]
    tall = grid[:, :, low] + (grid[:, :, low + 1] - grid[:, :, low]) * part
    columns = (np.arange(width, dtype=np.float32) * np.float32(4)) / np.float32(width)
    low = columns.astype(np.int64)
    return np.asarray(tall[..., low] + (tall[..., low + 1] - tall[..., low]) * (columns - low), np.float32)


def backdrop(cameras: Ints, height: int, width: int, stream: Stream) -> Floats:
    """Backgrounds, float32 [image, 3, H, W]: the camera's tiled wall and floor, clutter, and one thing standing about."""
    count = len(cameras)
    rows = np.arange(height, dtype=np.float32)[None, None, :, None]
    columns = np.arange(width, dtype=np.float32)[None, None, None, :]
    shift = _wide(stream.uniform(0, 16, count))
    tiles = _wide(_of("tiles", cameras))
    phase = (columns + shift) / tiles + np.floor((rows + shift) / (tiles * np.float32(0.5))) * np.float32(0.5)
    joint = ((phase - np.floor(phase)) < np.float32(0.2)).astype(np.float32)
    wall = _wide(_of("wall", cameras)) * (np.float32(1) - np.float32(0.15) * joint)
    horizon = _wide(stream.uniform(0.55, 0.8, count)) * np.float32(height)
    image = np.where(rows < horizon, wall, _wide(_of("floor", cameras)))
    image = image + np.float32(0.16) * _clutter(count, height, width, stream)
    box = _boxes(count, height, width, stream, (0.2, 0.6), (0.3, 0.9))
    colour = _wide(stream.uniform(0.1, 0.9, count, 3))
    image += box * (colour - image) * _wide((stream.uniform(0, 1, count) < 0.6).astype(np.float32))
    return np.asarray(np.clip(image, 0, 1), np.float32)


def _boxes(count: int, height: int, width: int, stream: Stream, wide: tuple[float, float], tall: tuple[float, float]) -> Floats:
    """One random upright box an image, 0 or 1, float32 [image, 1, H, W]; sizes as shares of the image."""
    rows = np.arange(height, dtype=np.float32)[None, None, :, None]
    columns = np.arange(width, dtype=np.float32)[None, None, None, :]
    across = np.abs(columns - _wide(stream.uniform(0, width, count))) < _wide(stream.uniform(*wide, count)) * np.float32(
        width / 2
    )
    along = np.abs(rows - _wide(stream.uniform(0, height, count))) < _wide(stream.uniform(*tall, count)) * np.float32(
        height / 2
    )
    return np.asarray(across & along, np.float32)


def _soften(image: Floats, amount: Floats) -> Floats:
    """Blur: each pixel moves towards the mean of its two neighbours by `amount` (0…1), along both axes."""
    half = amount * np.float32(0.5)
    for axis in (2, 3):
        size = image.shape[axis]
        before = np.take(image, np.maximum(np.arange(size) - 1, 0), axis)
        after = np.take(image, np.minimum(np.arange(size) + 1, size - 1), axis)
        image = image + half * (before + after - np.float32(2) * image)
    return image


def expose(scene: Floats, cameras: Ints, stream: Stream) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """What the cameras record of a scene: occlusion, light, colour, blur, noise. uint8 [image, 3, H, W]."""
    count, _, height, width = scene.shape
    hidden = (stream.uniform(0, 1, count) < _of("hidden", cameras)).astype(np.float32)
    box = _boxes(count, height, width, stream, (0.3, 0.8), (0.2, 0.4)) * _wide(hidden)
    image = scene + box * (_wide(stream.uniform(0.1, 0.8, count, 3)) - scene)

    rows = np.arange(height, dtype=np.float32)[None, None, :, None] / np.float32(height) - np.float32(0.5)
    columns = np.arange(width, dtype=np.float32)[None, None, None, :] / np.float32(width) - np.float32(0.5)
    slope = _wide(stream.uniform(-0.3, 0.3, count)) * rows + _wide(stream.uniform(-0.35, 0.35, count)) * columns
    gain = _wide(_of("light", cameras) * stream.uniform(0.82, 1.18, count)) * (np.float32(1) + slope)
    image = image * (gain * _wide(_of("cast", cameras) * stream.uniform(0.97, 1.03, count, 3)))
    grey = (image[:, 0:1] * np.float32(0.3) + image[:, 1:2] * np.float32(0.6)) + image[:, 2:3] * np.float32(0.1)
    image = image + _wide(_of("fade", cameras)) * (grey - image)
    image = np.clip(image + _wide(_of("veil", cameras)), 0, 1)
    image = image + _wide(_of("curve", cameras) + stream.uniform(-0.1, 0.1, count)) * image * (np.float32(1) - image)
    amount = _wide(_of("blur", cameras) * stream.uniform(0, 1, count))
    image = _soften(_soften(image, amount), amount)
    image = image + _wide(_of("noise", cameras)) * stream.noise(count, 3, height, width)
    return np.asarray(np.clip(image, 0, 1) * np.float32(255) + np.float32(0.5), np.uint8)
