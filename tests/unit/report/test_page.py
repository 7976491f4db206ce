"""The page: whole, self-contained, escaped, and with the document's numbers in it, for every kind of document."""

import hashlib
import shutil

import pytest

from hil.report.findings import panel_lines, summary_lines
from hil.report.html import write_report
from hil.report.measure import number
from hil.report.runs import load_run
from hil.report.view import View
from hil.results.document import ResultsDocument
from tests.golden.test_golden import HERE as GOLDEN
from tests.unit.report.captures import make_capture
from tests.unit.report.documents import (
    EVIL,
    IMAGE,
    KINDS,
    RETRIEVAL,
    SNRS,
    THREE,
    air_row,
    document,
    one_snr,
    three,
)
from tests.unit.report.page_checks import check_whole, plot_count

DEMO = GOLDEN / "v1" / "demo" / "results.json"
DEMO_SHA256 = "d04bdc653f396eef5c1eb09384f46f467f582888ab3a3efc792982ab28f760de"


def page_of(document, tmp_path, capture=None):
    write_report(document, capture, tmp_path / "report.html")
    return (tmp_path / "report.html").read_text(encoding="utf-8")


def escaped(text):
    return text.replace("&", "&amp;").replace("'", "&#39;").replace('"', "&#34;").replace("<", "&lt;").replace(">", "&gt;")


def test_page_of_a_run_with_its_capture(run):
    text = (run / "report.html").read_text(encoding="utf-8")
    check_whole(text)
    # Headline; air beside simulation of three schemes; agreement, loss; mAP; two rules of energy; nine clouds; a spectrum and
    # an envelope for each scheme; the ledger.
    assert plot_count(text) == 1 + 3 + 2 + 1 + 2 + 9 + 6 + 1
    assert len(text) < 3_000_000
    assert "prefers-color-scheme" in text
    assert "@media print" in text
    assert "In results.json: top1, map." in text
    assert "not scored (9)" in text
    assert "<script" not in text
    assert escaped(EVIL) in text


def check_numbers(document, text):
    """Every row over the air stands in the table of its panel with exactly the document's numbers."""
    tables = check_whole(text).rows
    heads = [index for index, row in enumerate(tables) if row and row[0] == "scheme" and "target dB" in row]
    view = View(document)
    panels = [panel for panel in view.panels if panel.points]
    assert len(heads) == len(panels)
    seen = 0
    for start, panel in zip(heads, panels, strict=True):
        head = tables[start]
        for row, point in zip(tables[start + 1 :], panel.main_points(), strict=False):
            cells = dict(zip(head, row, strict=True))
            assert cells["scheme"][2:].removesuffix(" !") == view.label(point.scheme)
            assert float(cells["target dB"].replace("−", "-")) == point.target
            assert point.air is not None
            value = panel.metric.found(point.air)
            shown = f"{panel.metric.text(value.value)} {panel.metric.interval(value.ci)}".strip()
            assert cells[f"{panel.metric.heading} over the air [95 %]"] == shown
            assert cells["link SNRs dB"] == " / ".join(number(snr, 2) for snr in point.air.snr_db)
            ends = point.air.receiver_loss_db_ci
            within = f" [{number(ends[0], 2)}, {number(ends[1], 2)}]" if ends else ""
            assert cells["loss dB"] == number(point.air.receiver_loss_db, 2) + within
            overhead = point.air.uses_with_overhead
            assert cells.get("with overhead", "–") == number(overhead)
            if panel.agreement:
                item, column = point.agreement, f"air − simul. {panel.metric.difference_unit} [simultaneous 95 %]"
                difference = "–" if item is None else panel.metric.difference(item.difference)
                doubt = " ?" if item is not None and item.verdict == "undetermined" else ""
                assert cells[column].partition(" [")[0] == difference + doubt
            seen += 1
    assert seen == sum(row.source == "air" for row in document.points)


