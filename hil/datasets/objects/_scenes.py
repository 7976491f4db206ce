"""Scenes of one to four things before a textured ground: what stands where, and drawing them all at once at any size.

A scene is drawn in shares of the picture's side, so the same one can be had at several sizes. Only +, −, ×, ÷, √, floor and
comparisons are used: they round alike everywhere, so the pixels are the same on every machine.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hil.datasets.objects._shapes import SHAPES, WIDTHS
from hil.datasets.streams import Floats, Ints, Stream

__all__ = ["MOST_THINGS", "Scenes", "draw_scenes", "paint"]

MOST_THINGS = 4
TINT_CELLS = 12
"""Most cells along a side of the finest octave of the colours' texture; that of the light is one pixel."""
OCTAVE = 0.8
"""Amplitude of an octave of the texture over that of the next coarser one. In two dimensions equal amplitudes make a spectrum
of 1/f; interpolation, which smooths each octave, takes a part of the fine ones."""


@dataclass(frozen=True, kw_only=True)
class Scenes:
    """What stands where in some pictures. Things are counted from the first, which is nearest and painted last.

    Attributes:
        count: int64 [scene], how many things there are.
        kinds: int64 [scene, thing], their classes.
        centres, halves: float32 [scene, thing, 2], x and y of the box's middle, and half its width and height, in sides.
        mirrored: bool [scene, thing].
        colours: float32 [scene, thing, tone, 3] in 0…1.
        sky, ground: float32 [scene, 3], colours at the top and at the bottom; horizon: float32 [scene], where they meet.
        sharpness: float32 [scene], of the horizon.
        rough: float32 [scene], standard deviation of the ground's texture, about; grain: of the things', relative to it.
    """

    count: Ints
    kinds: Ints
    centres: Floats
    halves: Floats
    mirrored: NDArray[np.bool_]
    colours: Floats
    sky: Floats
    ground: Floats
    horizon: Floats
    sharpness: Floats
    rough: Floats
    grain: Floats

    @property
    def boxes(self) -> list[Floats]:
        """Of each scene its things: left, top, right, bottom in sides, and class; float32 [thing, 5]."""
        corners = np.concatenate([self.centres - self.halves, self.centres + self.halves], axis=2)
        rows = np.concatenate([corners, self.kinds[..., None].astype(np.float32)], axis=2)
        return [rows[scene, :count] for scene, count in enumerate(self.count.tolist())]


