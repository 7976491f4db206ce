"""The table in the terminal."""

import io

import pytest
from rich.console import Console

from hil.report.table import results_table
from tests.unit.report.documents import KINDS, RETRIEVAL, one_snr, stopped, three, two_goals, two_receivers


def printed(document, width=140):
    console = Console(width=width, file=io.StringIO())
    console.print(results_table(document))
    return console.file.getvalue()


def tables(document):
    return results_table(document).renderables


def test_one_table_with_intervals():
    text = printed(three())
    (table,) = tables(three())
    assert table.row_count == 9
    assert "Top-1 (%) with 95 % interval, energy per_use, 2,016 tasks a point" in text
    value = 100 * RETRIEVAL.value(2, 3.0)
    assert f"{value:.1f} [{value - 2:.1f}, {value + 2:.1f}]" in text
    assert "0.23±0.06" in text  # the loss with half its interval
    assert "8/14" in text  # uses a task, and with all overhead
    assert ("+9.00 !" in text, "+1.50 ?" in text) == (True, True)
    assert "air − simul. by simultaneous intervals: ? undetermined, ! beyond" in text
    assert max(len(line.rstrip()) for line in text.splitlines()) <= 80


def test_a_table_for_each_goal_and_receiver():
    assert [table.row_count for table in tables(two_goals())] == [9, 9]
    assert [table.title.partition(",")[0] for table in tables(two_goals())] == [
        "Retrieval: top-1 (%) with 95 % interval",
        "Image: PSNR (dB) with 95 % interval",
    ]
    assert [table.row_count for table in tables(two_receivers())] == [6, 6]
    assert "26.49" not in printed(three())
    assert "30.56 [30.16, 30.96]" in printed(two_goals())


def test_simulation_alone_has_intervals():
    text = printed(three(air=False))
    assert "20 × 1008" in text
    value = 100 * RETRIEVAL.value(0, -6.0)
    assert f"{value:.1f} [{value - 2:.1f}, {value + 2:.1f}]" in text
    assert "over the air" not in text


def test_impaired_and_empty_points_are_seen():
    text = printed(stopped())
    assert "OMA (impaired)" in text
    first = next(line for line in text.splitlines() if "single" in line)
    assert first.split() == ["single", "−6", "–", "–", "–", "0.0", "8/12", "–"]


def test_as_many_tasks_as_there_are():
    document = one_snr()
    rows = [document.points[0].model_copy(update={"tasks": 84}), *document.points[1:]]
    text = printed(document.with_(points=rows))
    assert "tasks a point" not in text
    assert "84" in text


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind(kind):
    document = KINDS[kind]()
    keys = {(row.goal, row.receiver, row.scheme, row.snr_db_target)
            for row in document.points if row.source in ("air", "simulation")}  # fmt: skip
    assert sum(table.row_count for table in tables(document)) == len(keys)