@pytest.mark.parametrize(
    "kind", ["three schemes", "two goals", "two receivers", "dozens of schemes", "stopped", "many metrics"]
)
def test_the_pages_numbers_are_the_documents(kind, page_of_kind):
    check_numbers(KINDS[kind](), page_of_kind(kind))


def test_the_demo_of_schema_1(tmp_path):
    """A real run of the last release: 105 rows, 24 points over the air."""
    assert hashlib.sha256(DEMO.read_bytes()).hexdigest() == DEMO_SHA256
    document, _, _ = load_run(DEMO)
    assert (len(document.points), len(document.agreement)) == (105, 24)
    text = page_of(document, tmp_path)
    check_numbers(document, text)
    for shown in ("37.7</b>", "[35.4, 40.2]", "92.3</b>", "−5.77", ">baseline-pair<", "0.12</b>", document.received_sha256):
        assert shown in text, shown
    lines = "\n".join(summary_lines(document))
    assert "by simultaneous 95 % intervals: 19 of 24 points inside, 5 undetermined, 0 beyond." in lines
    assert "single +0.23, OMA +0.05, NOMA −0.21; all within ±1 point (no intervals)" in lines


@pytest.mark.parametrize("name", ["single", "oma", "noma"])
def test_golden_runs_with_their_captures(name, tmp_path):
    shutil.copytree(GOLDEN / "v1" / name, tmp_path / name)
    document, capture, _ = load_run(tmp_path / name)
    text = page_of(document, tmp_path, capture)
    check_numbers(document, text)
    assert "Received symbols against sent" in text


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_renders_with_all_that_is_found(kind, page_of_kind):
    document, text = KINDS[kind](), page_of_kind(kind)
    check_whole(text)
    view = View(document)
    for panel in view.panels:
        for line in panel_lines(view, panel) if panel.points or panel.published else ():
            assert escaped(line) in text
    for row in document.points:
        assert f">{escaped(view.label(row.scheme))}<" in text or escaped(row.scheme) in text
    assert document.status in text


def test_words_of_one_goal_are_not_on_anothers_page(tmp_path):
    rows = [air_row(IMAGE, "own", "single", 0, snr) for snr in SNRS]
    text = page_of(document((rows, [], [])), tmp_path).lower()
    for word in ("top-1", "map (%)", "gallery", "retrieval", "jscc", "noma", "oma", "identit", "claim"):
        assert word not in text.replace("automation", ""), word


def test_names_from_data_are_escaped_in_plots(tmp_path):
    rows = [row.model_copy(update={"scheme": row.scheme.replace("jscc-oma", EVIL)}) for row in three().points]
    text = page_of(three().with_(points=rows, agreement=[], comparisons=[]), tmp_path)
    check_whole(text)
    assert escaped(EVIL) in text


def test_how_a_run_ended_stands_at_the_top(page_of_kind):
    text = page_of_kind("stopped")
    top = text[: text.index("<nav")]
    assert 'class="warning">The run was stopped: Ctrl-C by the operator.' in top
    assert "NOMA at 15 dB after 2 of 4 frames (rx0: no answer)" in top
    assert "Impaired points" in top
    assert 'title="impaired: a tone in the band"' in text
    assert "<b>0.0</b>" in text  # the point of which nothing was received
    failed = page_of_kind("references alone")
    assert "The run failed: the radio was unplugged." in failed
    assert "No point was finished." in failed


def test_replays_say_what_was_verified(tmp_path):
    check = {"verified": "bits", "largest_difference": 0.0, "changed_top1": 2}
    text = page_of(three(verification=check), tmp_path)
    assert "verified by: bits (largest difference 0.0e+00, 2 tasks with another top1)" in text


def test_several_receivers_have_sections_and_one_plot_together(page_of_kind):
    text = page_of_kind("two receivers")
    assert ">Image at near: PSNR</h2>" in text
    assert ">Image at far: PSNR</h2>" in text
    assert "Image at all receivers" in text
    assert "Frames at far: 24 sent, 18 scored, 6 lost" in text


