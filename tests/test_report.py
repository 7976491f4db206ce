"""The report: from a small, realistic run made here, with and without its capture."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from hil.collect import PointSpec

from hil.captures import CaptureWriter
from hil.cli.figures import figures
from hil.cli.report import report
from hil.errors import ConfigError
from hil.phy.frame import FrameConfig
from hil.phy.receive import ReceiverConfig
from hil.report.evidence import welch
from hil.report.findings import PAPER_CLAIM, orders
from hil.report.html import write_report
from hil.report.table import results_table, summary_lines
from hil.report.view import View
from hil.results import agreement_rows, summary, write_results

SNRS = (-6.0, 3.0, 15.0)
SCHEMES = {"jscc-single": "single", "jscc-oma": "oma", "jscc-noma": "noma"}
TOP1 = {  # over the air; NOMA best at low SNR, OMA at high
    "jscc-single": (0.324, 0.744, 0.787),
    "jscc-oma": (0.259, 0.786, 0.870),
    "jscc-noma": (0.422, 0.824, 0.854),
}
NOISELESS = {"jscc-single": 0.79, "jscc-oma": 0.872, "jscc-noma": 0.865}
EVIL = '<script>alert("x")</script>&'
USES = {"single": [8], "oma": [4, 4], "noma": [8, 8]}
RATE = 1e6


def _row(scheme: str, source: str, **more: Any) -> dict[str, Any]:
    access = SCHEMES.get(scheme, "single")
    row: dict[str, Any] = {
        "scheme": scheme, "access": access, "kind": "measured", "source": source, "snr_basis": None, "snr_db_target": None,
        "snr_db": None, "snr_eff_db": None, "energy": None, "uses": USES[access], "dropped_tasks": 0,
        "gallery": "reconstructed", "csi": {"tx": "none", "rx": "none"}, "fading": "none", "snr_train_db": "uniform",
        "training_seed": 1, "frames": None, "tasks": 2016, "distinct_tasks": 1008, "identities": 477, "map": None,
    }  # fmt: skip
    row |= more
    if "top1_ci" not in more:
        row["top1_ci"] = [row["top1"] - 0.03, row["top1"] + 0.03]
    row["top1_scored"] = row["top1"]
    return row


def make_results(*, air: bool = True) -> dict[str, Any]:
    """Results as `hil run` writes them: rows by hand, agreement and summary by the real functions."""
    generator = torch.Generator().manual_seed(1)
    rows, simulated, pairs = [], [], []
    identities = torch.arange(400) // 2
    for index, snr in enumerate(SNRS):
        for scheme, access in SCHEMES.items():
            top1 = TOP1[scheme][index]
            links = [snr + 0.11 * tx for tx in range(1 if access == "single" else 2)]
            row = _row(
                scheme, "air", snr_basis="link", snr_db_target=snr, snr_db=links, snr_eff_db=snr - 0.21, energy="per_use",
                top1=top1, map=0.7 * top1, receiver_loss_db=0.21 + 0.01 * index, power=[1.0] * len(links),
                frames={"sent": 4, "scored": 3, "lost": 1, "gated": 0},
            )  # fmt: skip
            rows.append(row)
            for basis, energy in (("link", "per_use"), ("effective", "per_use"), ("effective", "per_task")):
                less = 0.09 if energy == "per_task" and access == "noma" else 0.0
                simulated.append(
                    _row(scheme, "simulation", snr_basis=basis, snr_db_target=snr, snr_db=[snr], snr_eff_db=snr, energy=energy,
                         top1=top1 + 0.002 - less, draws=20)
                )  # fmt: skip
            share = torch.rand(400, generator=generator, dtype=torch.float64)
            pairs.append((row, share + (0.2 if scheme == "jscc-oma" and snr == 3.0 else 0.004), share, identities))
    agreement = agreement_rows(pairs)
    references = [_row(name, "noiseless", gallery=mode, top1=top1 - 0.01 * (mode == "raw"))
                  for name, top1 in NOISELESS.items() for mode in ("reconstructed", "raw")]  # fmt: skip
    references.append(_row("baseline-pair", "noiseless", top1=0.887))
    references.append({"scheme": "chance", "source": "noiseless", "kind": "bound", "access": None, "snr_db_target": None,
                       "energy": None, "top1": 0.0012, "tasks": 1008, "top1_ci": None, "snr_basis": None})  # fmt: skip
    points = [*rows, *simulated, *references] if air else [row for row in simulated if row["snr_basis"] == "link"] + references
    result = {
        "schema": 1, "received_sha256": "ab" * 32 if air else None, "points": points, "agreement": agreement if air else [],
        "summary": summary(points, agreement if air else []),
        "experiment": {"bench": "builtin", "dataset": "synthetic", "schemes": list(SCHEMES), "snr_db": list(SNRS),
                       "tasks": 2016,
                       "energy": "per_use", "gallery": "reconstructed", "seed": 1, "draws": 20},
        "dataset": {"spec": "synthetic", "fingerprint": "75" * 32}, "bench": "builtin" if air else None,
        "versions": {"hil": "0.1.0", "note": EVIL, "argv": ["/somewhere/bin/hil", "run", "--snr=-6,3,15"]},
    }  # fmt: skip
    if air:
        common = {"source": "air", "snr_basis": "link", "energy": "per_use"}
        result["comparisons"] = [
            common | {"first": first, "second": second, "snr_db_target": snr, "difference": value, "ci": ends}
            for first, second, snr, value, ends in (
                ("jscc-oma", "jscc-noma", -6.0, -0.1, [-0.12, -0.08]),
                ("jscc-oma", "jscc-noma", 3.0, -0.01, [-0.02, 0.01]),
                ("jscc-noma", "noiseless", 15.0, -0.011, [-0.025, 0.004]),
            )
        ]
        result["links"] = [
            {"tx": 0, "gain_db": -29.5, "snr_db": 14.7, "snr_db_std": 0.1, "cfo_hz": 0.0, "noise_dbfs": -48.0, "frames": 40}
        ]
        result["capture"] = "capture.h5"
    return result


def make_capture(path: Path, results: dict[str, Any], *, stop_after: int | None = None) -> None:
    """A capture with every point of the results; cut short after some points if asked."""
    rng = np.random.default_rng(1)
    receiver = ReceiverConfig(sample_rate_hz=RATE, center_freq_hz=2.45e9, max_cfo_hz=0.0)
    config = {"experiment": results["experiment"], "bench": {"name": "builtin", "sample_rate_hz": RATE}, "dataset": {}}
    air = [row for row in results["points"] if row["source"] == "air"]
    with CaptureWriter.create(path, config=config, versions={"hil": "0.1.0"}, models={"jscc-oma": "cd" * 32}) as writer:
        for index, row in enumerate(air):
            occupied = np.zeros((len(row["uses"]), 8), bool)
            for tx in range(len(row["uses"])):
                occupied[tx, slice(4 * tx, 4 * tx + 4) if row["access"] == "oma" else slice(None)] = True
            spec = PointSpec(
                scheme=row["scheme"], access=row["access"], power=tuple(1.0 for _ in row["uses"]),
                snr_db_target=row["snr_db_target"],
                occupied=tuple(tuple(bool(use) for use in tx) for tx in occupied), tasks=24, distinct_tasks=24,
                first_frame=4 * index, frame=FrameConfig(tasks_per_frame=8), receiver=receiver, full_scale=2048,
            )  # fmt: skip
            sent = (rng.standard_normal((len(occupied), 24, 8, 2)) @ [1, 1j] / 2**0.5).astype(np.complex64) * occupied[:, None]
            name = f"{row['scheme']} {row['snr_db_target']:+g} dB"
            point = writer.add_point(
                name, attrs={"kind": "point", "spec": spec.model_dump(mode="json")}, symbols=sent, labels={}
            )
            for frame in range(3):
                noise = rng.normal(0, 8, (2000, 2))
                noise[400:] += rng.normal(0, 200, (1600, 2))
                ledger = {"status": "scored" if frame else "lost", "detected": bool(frame),
                          "start": 2000 * frame + 400 if frame else -1,
                          "snr_db": row["snr_db"] if frame else None, "clipped": int(frame == 1)}  # fmt: skip
                event = {"kind": "overflow", "radio": EVIL, "channel": 0, "count": 7}
                writer.append_burst(
                    point, noise.astype(np.int16), start=2000 * frame, kind="frame", frame_numbers=[4 * index + frame],
                    ledger=[ledger], events=[event] if frame == 0 else [],
                )  # fmt: skip
            if stop_after is not None and index >= stop_after:
                return
            received = (sent.sum(0) + 0.2 * (rng.standard_normal((24, 8, 2)) @ [1, 1j])).astype(np.complex64)
            received[:8] = 0  # the lost frame
            writer.finish_point(point, results=row, received_sha256="", received=received)
        writer.finish(results)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report") / "demo"
    folder.mkdir()
    results = make_results()
    write_results(results, folder / "results.json")
    make_capture(folder / "capture.h5", results)
    write_report(results, folder / "capture.h5", folder / "report.html")
    return folder


class Page(HTMLParser):
    """What the tests ask of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.tags: list[str] = []
        self.unbalanced: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in ("meta", "link", "br"):
            self.open.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            if name in ("src", "href", "xlink:href", "data", "srcset", "action", "poster"):
                self.links.append(value or "")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if self.open and self.open[-1] == tag:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.unbalanced.append(tag)


