"""Where a run's results and capture are found."""

import json
import shutil

import pytest

from hil.captures import CaptureWriter
from hil.errors import CaptureError, ConfigError
from hil.report.runs import load_run
from hil.results.document import SCHEMA
from tests.golden.test_golden import HERE as GOLDEN
from tests.unit.report.captures import make_capture
from tests.unit.report.documents import three


def test_a_folder_a_name_a_file_and_a_capture_are_the_same_run(run, tmp_path, monkeypatch):
    shutil.copytree(run, tmp_path / "runs" / "demo")
    monkeypatch.chdir(tmp_path)
    from pathlib import Path

    folder = Path("runs") / "demo"
    for given in ("demo", "runs/demo", "runs/demo/results.json", "runs/demo/capture.h5"):
        document, capture, found = load_run(Path(given))
        assert document == three()
        assert capture == folder / "capture.h5"
        assert found == folder


def test_without_a_capture(run, tmp_path):
    shutil.copy(run / "results.json", tmp_path)
    for given in (tmp_path, tmp_path / "results.json"):
        assert load_run(given)[1] is None


def test_a_capture_that_was_cut_short_gives_its_finished_points(tmp_path):
    make_capture(tmp_path / "capture.h5", three(), stop_after=4)
    document, _, _ = load_run(tmp_path)
    assert document.status == "stopped"
    assert "cut short, or is still going" in document.why
    assert document.points == three().points[:4]
    assert document.bench == "builtin"
    assert document.provenance == {"version": "0.1.0"}
    assert document.received_sha256 is None


def rewritten(path, rows, *, symbols):
    """A capture cut short whose points hold such results."""
    with CaptureWriter.create(
        path, config={}, provenance={"version": "0"}, models={}, receivers=["rx"], transmitters=1
    ) as writer:
        for index, row in enumerate(rows):
            point = writer.add_point(f"{index}", attrs={}, symbols=symbols, labels={})
            writer.finish_point(point, results=row, received_sha256="")


def test_rows_of_schema_1_and_lists_of_rows(tmp_path):
    import numpy as np

    symbols = np.ones((1, 2, 4), np.complex64)
    old = json.loads((GOLDEN / "v1" / "oma" / "results.json").read_text(encoding="utf-8"))["points"][0]
    rewritten(tmp_path / "old.h5", [old, {"frames": 3}], symbols=symbols)  # the second is no row: `hil send` stores such
    document, _, _ = load_run(tmp_path / "old.h5")
    assert (document.version, document.status, len(document.points)) == (SCHEMA, "stopped", 1)
    assert document.points[0].metrics["top1"].value == old["top1"]
    assert document.provenance["version"] == "0"

    rows = [row.model_dump(mode="json") for row in three().points[:2]]
    rewritten(tmp_path / "new.h5", [{"rows": rows}], symbols=symbols)
    assert load_run(tmp_path / "new.h5")[0].points == three().points[:2]


def test_golden_captures_hold_their_results():
    for name in ("single", "oma", "noma"):
        inside = load_run(GOLDEN / "v1" / name / "capture.h5")[0]
        beside = load_run(GOLDEN / "v1" / name / "results.json")[0]
        assert inside.status == beside.status == "complete"
        assert [row.metrics for row in inside.points] == [row.metrics for row in beside.points]


def test_what_is_no_run(tmp_path):
    (tmp_path / "results.json").write_text("{", encoding="utf-8")
    (tmp_path / "empty").mkdir()
    for given, message in (
        (tmp_path / "none", "no such run"),
        (tmp_path, "cannot be read"),
        (tmp_path / "results.json", "cannot be read"),
        (tmp_path / "empty", "neither results.json nor capture.h5"),
    ):
        with pytest.raises(ConfigError, match=message):
            load_run(given)
    (tmp_path / "results.json").write_text('{"points": 3}', encoding="utf-8")
    with pytest.raises(ConfigError, match="lacks the list 'points'"):
        load_run(tmp_path)
    with CaptureWriter.create(tmp_path / "bare.h5", config={}, provenance={}, models={}, receivers=["rx"], transmitters=1):
        pass
    with pytest.raises(CaptureError, match="holds no point"):
        load_run(tmp_path / "bare.h5")