def test_lost_tasks_are_shown_apart(tmp_path):
    whole = three()
    value = whole.points[0].metrics["top1"]
    metrics = {**whole.points[0].metrics, "top1": value.model_copy(update={"scored": 0.5})}
    rows = [whole.points[0].model_copy(update={"metrics": metrics}), *whole.points[1:]]
    page = check_whole(page_of(whole.with_(points=rows), tmp_path))
    head, first, *_ = page.table("scheme")
    assert first[head.index("without lost tasks")] == "50.0"
    assert "without lost tasks" not in page_of(whole, tmp_path)


def test_many_metrics_are_folded_but_all_there(page_of_kind):
    page = check_whole(page_of_kind("many metrics"))
    table = page.table("metric")
    assert [row[0] for row in table[1:]] == [
        "accuracy (%)",
        *(f"{kind} of class {index} (%)" for kind in ("recall", "precision") for index in range(12)),
    ]


def test_options_that_were_not_chosen_are_not_shown(tmp_path):
    rows = [row.model_copy(update={"options": {"gallery": "raw", "task_network": None}}) for row in three().points]
    text = page_of(three().with_(points=rows), tmp_path)
    assert "Options: gallery raw." in text
    assert "task_network" not in text


def test_a_scheme_from_a_file_is_named_by_its_class_and_told_in_full_once(tmp_path):
    name = "/a/long/way/to/the/file.py:Scheme"
    text = page_of(document(([air_row(IMAGE, name, "single", 0, snr) for snr in SNRS], [], [])), tmp_path)
    assert "Image over the air: Scheme</h1>" in text
    assert text.count(name) == 2  # its seed and its name


def test_commands_as_given_and_by_configuration(run, tmp_path):
    folder = shutil.copytree(run, tmp_path / "a run")
    (folder / "run.toml").write_text("", encoding="utf-8")
    write_report(three(), folder / "capture.h5", tmp_path / "page.html", run=folder)
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "<code>hil run --snr=-6,3,15\n" in text
    assert escaped(f"hil run --config '{folder / 'run.toml'}'\n") in text
    assert escaped(f"hil replay '{folder / 'capture.h5'}'") in text
    without = page_of(three(provenance={"argv": ["pytest"]}), tmp_path)
    assert "To measure it again" not in without


def test_provenance_is_flat_and_complete(tmp_path):
    rows = check_whole(page_of(three(), tmp_path)).rows
    found = {row[0]: row[1] for row in rows if len(row) == 2}
    assert found["hil"] == "0.1.0+gabcdef0.dirty"
    assert found["dirty"] == "True"
    assert found["packages.numpy"] == "1.26.4"
    assert found["experiment.seeds.air"] == "2"
    assert found["argv"] == "/somewhere/bin/hil run --snr=-6,3,15"
    assert found["note"] == EVIL
    assert found["SHA-256 of all received symbols"] == "ab" * 32


def test_incomplete_and_damaged_captures(tmp_path):
    make_capture(tmp_path / "capture.h5", three(), stop_after=4)
    assert "capture is incomplete" in page_of(three(), tmp_path, tmp_path / "capture.h5")
    (tmp_path / "capture.h5").write_bytes(b"nothing")
    assert "could not be read" in page_of(three(), tmp_path, tmp_path / "capture.h5")


def test_no_global_state_of_matplotlib_changes_and_pages_repeat(tmp_path):
    import matplotlib as mpl

    before = dict(mpl.rcParams)
    first = page_of(one_snr(), tmp_path)
    assert page_of(one_snr(), tmp_path) == first
    assert dict(mpl.rcParams) == before


def test_a_document_that_was_written_and_read_gives_the_same_page(run, tmp_path):
    again, capture, _ = load_run(run)
    assert isinstance(again, ResultsDocument)
    write_report(again, capture, tmp_path / "again.html", run=run)
    assert (tmp_path / "again.html").read_text(encoding="utf-8") == (run / "report.html").read_text(encoding="utf-8")
    assert RETRIEVAL.metric in again.points[0].metrics
    assert list(THREE) == View(again).schemes
