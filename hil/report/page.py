"""Pieces of the report's pages, from `templates`. Text from data is escaped there; what is HTML already is of type `Html`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup as Html

from hil.report.theme import Look, css_colours

__all__ = [
    "Html", "cell", "code", "document", "fold", "heading", "hero", "join", "marked", "paragraph", "picture", "plot", "plots",
    "section", "table", "with_interval",
]  # fmt: skip


def join(parts: Iterable[Html]) -> Html:
    """Pieces one after the other."""
    return Html("").join(parts)


def paragraph(content: str | Html, kind: str = "") -> Html:
    """A paragraph of plain text, which is escaped."""
    return _piece("paragraph", content, kind)


def heading(content: str, name: str = "") -> Html:
    """A heading inside a section; `name`: what links lead to."""
    return _piece("heading", content, name)


def section(name: str, title: str, *parts: Html) -> Html:
    """A section with a heading that the page's table of contents links to."""
    return _piece("section", name, title, parts)


def plot(svg: str, caption: str = "", kind: str = "") -> Html:
    """A plot with its caption."""
    return _piece("plot", Html(svg), caption, kind)


def plots(items: Iterable[Html], kind: str) -> Html:
    """Figures side by side; one below the other on a phone."""
    return _piece("plots", list(items), kind)


def hero(drawn: Html, findings: Sequence[str]) -> Html:
    """A panel's plot with what was found beside it."""
    return _piece("hero", drawn, findings)


def cell(value: object, *, kind: str = "") -> Html:
    """A cell of a table."""
    return _piece("cell", value, kind)


def with_interval(value: str, interval: str, kind: str = "", *, strong: bool = True) -> Html:
    """A cell with a number and its interval."""
    return _piece("with_interval", value, interval, kind, strong)


def marked(look: Look, label: str, warning: str = "") -> Html:
    """A cell with a scheme's name behind its mark, as in the plots; with a warning that a pointer shows in words."""
    return _piece("marked", look.colour[1:], look.glyph, label, warning)


def picture(png: str, what: str) -> Html:
    """A cell with a picture: base64 of a PNG, and what it shows."""
    return _piece("picture", png, what)


def code(lines: Sequence[str]) -> Html:
    """Lines to be copied into a terminal."""
    return _piece("code", lines)


def fold(title: str, inner: Html, *, opened: bool = False) -> Html:
    """What is shown when asked for."""
    return _piece("fold", title, inner, opened)


def table(head: Sequence[str], rows: Iterable[Sequence[Html]], *, left: int = 1, groups: Iterable[bool] = ()) -> Html:
    """A table that scrolls sideways where it does not fit.

    Args:
        head: column titles.
        rows: cells of each row.
        left: so many first columns are text.
        groups: for each row whether a group begins with it.
    """
    starts = dict(enumerate(groups))
    return _piece("table", head, [(starts.get(index, False), cells) for index, cells in enumerate(rows)], left)


def document(template: str, title: str, **values: Any) -> str:
    """A whole page, with its style inside it and nothing outside.

    Args:
        template: its name in `templates`.
        title: of the page; values: what else the template shows.
    """
    return _templates().get_template(f"{template}.html").render(title=title, style=_style(), **values)


def _piece(name: str, *values: Any) -> Html:
    piece: Html = getattr(_pieces(), name)(*values)
    return piece


@cache
def _templates() -> Environment:
    loader = PackageLoader("hil.report")
    return Environment(
        loader=loader,
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


@cache
def _pieces() -> Any:
    return _templates().get_template("pieces.html").module


@cache
def _style() -> Html:
    """The style sheet, and the plots' colours on light and dark paper."""
    sheet = files("hil.report").joinpath("report.css").read_text(encoding="utf-8")
    light = "".join(f"--c{key[1:]}:{value};" for key, value in css_colours(dark=False).items())
    dark = "".join(f"--c{key[1:]}:{value};" for key, value in css_colours(dark=True).items())
    return Html(f":root{{{light}}}@media screen and (prefers-color-scheme:dark){{:root{{{dark}}}}}\n{sheet}")
