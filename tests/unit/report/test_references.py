"""A scheme above its noiseless reference is told in a line, in the table, on the page."""

import pytest

from hil.models.card import SchemeEntry
from hil.registry import SCHEMES
from hil.report.findings import summary_lines
from hil.report.references import above_reference
from hil.report.table import results_table
from hil.report.view import View
from tests.unit.report.documents import RETRIEVAL, document, row, simulated_row

SINGLE = next(name for name, entry in SCHEMES.builtin.items() if isinstance(entry, SchemeEntry) and entry.reference)


def panel_of(value, level, *, access="single"):
    points = [simulated_row(RETRIEVAL, "own", access, value, snr, basis="link", energy="per_use") for snr in (0.0, 15.0)]
    points[0] = points[0].model_copy(update={"metrics": RETRIEVAL.metrics(value - 0.2, further=False)})
    noiseless = row(RETRIEVAL, SINGLE, "single", "noiseless", level, uses=None, kind="bound")
    return document(([*points, noiseless], [], []))


def test_told_only_where_the_interval_says_so():
    (panel,) = View(whole := panel_of(0.8, 0.7)).panels
    found = above_reference(panel)
    assert list(found) == [("own", 15.0)]
    _, value, ends = found["own", 15.0]
    assert value == pytest.approx(0.1)
    assert ends == pytest.approx((0.1 - 0.02 * 2**0.5, 0.1 + 0.02 * 2**0.5))
    warning = next(line for line in summary_lines(whole) if line.startswith("Warning: own is better than"))
    assert f"{SINGLE} (70.0) (points): +10.00 [+7.17, +12.83] at 15 dB" in warning
    table = results_table(whole).renderables[0]
    assert [str(cell) for cell in table.columns[0].cells] == ["own", "own ↑"]
    assert "noiseless reference" in str(table.caption)


def test_silent_within_intervals_and_for_other_views():
    for whole in (panel_of(0.72, 0.7), panel_of(0.9, 0.7, access="oma")):
        assert not above_reference(View(whole).panels[0])
        assert not any("noiseless reference" in line for line in summary_lines(whole))
