"""Points that were measured several times: the line and the table say what the rows hold."""

import re

from hil.report.page import join
from hil.report.repeats import repeat_lines, repeated
from hil.report.view import View
from hil.results.document import Repeat
from tests.unit.report.documents import RETRIEVAL, air_row, document, three


def measured_twice(deviations, p_values):
    rows = []
    for place, (deviation, p) in enumerate(zip(deviations, p_values, strict=True)):
        row = air_row(RETRIEVAL, "abc"[place], "single", 0, 3.0, metrics=RETRIEVAL.metrics(0.7), snr_mean_db=3.1)
        one = Repeat(
            visits=2, values=[0.71, 0.69], cis=[(0.68, 0.74), None], snr_offset_db=[0.05, -0.05], deviation=deviation,
            expected=0.01, p_value=p,
        )  # fmt: skip
        rows.append(row.model_copy(update={"repeat": one}))
    return View(document((rows, [], [])))


def test_the_line_holds_the_spread_against_chance():
    view = measured_twice([0.008, 0.012], [0.4, 0.2])
    assert repeat_lines(view, view.panels[0]) == [
        "Each point measured 2 times: standard deviation between measurements 1.02 points (rms over 2 points), where chance "
        "makes 1.00; beyond chance at 0 of 2 points."
    ]


def test_a_point_beyond_chance_is_named_as_one_of_so_many():
    view = measured_twice([0.008, 0.05], [0.04, 0.01])  # of two points each is held to 0.025
    assert repeat_lines(view, view.panels[0])[0].endswith("beyond chance at 1 of 2 points (b at 3 dB).")


def test_the_table_has_every_measurement_at_its_snr():
    view = measured_twice([0.008], [0.4])
    html = join(repeated(view, view.panels[0]))
    text = re.sub(r"<[^>]+>", " ", html)
    for part in ("1 of 2", "2 of 2", "71.0", "[68.0, 74.0]", "69.0", "3.15 / 3.05", "0.80", "1.00", "0.400"):
        assert part in text, part


def test_points_measured_once_say_nothing():
    view = View(three())
    assert repeat_lines(view, view.panels[0]) == []
    assert repeated(view, view.panels[0]) == []
