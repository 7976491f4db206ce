"""Who the people of the synthetic set are: what stays the same of a person from one image to the next."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from hil.datasets.streams import Floats, Ints, Stream

__all__ = ["People", "draw_people"]

# Clothing dyes, RGB. Few and shared by many people, so that a colour alone names nobody.
DYES = np.array(
    [
        (0.10, 0.10, 0.12),
        (0.88, 0.88, 0.86),
        (0.48, 0.48, 0.50),
        (0.14, 0.20, 0.45),
        (0.70, 0.16, 0.16),
        (0.16, 0.44, 0.22),
        (0.62, 0.48, 0.32),
        (0.84, 0.72, 0.22),
        (0.36, 0.56, 0.76),
        (0.50, 0.24, 0.50),
    ],
    np.float32,
)
HAIR = np.array([(0.08, 0.06, 0.05), (0.28, 0.17, 0.09), (0.66, 0.52, 0.28), (0.55, 0.55, 0.55)], np.float32)
SKIN = np.array([(0.93, 0.77, 0.66), (0.78, 0.58, 0.44), (0.46, 0.31, 0.22)], np.float32)

TEXTURES = ("plain", "across", "along", "checks", "dots", "diagonal")
TEXTURE_WEIGHTS = (0.25, 0.2, 0.15, 0.15, 0.15, 0.1)
CARRIES = ("nothing", "backpack", "handbag", "shoulder bag")


@dataclass(frozen=True, kw_only=True)
class People:
    """One row a person. Colours are float32 [person, 3] in 0…1, kinds int64 [person], lengths float32 [person] in body heights.

    Attributes:
        height: of the person against the average; girth, shoulder, head: widths against the average.
        skin, hair, hat: colours; hair_kind: 0 short, 1 long, 2 bald, 3 hat.
        top_kind, legs_kind: index into `TEXTURES`; top_a, top_b, legs_a, legs_b: their two colours; period: of the texture.
        hem: where the top ends; sleeve, leg: how far down the arm and the leg the cloth reaches (0…1); skirt: 0 or 1.
        jacket: 1 when it is open over a shirt of colour `shirt` (seen from the front); emblem: 1 when the back has one.
        carry: index into `CARRIES`; bag: its colour; side: −1 or 1, where it hangs; shoes: colour.
    """

    height: Floats
    girth: Floats
    shoulder: Floats
    head: Floats
    skin: Floats
    hair: Floats
    hat: Floats
    hair_kind: Ints
    top_kind: Ints
    top_a: Floats
    top_b: Floats
    period: Floats
    hem: Floats
    sleeve: Floats
    legs_kind: Ints
    legs_a: Floats
    legs_b: Floats
    leg: Floats
    skirt: Ints
    jacket: Ints
    shirt: Floats
    emblem: Ints
    emblem_colour: Floats
    carry: Ints
    bag: Floats
    side: Floats
    shoes: Floats

    def take(self, index: Ints) -> People:
        """The people at `index`, int64 [image]: one row an image."""
        return People(**{field.name: getattr(self, field.name)[index] for field in fields(self)})


def draw_people(count: int, stream: Stream) -> People:
    """`count` people, drawn from `stream`."""

    def dye(weights: tuple[float, ...] = (1.4, 1.0, 1.2, 1.2, 0.8, 0.8, 0.8, 0.6, 0.8, 0.6)) -> Floats:
        shade = stream.uniform(-0.06, 0.06, count, 1) + stream.uniform(-0.03, 0.03, count, 3)
        return np.clip(DYES[stream.choice(weights, count)] + shade, 0.02, 0.98)

    def pick(palette: Floats, weights: tuple[float, ...]) -> Floats:
        return np.clip(palette[stream.choice(weights, count)] + stream.uniform(-0.05, 0.05, count, 3), 0.02, 0.98)

    sleeves = np.array([0.35, 0.7, 1.0], np.float32)
    legs = np.array([1.0, 0.45, 0.7], np.float32)
    return People(
        height=stream.uniform(0.86, 1.06, count),
        girth=stream.uniform(0.8, 1.3, count),
        shoulder=stream.uniform(0.88, 1.15, count),
        head=stream.uniform(0.9, 1.12, count),
        skin=pick(SKIN, (1.0, 1.0, 0.6)),
        hair=pick(HAIR, (1.2, 1.0, 0.6, 0.3)),
        hat=dye(),
        hair_kind=stream.choice((1.0, 0.8, 0.2, 0.4), count),
        top_kind=stream.choice(TEXTURE_WEIGHTS, count),
        top_a=dye(),
        top_b=dye(),
        period=stream.uniform(0.075, 0.14, count),
        hem=stream.uniform(0.47, 0.58, count),
        sleeve=sleeves[stream.choice((0.8, 0.2, 1.0), count)],
        legs_kind=stream.choice((1.0, 0.1, 0.15, 0.1, 0.0, 0.0), count),
        legs_a=dye(),
        legs_b=dye(),
        leg=legs[stream.choice((1.0, 0.45, 0.2), count)],
        skirt=stream.choice((0.8, 0.2), count),
        jacket=stream.choice((0.65, 0.35), count),
        shirt=dye(),
        emblem=stream.choice((0.65, 0.35), count),
        emblem_colour=dye(),
        carry=stream.choice((0.4, 0.22, 0.2, 0.18), count),
        bag=dye(),
        side=np.where(stream.choice((1.0, 1.0), count) == 0, np.float32(-1), np.float32(1)),
        shoes=dye(),
    )
