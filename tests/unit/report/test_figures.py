"""Figures: drawn for every kind of document, with the document's numbers, marks that differ, and readable legends."""

from collections.abc import Iterator

import numpy as np
import pytest

from hil.report import figures, gaps
from hil.report.axes import Places
from hil.report.files import write_figures
from hil.report.svg import figure_style
from hil.report.theme import css_colours, looks
from hil.report.view import View
from tests.unit.report.documents import (
    IMAGE,
    KINDS,
    NO_NOISE,
    RETRIEVAL,
    SNRS,
    THREE,
    air_row,
    beside_published,
    document,
    lower_is_better,
    many,
    one_snr,
    references,
    three,
    two_receivers,
)


@pytest.fixture(autouse=True)
def _style() -> Iterator[None]:
    with figure_style():
        yield


def lines_of(figure):
    """Label -> its line, of the plot's legend entries; those of markers with intervals too."""
    (axes,) = figure.axes
    found = {}
    for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
        found[label] = handle[0] if isinstance(handle, tuple) else handle
    return found


def test_the_curve_is_the_documents():
    view = View(three())
    figure = figures.curves(view, view.panels[0])
    for place, (name, links) in enumerate(zip(THREE, (1, 2, 2), strict=True)):
        line = lines_of(figure)[view.label(name)]
        assert line.get_ydata() == pytest.approx([100 * RETRIEVAL.value(place, snr) for snr in SNRS])
        mean = 10 * np.log10(np.mean([10 ** (0.011 * tx) for tx in range(links)]))
        assert line.get_xdata() == pytest.approx([snr + mean for snr in SNRS])
    (axes,) = figure.axes
    assert axes.get_ylabel() == "top-1 (%)"
    assert axes.get_ylim() == (0.0, 102.0)
    levels = {round(float(line.get_ydata()[0]), 6) for line in axes.lines if len(set(line.get_ydata())) == 1}
    assert {round(100 * RETRIEVAL.value(place, NO_NOISE), 6) for place in range(3)} <= levels
    assert 0.12 in levels  # chance
    assert [text.get_text() for text in axes.texts] == ["chance"]


def test_intervals_of_both_axes_are_the_documents():
    view = View(three())
    bars = figures.curves(view, view.panels[0]).axes[0].containers[0]
    both = [collection.get_segments() for collection in bars[2]]
    across, along = ([sorted(segment[:, axis]) for segment in segments] for axis, segments in enumerate(both))
    assert across == [pytest.approx([snr - 0.06, snr + 0.06]) for snr in SNRS]
    assert along == [pytest.approx([100 * (value - 0.02), 100 * (value + 0.02)]) for value in
                     (RETRIEVAL.value(0, snr) for snr in SNRS)]  # fmt: skip


def test_decibels_span_what_was_measured_and_far_levels_are_named():
    rows = [air_row(IMAGE, "own", "single", 0, snr) for snr in SNRS]
    far = references(IMAGE, {"own": "single"})[0].model_copy(update={"metrics": IMAGE.metrics(100.0)})
    view = View(document(([*rows, far], [], [])))
    figure = figures.curves(view, view.panels[0])
    (axes,) = figure.axes
    assert axes.get_ylabel() == "PSNR (dB)"
    low, high = axes.get_ylim()
    assert 13 < low < IMAGE.value(0, -6.0) - 0.4
    assert IMAGE.value(0, 15.0) + 0.4 < high < 33
    assert "noiseless (off the axis: own 100.00)" in lines_of(figure)


def test_where_lower_is_better_the_legend_leaves_the_corner():
    view = View(lower_is_better())
    legend = figures.curves(view, view.panels[0]).axes[0].get_legend()
    assert legend._loc == legend.codes["upper right"]


def test_published_curves_are_beside_in_their_own_look():
    view = View(beside_published())
    found = lines_of(figures.curves(view, view.panels[0]))
    line = found["paper's scheme (Someone et al., Fig. 3)"]
    assert list(line.get_xdata()) == [-6.0, 0.0, 6.0, 12.0]
    assert line.get_markerfacecolor() == "none"
    assert line.get_color() not in {look.colour for name, look in looks(view).items() if name in THREE}