def draw_scenes(scenes: int, stream: Stream) -> Scenes:
    """So many scenes."""
    count = stream.choice([0.3, 0.3, 0.2, 0.2], scenes) + 1
    kinds = stream.choice([1.0] * len(SHAPES), scenes, MOST_THINGS)
    alone = (count == 1)[:, None]
    first = np.arange(MOST_THINGS)[None, :] == 0
    large = stream.uniform(0.5, 0.85, scenes, MOST_THINGS)
    own = stream.uniform(0.42, 0.54, scenes, MOST_THINGS)
    others = stream.uniform(0.28, 0.4, scenes, MOST_THINGS)
    side = np.where(alone, large, np.where(first, own, others)).astype(np.float32)  # the longer side of the box
    wide = np.array(WIDTHS, np.float32)[kinds]
    halves = np.stack([side * np.minimum(wide, np.float32(1)), side / np.maximum(wide, np.float32(1))], axis=2) / np.float32(2)
    quarter = stream.order(scenes, MOST_THINGS)
    middle = np.stack([quarter % 2, quarter // 2], axis=2).astype(np.float32) * np.float32(0.5) + np.float32(0.25)
    middle = np.where(alone[..., None], np.float32(0.5), middle)
    centres = middle + stream.uniform(-0.08, 0.08, scenes, MOST_THINGS, 2)
    centres = np.clip(centres, halves, np.float32(1) - halves)
    tones = stream.uniform(0.15, 1.0, scenes, MOST_THINGS, 3, 3)
    tones[:, :, 2] *= np.float32(0.3)
    ground = stream.uniform(0.1, 0.9, scenes, 3)
    return Scenes(
        count=count,
        kinds=kinds,
        centres=np.asarray(centres, np.float32),
        halves=halves,
        mirrored=stream.uniform(0, 1, scenes, MOST_THINGS) < np.float32(0.5),
        colours=tones,
        sky=np.clip(ground + stream.uniform(-0.35, 0.35, scenes, 3), 0, 1),
        ground=ground,
        horizon=stream.uniform(0.2, 0.9, scenes),
        sharpness=np.where(stream.uniform(0, 1, scenes) < np.float32(0.5), np.float32(1.2), np.float32(12)),
        rough=stream.uniform(0.03, 0.14, scenes),
        grain=stream.uniform(0.2, 0.8, scenes),
    )


def paint(scenes: Scenes, side: int, stream: Stream) -> NDArray[np.uint8]:
    """The scenes as pictures.

    Args:
        scenes: what is to be seen.
        side: of the pictures, pixels.
        stream: of the texture.

    Returns:
        uint8 [scene, 3, side, side].
    """
    place = (np.arange(side, dtype=np.float32) + np.float32(0.5)) / np.float32(side)
    high = np.clip((place - scenes.horizon[:, None]) * scenes.sharpness[:, None] + np.float32(0.5), 0, 1)
    rows = scenes.sky[..., None] + (scenes.ground - scenes.sky)[..., None] * high[:, None]
    canvas = np.repeat(np.asarray(rows, np.float32)[..., None], side, axis=3)
    rough = np.broadcast_to(scenes.rough[:, None, None], (len(rows), side, side)).copy()
    for thing in reversed(range(MOST_THINGS)):
        _paint_things(canvas, rough, scenes, thing, place)
    light = _texture(len(rows), side, stream, side)
    tint = _texture(3 * len(rows), side, stream, TINT_CELLS).reshape(canvas.shape)
    canvas += (light[:, None] + np.float32(0.35) * tint) * rough[:, None]
    return np.asarray(np.floor(np.clip(canvas, 0, 1) * np.float32(255) + np.float32(0.5)), np.uint8)


def _paint_things(canvas: Floats, rough: Floats, scenes: Scenes, thing: int, place: Floats) -> None:
    """The thing of this number of every scene that has it, onto float32 [scene, 3, row, column]."""
    side = len(place)
    for kind, shape in enumerate(SHAPES):
        which = np.flatnonzero((scenes.count > thing) & (scenes.kinds[:, thing] == kind))
        if not len(which):
            continue
        centres, halves = scenes.centres[which, thing], scenes.halves[which, thing]
        window = min(side, int(np.ceil(halves.max() * np.float32(2 * side))) + 2)
        corner = np.clip(np.floor((centres - halves) * np.float32(side)).astype(np.int64) - 1, 0, side - window)
        columns, down = (corner[:, axis, None] + np.arange(window) for axis in (0, 1))
        u = (place[columns] - centres[:, 0, None]) / halves[:, 0, None]
        u = np.where(scenes.mirrored[which, thing][:, None], -u, u).astype(np.float32)
        v = (place[down] - centres[:, 1, None]) / halves[:, 1, None]
        pixels = (halves.min(axis=1) * np.float32(side))[:, None, None]
        here = (which[:, None, None], down[:, :, None], columns[:, None, :])
        tones = [plane[here] for plane in canvas.swapaxes(0, 1)]
        whole = np.zeros(tones[0].shape, np.float32)
        for tone, distance in shape(u[:, None, :], v[:, :, None]):
            cover = np.clip(np.float32(0.5) - distance * pixels, 0, 1)
            for seen, colour in zip(tones, scenes.colours[which, thing, tone].T, strict=True):
                seen += (colour[:, None, None] - seen) * cover
            np.maximum(whole, cover, out=whole)
        for plane, seen in zip(canvas.swapaxes(0, 1), tones, strict=True):
            plane[here] = seen
        own = (scenes.rough * scenes.grain)[which][:, None, None]
        rough[here] += (own - rough[here]) * whole


def _texture(count: int, side: int, stream: Stream, finest: int) -> Floats:
    """Random fields of about unit variance whose amplitude falls as 1/f, float32 [field, row, column].

    Octaves of random values on grids that get finer by two, up to `finest` cells along a side, interpolated between.
    """
    cells, size, power = side, 1.0, 1.0
    while cells % 2 == 0 and cells > 2:
        cells //= 2
    field = stream.noise(count, cells + 1, cells + 1)
    while cells < side:
        cells, size, field = 2 * cells, size * OCTAVE, _halved(field)
        if cells <= finest:
            field += np.float32(size) * stream.noise(*field.shape)
            power += size * size
    return field[:, :side, :side] / np.float32((0.5 * power) ** 0.5)  # interpolation leaves about half of the variance


def _halved(grid: Floats) -> Floats:
    """A grid [field, n + 1, n + 1] with the middles between its points, [field, 2 n + 1, 2 n + 1]."""
    count, points = grid.shape[:2]
    tall = np.empty((count, 2 * points - 1, points), np.float32)
    tall[:, ::2], tall[:, 1::2] = grid, (grid[:, :-1] + grid[:, 1:]) * np.float32(0.5)
    finer = np.empty((count, 2 * points - 1, 2 * points - 1), np.float32)
    finer[:, :, ::2], finer[:, :, 1::2] = tall, (tall[:, :, :-1] + tall[:, :, 1:]) * np.float32(0.5)
    return finer