def test_page_is_whole_and_self_contained(run: Path) -> None:
    text = (run / "report.html").read_text(encoding="utf-8")
    page = Page(text)
    assert not page.unbalanced
    assert not page.open
    assert "script" not in page.tags
    assert len(page.ids) == len(set(page.ids))
    for link in page.links:
        assert link.startswith(("#", "data:")), link
        if link.startswith("#"):
            assert link[1:] in page.ids
    assert not re.search(r"@import|url\((?!#|['\"]?data:)", text)
    assert set(re.findall(r"url\(#([^)]+)\)", text)) <= set(page.ids)
    assert "http://" not in text
    assert "https://" not in text
    assert text.count('<svg class="plot"') == 1 + 3 + 2 + 2 + 9 + 6 + 1
    assert len(text) < 3_000_000
    assert "prefers-color-scheme" in text
    assert "@media print" in text


def test_every_point_and_reference_is_there(run: Path) -> None:
    text = (run / "report.html").read_text(encoding="utf-8")
    for values in TOP1.values():
        for top1 in values:
            assert f"<b>{100 * top1:.1f}</b>" in text
    assert "−6.00 / −5.89" in text
    for name in (*NOISELESS, "baseline-pair", "chance"):
        assert f">{name}<" in text
    assert "ab" * 32 in text
    assert "hil run --snr=-6,3,15" in text
    assert "not scored (9)" in text
    for line in summary_lines(json.loads((run / "results.json").read_text(encoding="utf-8"))):
        assert line.replace("'", "&#x27;").replace(">", "&gt;") in text


