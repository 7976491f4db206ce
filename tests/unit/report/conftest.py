"""One run with its capture and page, for the tests that only look at it."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from hil.report.html import write_report
from hil.results.document import write_results
from tests.unit.report.captures import make_capture
from tests.unit.report.documents import KINDS, three


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report") / "demo"
    folder.mkdir()
    document = three()
    write_results(document, folder / "results.json")
    make_capture(folder / "capture.h5", document)
    write_report(document, folder / "capture.h5", folder / "report.html")
    return folder


@pytest.fixture(scope="session")
def page_of_kind(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """The page of a kind of document, made once."""

    @cache
    def make(kind: str) -> str:
        path = tmp_path_factory.mktemp("kind") / "report.html"
        write_report(KINDS[kind](), None, path)
        return path.read_text(encoding="utf-8")

    return make
