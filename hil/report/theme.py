"""Colours and shapes of the report: one look for each scheme, safe for colour-blind eyes, on light and on dark paper."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hil.report.view import ACCESS_NAMES, View

__all__ = ["GRID", "INK", "MUTED", "PAPER", "WARN", "Look", "css_colours", "look_of", "looks"]

# What matplotlib draws in is the light theme's colour; the page replaces each by a CSS variable (svg.py).
INK, MUTED, GRID, PAPER, WARN = "#1b1f24", "#5d6672", "#d9dde2", "#fefefe", "#b3261e"
_DARK = {INK: "#e8eaed", MUTED: "#a3acb7", GRID: "#363c44", PAPER: "#16191d", WARN: "#ff8a80"}
# After Okabe and Ito, darkened for thin lines on white; (light, dark)
_COLOURS = (
    ("#0069a8", "#5cb8f5"),
    ("#c45a00", "#ffa348"),
    ("#00845c", "#3fd0a0"),
    ("#a0437c", "#f08cc6"),
    ("#6b5b00", "#dcc84a"),
    ("#5b4bb0", "#b3a6ff"),
    ("#3f6f7a", "#8fd3e0"),
    ("#7a3b2e", "#e3a597"),
)
_MARKERS = {"o": "●", "s": "■", "D": "◆", "^": "▲", "v": "▼", "P": "✚", "X": "✖", "*": "★", "<": "◀", ">": "▶", "h": "⬢"}
"""Matplotlib's markers as text. Eleven against eight colours: 88 schemes before a pair comes again."""
_DASHES: tuple[Any, ...] = ("solid", (0, (6, 2)), (0, (6, 2, 1, 2)), (0, (2, 1.5)))
_PLACES = {access: place for place, access in enumerate(ACCESS_NAMES)}


@dataclass(frozen=True, kw_only=True)
class Look:
    """How a scheme is drawn everywhere.

    Attributes:
        colour: as drawn; marker, dashes: matplotlib's.
    """

    colour: str
    marker: str
    dashes: Any

    @property
    def glyph(self) -> str:
        """The marker as text, never as a picture."""
        return _MARKERS[self.marker] + "\N{VARIATION SELECTOR-15}"


def looks(view: View) -> dict[str, Look]:
    """The look of each scheme: by access if it is the only one with that access, so that runs compare; else by order."""
    taken: dict[str, int] = {}
    accesses = list(view.accesses.values())
    for name, access in view.accesses.items():
        if access in _PLACES and accesses.count(access) == 1:
            taken[name] = _PLACES[access]
    place = 0
    for name in view.names:
        if name not in taken:
            while place in taken.values():
                place += 1
            taken[name] = place
    return {name: look_of(taken[name]) for name in view.names}


def look_of(place: int) -> Look:
    """The look at a place of the list of looks; 88 of them differ."""
    return Look(
        colour=_COLOURS[place % len(_COLOURS)][0],
        marker=list(_MARKERS)[place % len(_MARKERS)],
        dashes=_DASHES[place // len(_COLOURS) % len(_DASHES)],
    )


def css_colours(*, dark: bool) -> dict[str, str]:
    """Light colour, as drawn -> the colour to show."""
    pairs = {light: (night if dark else light) for light, night in _COLOURS}
    return pairs | {light: (night if dark else light) for light, night in _DARK.items()}
