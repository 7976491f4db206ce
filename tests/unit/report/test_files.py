"""`hil report` and `hil figures`."""

import subprocess
import sys

import pytest
from click.testing import CliRunner

from hil.cli.figures import figures
from hil.cli.report import report
from hil.errors import ConfigError, OutputError
from hil.report.files import write_figures
from hil.results.document import write_results
from tests.unit.report.captures import make_capture
from tests.unit.report.documents import RETRIEVAL, SNRS, air_row, document, published_rows, three


def invoke(command, *words):
    done = CliRunner().invoke(command, [str(word) for word in words], catch_exceptions=False)
    return done.output.split()


def test_figures_by_name(run, tmp_path):
    names = {path.rsplit("/", 1)[-1] for path in invoke(figures, run / "results.json", "--out", tmp_path, "--format", "svg")}
    assert names == {
        "retrieval-top1.svg", "retrieval-map.svg", "retrieval-agreement.svg", "retrieval-receiver-loss.svg", "ledger.svg",
        *(f"retrieval-simulation-jscc-{access}.svg" for access in ("single", "oma", "noma")),
        *(f"retrieval-energy-{rule}.svg" for rule in ("per_use", "per_task")),
        *(f"symbols-jscc-{access}-{snr}dB.svg" for access in ("single", "oma", "noma") for snr in ("-6", "+3", "+15")),
        *(f"spectrum-jscc-{access}.svg" for access in ("single", "oma", "noma")),
    }  # fmt: skip
    assert all((tmp_path / name).stat().st_size > 1000 for name in names)


def test_names_that_a_file_system_would_confuse_are_kept_apart(tmp_path):
    rows = [air_row(RETRIEVAL, name, "single", 0, snr, snr_basis="link") for name in ("a/b", "a:b") for snr in SNRS]
    simulated = [row.model_copy(update={"source": "simulation", "snr_basis": "effective"}) for row in rows]
    files = write_figures(document(([*rows, *simulated], [], [])), None, tmp_path, formats=("svg",))
    assert {"retrieval-simulation-a-b.svg", "retrieval-simulation-a-b-2.svg"} <= {file.name for file in files}


def test_wrong_formats_and_folders(run, tmp_path):
    with pytest.raises(ConfigError, match="tiff"):
        invoke(figures, run, "--format", "tiff")
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(OutputError, match="cannot make the folder"):
        write_figures(three(), None, tmp_path / "file" / "below", formats=("svg",))


def test_a_papers_curve_is_drawn_beside(run, tmp_path):
    write_results(document((published_rows(RETRIEVAL), [], [])), tmp_path / "paper.json")
    (path,) = invoke(report, run, "--out", tmp_path / "page.html", "--beside", tmp_path / "paper.json")
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert path == str(tmp_path / "page.html")
    assert "Someone et al., Fig. 3" in text
    assert "Published, not measured here" in text
    with pytest.raises(ConfigError, match="no row of source 'published'"):
        invoke(report, run, "--out", tmp_path / "page.html", "--beside", run / "results.json")


def test_report_of_a_capture_that_was_cut_short(tmp_path):
    make_capture(tmp_path / "capture.h5", three(), stop_after=4)
    assert invoke(report, tmp_path) == [str(tmp_path / "report.html")]
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "The run was stopped: the capture holds no results of the whole" in text
    assert f"<b>{100 * RETRIEVAL.value(0, -6.0):.1f}</b>" in text  # of the first point, which was finished
    assert f"<b>{100 * RETRIEVAL.value(2, 15.0):.1f}</b>" not in text


def test_commands_import_nothing_heavy():
    modules = "hil.cli.report, hil.cli.figures, hil.report.table, hil.report.runs"
    code = f"import sys, {modules}; print({{'torch', 'matplotlib', 'h5py', 'rich'}} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_a_page_of_results_alone_needs_no_torch(run, tmp_path):
    code = (
        "import sys; from pathlib import Path; from hil.report.runs import load_run; from hil.report.html import write_report\n"
        "document, capture, folder = load_run(Path(sys.argv[1])); write_report(document, capture, Path(sys.argv[2]))\n"
        "print('torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(run), str(tmp_path / "page.html")], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"
