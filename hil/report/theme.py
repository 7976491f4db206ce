"""Colours and shapes of the report: one for each scheme, safe for colour-blind eyes, on light and on dark paper."""

from __future__ import annotations

from dataclasses import dataclass

from hil.report.view import View

__all__ = ["GRID", "INK", "MUTED", "PAPER", "WARN", "Look", "css_colours", "looks"]

# What matplotlib draws in is the light theme's colour; the page replaces each by a CSS variable (svg.py).
INK, MUTED, GRID, PAPER, WARN = "#1b1f24", "#5d6672", "#d9dde2", "#fefefe", "#b3261e"
_DARK = {INK: "#e8eaed", MUTED: "#a3acb7", GRID: "#363c44", PAPER: "#16191d", WARN: "#ff8a80"}
# After Okabe and Ito, darkened for thin lines on white; (light, dark, marker, dashes)
_SCHEMES = (
    ("#0069a8", "#5cb8f5", "o"),
    ("#c45a00", "#ffa348", "s"),
    ("#00845c", "#3fd0a0", "D"),
    ("#a0437c", "#f08cc6", "^"),
    ("#6b5b00", "#dcc84a", "v"),
    ("#5b4bb0", "#b3a6ff", "P"),
    ("#3f6f7a", "#8fd3e0", "X"),
    ("#7a3b2e", "#e3a597", "*"),
)
_PLACES = {"single": 0, "oma": 1, "noma": 2}


@dataclass(frozen=True, kw_only=True)
class Look:
    """How a scheme is drawn everywhere."""

    colour: str
    marker: str


def looks(view: View) -> dict[str, Look]:
    """The look of each scheme: by access if it is the only one with that access, so that runs compare; else by order."""
    taken: dict[str, int] = {}
    for name in view.schemes:
        place = _PLACES.get(view.access(name))
        if place is not None and place not in taken.values():
            taken[name] = place
    free = [index for index in range(len(_SCHEMES)) if index not in taken.values()]
    for name in view.schemes:
        if name not in taken:
            taken[name] = free.pop(0) if free else len(taken) % len(_SCHEMES)
    return {name: Look(colour=_SCHEMES[taken[name]][0], marker=_SCHEMES[taken[name]][2]) for name in view.schemes}


def css_colours(*, dark: bool) -> dict[str, str]:
    """Light colour, as drawn -> the colour to show."""
    pairs = {light: (night if dark else light) for light, night, _ in _SCHEMES}
    return pairs | {light: (night if dark else light) for light, night in _DARK.items()}
