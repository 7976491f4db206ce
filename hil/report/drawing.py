"""A panel of the page and its plots, each under a name of its own."""

from __future__ import annotations

from typing import Any

from hil.report.page import Html, plot
from hil.report.panel import Panel
from hil.report.svg import inline_svg
from hil.report.view import View

__all__ = ["Drawing"]


class Drawing:
    """A panel and the names of its plots.

    Args:
        view: of the document.
        panel: of the view.
        name: unique in the page.
    """

    def __init__(self, view: View, panel: Panel, name: str) -> None:
        self.view, self.panel, self._name = view, panel, name

    def plot(self, drawn: Any, name: str, label: str, caption: str = "") -> Html:
        """A figure of the page; `name` is unique among the panel's."""
        return plot(inline_svg(drawn, f"{self._name}-{name}", label), caption)
