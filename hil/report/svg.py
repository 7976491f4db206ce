"""A matplotlib figure as SVG that lives inside an HTML page: small, with unique ids, its colours the page's."""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from hil.report.theme import INK, MUTED, PAPER, css_colours

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["figure_style", "inline_svg", "new_figure"]

_STYLE: dict[str, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9.5,
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 9.5,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.unicode_minus": True,
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "legend.facecolor": PAPER,
    "legend.edgecolor": "none",
    "legend.framealpha": 0.8,
    "legend.borderpad": 0.25,
    "legend.fontsize": 8.5,
    "figure.dpi": 72,
    "savefig.dpi": 160,
    "svg.fonttype": "none",
    "path.simplify": True,
}
_FONT = "system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif"


@contextmanager
def figure_style(**more: Any) -> Iterator[None]:
    """Matplotlib's settings for our figures, put back at the end; nothing of pyplot is used."""
    import matplotlib as mpl

    with mpl.rc_context(_STYLE | more):
        yield


def new_figure(width: float, height: float) -> Figure:
    """An empty figure (inches) that belongs to no window and to no global list."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def inline_svg(figure: Figure, name: str, label: str) -> str:
    """SVG element of a figure.

    Args:
        figure: drawn under `figure_style`.
        name: unique in the page; prefix of all ids and classes.
        label: what a screen reader says.
    """
    import html

    buffer = io.StringIO()
    with figure_style(**{"svg.hashsalt": name}):
        _lay_out(figure)
        figure.savefig(
            buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None, "Format": None, "Type": None}
        )
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->|<style type=\"text/css\">.*?</style>", "", text, flags=re.DOTALL)
    text = re.sub(r"\s(?:xmlns(?::\w+)?|version)=\"[^\"]*\"", "", text)
    text = text.replace("xlink:href=", "href=")
    text = _unique_ids(text, name)
    text = _classes(text, name)
    text = re.sub(r">\s+<", "><", text).replace("\n", " ")
    head = f'<svg class="plot" role="img" aria-label="{html.escape(label, quote=True)}"'
    text = re.sub(r"<svg(?:\s(?:width|height)=\"[^\"]*\")*", "<svg", text, count=1)
    text = re.sub(r"^<svg([^>]*?)\s(?:width=\"[^\"]*\"|height=\"[^\"]*\")", r"<svg\1", text)
    text = re.sub(r"^<svg([^>]*?)\s(?:width=\"[^\"]*\"|height=\"[^\"]*\")", r"<svg\1", text)
    return head + text[len("<svg") :]


def _lay_out(figure: Figure) -> None:
    """Place everything now: a figure that still has a layout engine is drawn twice when it is saved."""
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.execute(figure)
        figure.set_layout_engine(None)


def _unique_ids(text: str, name: str) -> str:
    used = set(re.findall(r"(?:href=\"|url\()#([^\")]+)", text))
    short = {old: f"{name}-{index}" for index, old in enumerate(sorted(used))}
    text = re.sub(r"\sid=\"([^\"]+)\"", lambda found: f' id="{short[found[1]]}"' if found[1] in short else "", text)
    return re.sub(r"(href=\"|url\()#([^\")]+)", lambda found: f"{found[1]}#{short[found[2]]}", text)


def _classes(text: str, name: str) -> str:
    """Styles, which repeat, to classes; drawn colours to the page's variables."""
    colours = {colour: f"var(--c{colour[1:]})" for colour in css_colours(dark=False)}
    rules: dict[str, str] = {}

    def to_class(found: re.Match[str]) -> str:
        style = re.sub(r"#[0-9a-f]{6}", lambda hex_: colours.get(hex_[0], hex_[0]), found[1])
        style = style.replace("'DejaVu Sans'", _FONT).replace("; ", ";").replace(": ", ":")
        style = re.sub(r"stroke-(?:linejoin:round|linecap:square|miterlimit:100000);?", "", style)
        digest = hashlib.sha256(style.encode()).hexdigest()[:4]
        return f' class="{rules.setdefault(style, f"{name}{digest}")}"'

    text = re.sub(r"\sstyle=\"([^\"]*)\"", to_class, text)
    sheet = "".join(f".{key}{{{style}}}" for style, key in rules.items())
    return re.sub(r"(<svg[^>]*>)", lambda found: f"{found[1]}<style>{sheet}</style>", text, count=1)
