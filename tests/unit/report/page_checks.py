"""What the tests ask of an HTML page."""

from __future__ import annotations

import re
from html.parser import HTMLParser

LINKING = ("src", "href", "xlink:href", "data", "srcset", "action", "poster")


class Page(HTMLParser):
    """Tags, ids, links, and the text of table cells, of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.tags: list[str] = []
        self.unbalanced: list[str] = []
        self.rows: list[list[str]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in ("meta", "link", "br"):
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            if name in LINKING:
                self.links.append(value or "")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if self.open and self.open[-1] == tag:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.unbalanced.append(tag)

    def handle_data(self, data: str) -> None:
        if self.rows and self.rows[-1] and {"td", "th"} & set(self.open):
            self.rows[-1][-1] += data

    def table(self, first: str) -> list[list[str]]:
        """Head and rows of the table whose first head begins so."""
        start = next(index for index, row in enumerate(self.rows) if row and row[0].startswith(first))
        width = len(self.rows[start])
        found = []
        for row in self.rows[start:]:
            if len(row) != width or (found and row[0] in HEADS):
                break
            found.append(row)
        return found


HEADS = ("scheme", "noiseless", "claim", "SNR target dB", "frames", "key", "link", "metric", "stream events")


def check_whole(text: str) -> Page:
    """The page is well-formed, holds no script, and needs nothing from outside; every link and id leads somewhere."""
    page = Page(text)
    assert not page.unbalanced
    assert not page.open
    assert "script" not in page.tags
    assert len(page.ids) == len(set(page.ids))
    for link in page.links:
        assert link.startswith(("#", "data:")), link
        if link.startswith("#"):
            assert link[1:] in page.ids, link
    assert not re.search(r"@import|url\((?!#|['\"]?data:)", text)
    assert set(re.findall(r"url\(#([^)]+)\)", text)) <= set(page.ids)
    assert "http://" not in text
    assert "https://" not in text
    return page


def plot_count(text: str) -> int:
    """Plots in the page."""
    return text.count('<svg class="plot"')
