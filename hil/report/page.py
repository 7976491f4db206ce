"""Pieces of HTML. All text from data goes through `text`; what is HTML already is of type `Html`."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from importlib.resources import files
from typing import NewType

from hil.report.theme import Look, css_colours

__all__ = [
    "Html", "cell", "document", "element", "fold", "join", "marked", "paragraph", "plot", "plots", "section", "table", "text",
    "with_interval",
]  # fmt: skip

Html = NewType("Html", str)


def text(value: object) -> Html:
    """Anything as text, escaped."""
    return Html(html.escape(str(value), quote=True))


def join(parts: Iterable[Html]) -> Html:
    """Pieces one after the other."""
    return Html("".join(parts))


def element(tag: str, inner: Html, **attributes: str) -> Html:
    """An element; ``class_`` stands for ``class``."""
    attrs = "".join(f' {name.rstrip("_")}="{html.escape(value, quote=True)}"' for name, value in attributes.items())
    return Html(f"<{tag}{attrs}>{inner}</{tag}>")


def paragraph(content: str | Html, kind: str = "") -> Html:
    """A paragraph of plain text, which is escaped."""
    return element("p", text(content), **({"class_": kind} if kind else {}))


def section(name: str, title: str, *parts: Html) -> Html:
    """A section with a heading that the page's table of contents links to."""
    return element("section", element("h2", text(title)) + join(parts), id=name)  # type: ignore[arg-type]


def plot(svg: str, caption: str = "", kind: str = "") -> Html:
    """A plot with its caption."""
    body = Html(svg)
    if caption:
        body = Html(body + element("figcaption", text(caption)))
    return element("figure", body, **({"class_": kind} if kind else {}))


def plots(items: Iterable[Html], kind: str) -> Html:
    """Figures side by side; one below the other on a phone."""
    return element("div", join(items), class_=f"plots {kind}")


def cell(value: object, *, kind: str = "") -> Html:
    """A cell of a table; `Html` must be wrapped by the caller."""
    return element("td", text(value), **({"class_": kind} if kind else {}))


def with_interval(value: str, interval: str, kind: str = "", *, strong: bool = True) -> Html:
    """A cell with a number and its interval."""
    inner = (element("b", text(value)) if strong else text(value)) + (
        " " + element("span", text(interval), class_="ci") if interval else ""
    )
    return element("td", Html(inner), **({"class_": kind} if kind else {}))


def marked(look: Look, label: str, warning: str = "") -> Html:
    """A cell with a scheme's name behind its mark, as in the plots; with a warning that a pointer shows in words."""
    mark = element("span", text(look.glyph), class_="mark", style=f"color:var(--c{look.colour[1:]})")
    inner = mark + text(label)
    if warning:
        inner += " " + element("span", text("!"), class_="bad", title=warning)
    return element("td", Html(inner), class_="text")


def fold(title: str, inner: Html, *, opened: bool = False) -> Html:
    """What is shown when asked for."""
    return element("details", Html(element("summary", text(title)) + inner), **({"open": "open"} if opened else {}))


def table(head: Sequence[str], rows: Iterable[Sequence[Html]], *, left: int = 1, groups: Iterable[bool] = ()) -> Html:
    """A table that scrolls sideways where it does not fit.

    Args:
        head: column titles.
        rows: cells of each row.
        left: so many first columns are text.
        groups: for each row whether a group begins with it.
    """
    starts = list(groups)
    titles = join(
        element("th", text(name), scope="col", **({"class_": "text"} if i < left else {})) for i, name in enumerate(head)
    )
    body = []
    for index, cells in enumerate(rows):
        first = index < len(starts) and starts[index]
        body.append(element("tr", join(cells), **({"class_": "first"} if first else {})))
    inner = Html(f"<thead><tr>{titles}</tr></thead><tbody>{join(body)}</tbody>")
    return element("div", element("table", inner), class_="scroll", tabindex="0")


def document(title: str, body: Html) -> str:
    """The page, with its style inside it and nothing outside."""
    sheet = files("hil.report").joinpath("report.css").read_text(encoding="utf-8")
    light = "".join(f"--c{key[1:]}:{value};" for key, value in css_colours(dark=False).items())
    dark = "".join(f"--c{key[1:]}:{value};" for key, value in css_colours(dark=True).items())
    colours = f":root{{{light}}}@media screen and (prefers-color-scheme:dark){{:root{{{dark}}}}}"
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f'<title>{text(title)}</title><link rel="icon" href="data:,"><style>{colours}\n{sheet}</style></head>\n'
        f"<body>{body}</body></html>\n"
    )