def test_one_snr_has_a_column_for_each_scheme():
    view = View(one_snr())
    (axes,) = figures.curves(view, view.panels[0]).axes
    assert [label.get_text() for label in axes.get_xticklabels()] == ["single", "OMA", "NOMA"]
    assert axes.get_xlabel() == "SNR target 3 dB"
    assert [float(container[0].get_xdata()[0]) for container in axes.containers] == [0.0, 1.0, 2.0]
    together = figures.against_simulation(view, view.panels[0], list(THREE))
    assert {"over the air, 95 %", "simulated at link SNR", "simulated at effective SNR", "noiseless"} <= set(lines_of(together))
    assert not Places(View(three()), View(three()).panels[0]).columns


def test_agreement_has_the_entries_bounds():
    view = View(three())
    (axes,) = gaps.agreement(view, view.panels[0]).axes
    level = sorted(float(line.get_ydata()[0]) for line in axes.lines if line.get_linestyle() == "--")
    assert level == pytest.approx([-3, -1, 1, 3], abs=1e-9)
    view = View(KINDS["two goals"]())
    (axes,) = gaps.agreement(view, view.panels[1]).axes
    level = sorted(float(line.get_ydata()[0]) for line in axes.lines if line.get_linestyle() == "--")
    assert level == pytest.approx([-0.3, -0.1, 0.1, 0.3], abs=1e-9)
    assert axes.get_ylabel() == "PSNR: air − simulation (dB)"


def test_receivers_are_told_apart():
    view = View(two_receivers())
    found = lines_of(figures.receivers(view, view.panels))
    assert list(found) == ["broadcast-a at near", "broadcast-b at near", "broadcast-a at far", "broadcast-b at far"]
    assert found["broadcast-a at far"].get_xdata() == pytest.approx([snr - 4 for snr in SNRS])
    assert found["broadcast-a at far"].get_color() == found["broadcast-a at near"].get_color()
    assert found["broadcast-a at far"].get_linestyle() != found["broadcast-a at near"].get_linestyle()
    near, far = (figures.curves(view, panel).axes[0] for panel in view.panels)
    assert list(near.get_xticks()) == list(SNRS)
    assert list(far.get_xticks()) != list(SNRS)  # its points lie 4 dB beside their targets


def test_schemes_with_an_access_of_their_own_look_the_same_in_every_run():
    every = looks(View(three()))
    pair = looks(View(document(([air_row(IMAGE, "x-noma", "noma", 0, 3.0), air_row(IMAGE, "x-oma", "oma", 1, 3.0)], [], []))))
    assert (pair["x-noma"], pair["x-oma"]) == (every["jscc-noma"], every["jscc-oma"])


def test_dozens_of_schemes_stay_apart():
    view = View(many(80))
    found = looks(view)
    assert len({(look.colour, look.marker) for look in found.values()}) == 80
    assert {look.colour for look in found.values()} <= set(css_colours(dark=True))
    view = View(many())
    figure = figures.curves(view, view.panels[0])
    assert figure.axes[0].get_legend() is None
    (legend,) = figure.legends
    assert len(legend.get_texts()) == 31
    figure.draw_without_rendering()
    box, below = legend.get_window_extent(), figure.axes[0].get_tightbbox()
    assert box.y1 <= below.y0 + 1  # below the axes
    assert box.x0 >= 0
    assert box.x1 <= figure.bbox.x1
    assert box.y0 >= 0
    texts = [text.get_window_extent() for text in legend.get_texts()]
    assert not any(first.overlaps(second) for at, first in enumerate(texts) for second in texts[at + 1 :])


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_written_without_a_name_twice(kind, tmp_path):
    files = write_figures(KINDS[kind](), None, tmp_path, formats=("svg",))
    assert len(files) == len(set(files))
    view = View(KINDS[kind]())
    assert bool(files) == any(panel.points or panel.published for panel in view.panels)
    for file in files:
        assert "<svg" in file.read_text(encoding="utf-8")