def test_text_from_data_is_escaped(run: Path) -> None:
    text = (run / "report.html").read_text(encoding="utf-8")
    assert "<script" not in text
    assert "&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt;&amp;" in text


def test_names_from_data_are_escaped_in_plots(tmp_path: Path) -> None:
    results = make_results()
    for row in [*results["points"], *results["agreement"]]:
        row["scheme"] = row["scheme"].replace("jscc-oma", EVIL)
        if row.get("access") == "oma":
            row["access"] = "single"  # no longer alone with its access, so the name itself is shown
    write_report(results, None, tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "<script" not in text
    assert "&lt;script&gt;" in text


def test_simulation_alone(tmp_path: Path) -> None:
    results = make_results(air=False)
    write_report(results, None, tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "no bench" in text
    assert "Retrieval accuracy simulated" in text
    assert text.count('<svg class="plot"') == 2
    assert results_table(results).row_count == 9
    assert any("simulated" in line for line in summary_lines(results))


def test_results_without_references_or_simulation(tmp_path: Path) -> None:
    results = make_results()
    results["points"] = [row for row in results["points"] if row["source"] == "air"]
    results["agreement"] = []
    results["verification"] = {"verified": "bits", "largest_difference": 0.0, "changed_top1": 0}
    results["summary"] = summary(results["points"], [])
    write_report(results, None, tmp_path / "report.html")
    assert "verified by: bits" in (tmp_path / "report.html").read_text(encoding="utf-8")
    assert results_table(results).row_count == 9


def test_a_point_of_which_nothing_was_received(tmp_path: Path) -> None:
    results = make_results()
    row = results["points"][0]
    row |= {"snr_db": [None], "snr_eff_db": None, "receiver_loss_db": None, "top1": 0.0, "top1_ci": None, "top1_scored": None}
    row |= {"frames": {"sent": 4, "scored": 0, "lost": 4, "gated": 0}, "map": 0.0}
    results["agreement"] = results["agreement"][1:]
    low = [other for other in results["points"] if other["source"] == "simulation" and other["snr_db_target"] < 0]
    results["points"] = [other for other in results["points"] if other not in low]
    write_report(results, None, tmp_path / "report.html")
    assert "<b>0.0</b>" in (tmp_path / "report.html").read_text(encoding="utf-8")
    assert results_table(results).row_count == 9
    assert "36 sent, 24 scored, 12 lost" in "\n".join(summary_lines(results))


def test_incomplete_capture(tmp_path: Path) -> None:
    make_capture(tmp_path / "capture.h5", make_results(), stop_after=4)
    done = CliRunner().invoke(report, [str(tmp_path)], catch_exceptions=False)
    assert done.output.strip() == str(tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "capture is incomplete" in text
    assert "<b>32.4</b>" in text  # of the first point, which was finished
    assert "<b>85.4</b>" not in text


def test_damaged_capture_is_named_in_the_page(tmp_path: Path) -> None:
    (tmp_path / "capture.h5").write_bytes(b"nothing")
    write_report(make_results(), tmp_path / "capture.h5", tmp_path / "report.html")
    assert "could not be read" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_nothing_finished(tmp_path: Path) -> None:
    results = make_results() | {"points": [], "agreement": [], "summary": {}}
    write_report(results, None, tmp_path / "report.html")
    assert "No point was finished" in (tmp_path / "report.html").read_text(encoding="utf-8")
    assert results_table(results).row_count == 0
    assert summary_lines(results) == []


@pytest.mark.parametrize("results", [{}, {"points": 3}, {"points": [{"scheme": "x"}]}])
def test_not_results(results: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="results"):
        write_report(results, None, tmp_path / "report.html")


def test_wrong_runs(tmp_path: Path) -> None:
    (tmp_path / "results.json").write_text("{", encoding="utf-8")
    for run, message in (
        (tmp_path / "none", "no such run"),
        (tmp_path, "cannot be read"),
        (tmp_path / "results.json", "cannot be read"),
    ):
        with pytest.raises(ConfigError, match=message):
            CliRunner().invoke(report, [str(run)], catch_exceptions=False)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match="neither"):
        CliRunner().invoke(report, [str(tmp_path / "empty")], catch_exceptions=False)


def test_summary_lines_say_what_the_numbers_say() -> None:
    text = "\n".join(summary_lines(make_results()))
    assert "single 79.0, OMA 87.2, NOMA 86.5" in text
    assert "chance 0.12" in text
    assert "Points beyond ±3 points at 5 % over all points (Holm): 1 of 9 (OMA at 3 dB)." in text
    assert "not all within ±1 point" in text
    assert "Largest receiver loss: 0.23 dB" in text
    assert "36 sent, 27 scored, 9 lost" in text
    assert "single −0.3 at 15 dB, OMA −0.2 at 15 dB, NOMA −1.1 [−2.5, +0.4] at 15 dB" in text
    assert (
        "per_use energy, over the air: NOMA ≥ OMA at 2 of 3 SNRs (not at 15 dB), the paired 95 % interval excludes 0 at 1"
        in text
    )
    assert "per_task energy, simulated at the effective SNR: NOMA ≥ OMA at 1 of 3 SNRs (at −6 dB)" in text
    assert "single above OMA at 1 of 3 SNRs (at −6 dB)" in text
    assert text.endswith(PAPER_CLAIM)


def test_order_follows_the_data() -> None:
    results = make_results()
    for item in results["summary"]["order"]:
        item["best_first"], item["top1"] = ["oma", "single", "noma"], [0.5, 0.4, 0.4]
    first = orders(View(results))[0]
    assert first.ranking(first.items[0]) == "OMA > single = NOMA"
    assert "NOMA ≥ OMA at 0 of 3 SNRs" in first.sentence()
    assert "single above OMA at 0 of 3 SNRs" in first.sentence()


def test_table() -> None:
    from rich.console import Console

    console = Console(width=140, record=True, file=open("/dev/null", "w", encoding="utf-8"))  # noqa: PTH123, SIM115
    console.print(results_table(make_results()))
    console.file.close()
    text = console.export_text()
    assert "42.2 [39.2, 45.2]" in text
    assert "+20.00 !" in text
    assert "2,016 tasks a point" in text
    assert max(len(line.rstrip()) for line in text.splitlines()) <= 80


def test_welch_density_of_white_noise_and_of_a_tone() -> None:
    rng = np.random.default_rng(1)
    noise = rng.standard_normal((200_000, 2)) @ [1, 1j] / 2**0.5
    assert np.mean(welch(noise, RATE)) * RATE == pytest.approx(1.0, rel=0.01)
    tone = np.exp(2j * np.pi * 0.25 * np.arange(10_000))
    density = welch(tone, RATE)
    assert np.argmax(density) == 128 + 64
    assert density.sum() * RATE / 256 == pytest.approx(1.0, rel=1e-6)


def test_figures_command(run: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(
        figures, [str(run / "results.json"), "--out", str(tmp_path), "--format", "svg"], catch_exceptions=False
    )
    files = [Path(line) for line in done.output.split()]
    assert len(files) == (1 + 3 + 2 + 2 + 9 + 3 + 1)
    assert all(file.stat().st_size > 1000 for file in files)
    assert "<svg" in (tmp_path / "accuracy.svg").read_text(encoding="utf-8")
    with pytest.raises(ConfigError, match="tiff"):
        CliRunner().invoke(figures, [str(run), "--format", "tiff"], catch_exceptions=False)


def test_no_global_state_of_matplotlib_changes(tmp_path: Path) -> None:
    import matplotlib as mpl

    before = dict(mpl.rcParams)
    write_report(make_results(air=False), None, tmp_path / "a.html")
    write_report(make_results(air=False), None, tmp_path / "b.html")
    assert dict(mpl.rcParams) == before
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()


def test_commands_import_nothing_heavy() -> None:
    modules = "hil.cli.report, hil.cli.figures, hil.report.table"
    code = f"import sys, {modules}; print({{'torch', 'matplotlib', 'h5py', 'rich'}} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_in_a_browser(run: Path, tmp_path: Path) -> None:
    browser = shutil.which("chromium")
    if browser is None:
        pytest.skip("no browser: apt-get install chromium")
    page = run / "report.html"
    probe = tmp_path / "probe.html"  # the same page with a script that writes down what went wrong and what has a size
    script = """<script>
const wrong = []; addEventListener('error', e => wrong.push(e.message || String(e.target)), true);
for (const k of ['error', 'warn']) console[k] = (...a) => wrong.push(a.join(' '));
addEventListener('load', () => { const seen = [...document.querySelectorAll('svg.plot')].filter(s => {
  const b = s.getBoundingClientRect(); return b.width > 90 && b.height > 60 && s.querySelectorAll('path').length > 5; }).length;
document.documentElement.dataset.probe = JSON.stringify({seen, wrong, wide: document.documentElement.scrollWidth - innerWidth,
  ink: getComputedStyle(document.querySelector('svg.plot text')).fill}); });</script>"""
    probe.write_text(page.read_text(encoding="utf-8").replace("<head>", "<head>" + script, 1), encoding="utf-8")
    names = "no-sandbox disable-gpu disable-quic no-first-run disable-background-networking disable-component-update"
    flags = ["--headless", *(f"--{name}" for name in names.split()), "--disable-sync", "--enable-logging=stderr"]
    inks = set()
    for name, width, more in (("light", 1240, []), ("dark", 500, ["--blink-settings=preferredColorScheme=0"])):
        profile = tmp_path / f"profile-{name}"
        shot = tmp_path / f"{name}.png"
        own = [*flags, *more, f"--window-size={width},1000", f"--user-data-dir={profile}"]
        done = subprocess.run(
            [browser, *own, "--dump-dom", f"--screenshot={shot}", probe.as_uri()],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        found = re.search(r'data-probe="([^"]*)"', done.stdout)
        assert found, done.stderr[-2000:]
        probed = json.loads(found[1].replace("&quot;", '"'))
        assert probed["seen"] == page.read_text(encoding="utf-8").count('<svg class="plot"')
        assert probed["wrong"] == []
        assert probed["wide"] <= 0  # nothing sticks out sideways
        assert "CONSOLE" not in done.stderr
        assert shot.stat().st_size > 20_000
        inks.add(probed["ink"])
    assert len(inks) == 2  # plots follow the colour scheme
