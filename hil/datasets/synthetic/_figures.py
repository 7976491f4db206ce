"""Drawing people: many figures at once, as soft-edged shapes on one grid of pixels.

A figure stands in body coordinates: v runs from 0 at the crown to 1 at the soles, u is sideways in the same unit. A turn
of the body is one number in 0…4: 0 faces the camera, 2 shows the back, 1 and 3 are the sides. Only +, −, ×, ÷, √, floor and
comparisons are used: they round alike everywhere, so the pixels are the same on every machine.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from hil.datasets.streams import Floats, Ints
from hil.datasets.synthetic._people import People

__all__ = ["Poses", "paint_figures"]

Length = Floats | np.float32 | float


@dataclass(frozen=True, kw_only=True)
class Poses:
    """How a person stands in an image; float32 [image] each.

    Attributes:
        turn: of the body, 0…4.
        top, middle: pixel row of the crown and pixel column of the body's axis.
        size: pixels a body height.
        lean: columns the crown is shifted against the soles, in body heights.
        stride, swing: how far legs and arms are apart, −1…1.
    """

    turn: Floats
    top: Floats
    middle: Floats
    size: Floats
    lean: Floats
    stride: Floats
    swing: Floats

    def take(self, rows: slice) -> Poses:
        """Some of the images."""
        return Poses(**{field.name: getattr(self, field.name)[rows] for field in fields(self)})


def _wide(values: NDArray[np.generic]) -> Floats:
    """[image] -> float32 [image, 1, 1]."""
    return values.astype(np.float32)[:, None, None]


class _Brush:
    """Paints on a canvas, float32 [image, 3, H, W], in body coordinates."""

    def __init__(self, canvas: Floats, poses: Poses) -> None:
        height, width = canvas.shape[2:]
        rows = np.arange(height, dtype=np.float32)[None, :, None]
        columns = np.arange(width, dtype=np.float32)[None, None, :]
        self.canvas = canvas
        self.scratch = np.empty_like(canvas)
        self.size = _wide(poses.size)
        self.v = (rows - _wide(poses.top)) / self.size
        self.u = (columns - _wide(poses.middle)) / self.size - _wide(poses.lean) * (np.float32(0.5) - self.v)

    def cover(self, distance: Floats) -> Floats:
        """Coverage 0…1 of a pixel whose centre is `distance` (body heights) outside a shape."""
        return np.asarray(np.clip(np.float32(0.5) - distance * self.size, 0, 1), np.float32)

    def paint(self, cover: Floats, colour: Floats) -> None:
        """Blend `colour`, [image, 3] or [image, 3, H, W], over the canvas."""
        rows = np.flatnonzero(cover.any(axis=(0, 2)))
        if not len(rows):
            return
        window = slice(int(rows[0]), int(rows[-1]) + 1)
        colour = colour[:, :, None, None] if colour.ndim == 2 else colour[:, :, window]
        part, step = self.canvas[:, :, window], self.scratch[:, :, window]
        np.subtract(colour, part, out=step)
        np.multiply(step, cover[:, None, window], out=step)
        np.add(part, step, out=part)

    def ellipse(self, u: Length, v: Length, a: Length, b: Length) -> Floats:
        """Coverage of an ellipse around (u, v) with half axes a, b."""
        x, y = (self.u - u) / a, (self.v - v) / b
        return self.cover((np.sqrt(x * x + y * y) - np.float32(1)) * np.minimum(a, b))

    def box(self, u: Length, top: Length, bottom: Length, half: Length) -> Floats:
        """Coverage of an upright box around column u."""
        across = np.abs(self.u - u) - half
        return self.cover(np.maximum(across, np.maximum(top - self.v, self.v - bottom)))

    def limb(self, u0: Floats, v0: Length, u1: Floats, v1: Length, half: Floats) -> Floats:
        """Coverage of a limb from (u0, v0) down to (u1, v1)."""
        along = np.clip((self.v - v0) / (v1 - v0), 0, 1)
        across = np.abs(self.u - (u0 + (u1 - u0) * along)) - half
        return self.cover(np.maximum(across, np.maximum(v0 - self.v, self.v - v1)))


def _wave(phase: Floats, sharp: float = 6.0) -> Floats:
    """Square wave of period 1 with soft edges, 0…1."""
    saw = phase - np.floor(phase)
    wave = (np.abs(saw - np.float32(0.5)) - np.float32(0.25)) * np.float32(sharp) + np.float32(0.5)
    return np.asarray(np.clip(wave, 0, 1), np.float32)


def _cloth(brush: _Brush, kind: Ints, a: Floats, b: Floats, period: Floats, squeeze: Floats) -> Floats:
    """Colour of a textured cloth everywhere, float32 [image, 3, H, W]; patterns narrow as the body turns (`squeeze`)."""
    across = brush.v / _wide(period)
    along = brush.u / (_wide(period) * np.float32(0.8) * squeeze)
    kinds = kind[:, None, None]
    stripe, bar = _wave(across), _wave(along)
    x, y = along - np.floor(along) - np.float32(0.5), across - np.floor(across) - np.float32(0.5)
    dot = np.clip((np.float32(0.12) - (x * x + y * y)) * np.float32(16), 0, 1)
    mask = np.zeros_like(stripe)
    patterns = (stripe, bar, stripe + bar - np.float32(2) * stripe * bar, dot, _wave(across + along))
    for number, pattern in enumerate(patterns, start=1):
        mask = np.where(kinds == number, pattern, mask)
    return a[:, :, None, None] + mask[:, None] * (b - a)[:, :, None, None]


def paint_figures(canvas: Floats, people: People, poses: Poses) -> None:
    """Draw one figure on each image of `canvas`, in place.

    Args:
        canvas: float32 [image, 3, H, W], the background, RGB in 0…1.
        people: one row an image.
        poses: one row an image.
    """
    brush = _Brush(canvas, poses)
    quarter = poses.turn - np.float32(4) * np.floor(poses.turn / np.float32(4))
    front = _wide(np.abs(quarter - np.float32(2)) - np.float32(1))  # 1 front, −1 back
    lateral = np.sqrt(np.maximum(np.float32(1) - front * front, 0)) * np.where(
        _wide(quarter) < 2, np.float32(1), np.float32(-1)
    )
    squeeze = np.float32(0.6) + np.float32(0.4) * np.abs(front)
    girth, shoulder = _wide(people.girth), _wide(people.shoulder)
    half = np.float32(0.13) * girth * squeeze  # of the torso
    hem, stride, swing = _wide(people.hem), _wide(poses.stride), _wide(poses.swing)

    _bags(brush, people, front, lateral, half, behind=True)
    _legs(brush, people, hem, stride, squeeze, lateral)
    torso = _cloth(brush, people.top_kind, people.top_a, people.top_b, people.period, squeeze)
    slope = np.clip((brush.v - np.float32(0.17)) / np.float32(0.35), 0, 1)
    flank = half * (shoulder + (np.float32(1) - shoulder) * slope)
    brush.paint(brush.cover(np.maximum(np.abs(brush.u) - flank, np.maximum(np.float32(0.165) - brush.v, brush.v - hem))), torso)
    _front_and_back(brush, people, front, lateral, half, hem)
    _arms(brush, people, torso, half * shoulder, swing, front)
    _head(brush, people, front, lateral)
    _bags(brush, people, front, lateral, half, behind=False)


def _legs(brush: _Brush, people: People, hem: Floats, stride: Floats, squeeze: Floats, lateral: Floats) -> None:
    cloth = _cloth(brush, people.legs_kind, people.legs_a, people.legs_b, people.period, squeeze)
    girth = _wide(people.girth)
    half = np.float32(0.055) * girth
    ends = np.float32(0.5) + _wide(people.leg) * np.float32(0.46)
    for sign in (np.float32(-1), np.float32(1)):
        hip = sign * np.float32(0.055) * girth * squeeze
        foot = hip + sign * stride * (np.float32(0.03) + np.float32(0.11) * np.abs(lateral))
        knee = hip + (foot - hip) * (ends - np.float32(0.46)) / np.float32(0.54)
        brush.paint(brush.limb(hip, 0.46, foot, 0.97, half * np.float32(0.7)), people.skin)
        brush.paint(brush.limb(hip, 0.46, knee, ends, half), cloth)
        brush.paint(brush.ellipse(foot + lateral * np.float32(0.02), 0.975, np.float32(0.05), 0.022), people.shoes)
    spread = np.float32(0.105) * girth + np.float32(0.05) * np.clip((brush.v - hem) * np.float32(4), 0, 1)
    skirt = np.maximum(np.abs(brush.u) - spread, np.maximum(np.float32(0.46) - brush.v, brush.v - np.float32(0.74)))
    brush.paint(brush.cover(skirt) * _wide(people.skirt), cloth)


def _front_and_back(brush: _Brush, people: People, front: Floats, lateral: Floats, half: Floats, hem: Floats) -> None:
    seen = np.clip(front * np.float32(4), 0, 1) * _wide(people.jacket)
    opening = half * (np.float32(0.15) + np.float32(0.25) * np.abs(front))
    brush.paint(brush.box(lateral * half * np.float32(0.7), 0.17, hem - np.float32(0.01), opening) * seen, people.shirt)
    seen = np.clip(front * np.float32(-4), 0, 1) * _wide(people.emblem)
    wide = half * (np.float32(0.2) + np.float32(0.35) * np.abs(front))
    brush.paint(brush.box(-lateral * half * np.float32(0.6), 0.25, 0.36, wide) * seen, people.emblem_colour)


def _arms(brush: _Brush, people: People, torso: Floats, half: Floats, swing: Floats, front: Floats) -> None:
    thick = np.float32(0.034) * _wide(people.girth)
    ends = np.float32(0.19) + _wide(people.sleeve) * np.float32(0.29)
    shade = torso * np.float32(0.88)
    for sign in (np.float32(-1), np.float32(1)):
        root = sign * half * (np.float32(0.35) + np.float32(0.65) * np.abs(front))
        hand = root + sign * (np.float32(0.03) + swing * (np.float32(0.09) - np.float32(0.05) * np.abs(front)))
        cuff = root + (hand - root) * (ends - np.float32(0.19)) / np.float32(0.33)
        brush.paint(brush.limb(root, 0.19, hand, 0.52, thick * np.float32(0.8)), people.skin)
        brush.paint(brush.limb(root, 0.18, cuff, ends, thick), shade)


def _head(brush: _Brush, people: People, front: Floats, lateral: Floats) -> None:
    size = np.float32(0.07) * _wide(people.head)
    kind = people.hair_kind[:, None, None]
    long = (kind == 1).astype(np.float32)
    bald = kind == 2
    seat = np.float32(0.08)
    crown = np.where((kind == 3)[:, :, 0], people.hat, np.where(bald[:, :, 0], people.skin, people.hair))
    brush.paint(brush.box(0.0, 0.10, 0.18, size * np.float32(0.5)), people.skin)
    brush.paint(brush.box(-lateral * size * np.float32(0.4), 0.09, 0.22, size * np.float32(1.05)) * long, people.hair)
    brush.paint(brush.ellipse(0.0, seat, size, size * np.float32(1.25)), crown)
    face = np.clip(front * np.float32(2) + np.float32(1), 0, 1)
    brush.paint(
        brush.ellipse(lateral * size * np.float32(0.4), 0.098, size * np.float32(0.75), size * np.float32(0.85)) * face,
        people.skin,
    )
    brim = brush.box(lateral * size * np.float32(0.6), 0.045, 0.065, size * np.float32(1.25))
    brush.paint(brim * (kind == 3).astype(np.float32), people.hat)


def _bags(brush: _Brush, people: People, front: Floats, lateral: Floats, half: Floats, *, behind: bool) -> None:
    """What hangs behind the body (`behind`) is drawn before it, the rest after it."""
    carry = people.carry[:, None, None]
    near = _wide(people.side) * front  # which side of the picture the carrying hand is on
    away = (_wide(people.side) * lateral < 0) == behind  # a side view hides what hangs on the far side
    backpack = (carry == 1) & ((front >= 0) == behind)
    pack = brush.box(-lateral * (half + np.float32(0.03)), 0.19, 0.42, half * np.float32(0.75))
    brush.paint(pack * backpack.astype(np.float32), people.bag)
    handbag = brush.box(near * (half + np.float32(0.05)), 0.50, 0.62, np.float32(0.05))
    brush.paint(handbag * ((carry == 2) & away).astype(np.float32), people.bag)
    hip = near * half
    satchel = brush.box(hip, 0.42, 0.53, np.float32(0.055))
    brush.paint(satchel * ((carry == 3) & away).astype(np.float32), people.bag)
    if not behind:
        straps = np.abs(np.abs(brush.u - lateral * half * np.float32(0.5)) - half * np.float32(0.55)) - np.float32(0.012)
        bounds = np.maximum(np.float32(0.17) - brush.v, brush.v - np.float32(0.36))
        brush.paint(brush.cover(np.maximum(straps, bounds)) * ((carry == 1) & (front > 0)).astype(np.float32), people.bag)
        slant = brush.u + hip * np.float32(1.0) - hip * np.float32(2.0) * (brush.v - np.float32(0.17)) / np.float32(0.28)
        bounds = np.maximum(np.float32(0.17) - brush.v, brush.v - np.float32(0.45))
        strap = brush.cover(np.maximum(np.abs(slant) - np.float32(0.014), bounds))
        brush.paint(strap * (carry == 3).astype(np.float32), people.bag)
