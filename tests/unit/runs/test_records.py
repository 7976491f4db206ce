"""Which record holds for a bench, what a run takes from it, and whether it is still true."""

import json
from dataclasses import replace

import pytest

import hil
from hil.calibration.record import CalibrationRecord, read_record, record_path, records_of, write_record
from hil.captures import Capture
from hil.cli.main import cli
from hil.errors import RecordError
from hil.phy.frame import FrameConfig
from hil.points.spec import frame_for, receiver_for
from hil.radios.bench import find_bench
from hil.radios.session import Bench
from hil.report.calibrations import write_calibration_page, write_calibration_plots, write_history
from hil.runs.records import FRESH_S, ChosenRecord, check_record, choose_record, find_records, links_from, why_not
from tests.conftest import ROOT


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return hil.calibrate("builtin", snr_db=10.0, out=tmp_path_factory.mktemp("home") / "calibration")


@pytest.fixture
def home(made):
    return made.path.parents[2]


def test_a_record_is_read_as_it_was_written(made, tmp_path):
    path = record_path(tmp_path, "b")
    write_record(path, made.record)
    assert read_record(path) == made.record
    assert records_of(tmp_path, "b") == [path]
    assert path.read_text(encoding="utf-8").startswith("# Calibration record")
    path.write_text("version = 2\n", encoding="utf-8")
    with pytest.raises(RecordError, match="no calibration record of version 1"):
        read_record(path)


def test_the_newest_record_is_found_first_at_home(made, home):
    assert find_records("builtin", home)[-1] == made.path.resolve()
    chosen = choose_record(find_bench("builtin"), home)
    assert isinstance(chosen, ChosenRecord)
    assert chosen.record == made.record
    assert choose_record(find_bench("builtin"), home, recalibrate=True) is None


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, ""),
        ({"bench_sha256": "0"}, "another than it was"),
        ({"sample_rate_hz": 2e6}, "sample_rate_hz was 2000000"),
        ({"center_freq_hz": 2.4e9}, "center_freq_hz was"),
        ({"active_carriers": (1, 2)}, "other carriers"),
        ({"unix_s": 0.0}, ""),  # simulated radios do not age
    ],
)
def test_what_does_not_hold_is_named(made, changes, told):
    record = made.record.model_copy(update=changes)
    asked = find_bench("builtin")
    with Bench(asked) as bench:
        why = why_not(record, bench, asked, FrameConfig())
    assert (told in why) if told else why == ""


def test_another_serial_and_a_missing_link_do_not_hold(made):
    asked = find_bench("builtin")
    radios = {**made.record.radios, "rx": made.record.radios["rx"].model_copy(update={"serial": "other"})}
    with Bench(asked) as bench:
        other = made.record.model_copy(update={"radios": radios})
        assert why_not(other, bench, asked, FrameConfig()) == "radio 'rx' was other and is sim-rx now"
        short = made.record.model_copy(update={"links": made.record.links[:1]})
        assert why_not(short, bench, asked, FrameConfig()) == "it has no link 1:rx"


def test_a_record_of_real_radios_is_stale_after_a_day(made, monkeypatch):
    asked = find_bench("builtin")
    monkeypatch.setattr(Bench, "virtual", property(lambda bench: False))
    with Bench(asked) as bench:
        fresh, stale = made.record.unix_s + FRESH_S - 1, made.record.unix_s + FRESH_S + 3600
        assert why_not(made.record, bench, asked, FrameConfig(), fresh) == ""
        assert "hours old" in why_not(made.record, bench, asked, FrameConfig(), stale)


def test_links_of_a_record_give_the_gains_that_a_calibration_gives(made):
    frame = frame_for(receiver_for(find_bench("builtin")), 0.0)
    links = links_from(made.record, ("rx",), frame)
    one = made.record.links[0]
    assert [link.tx for link in links] == [0, 1]
    assert links[0].snr_at(one.tx_gain_db - one.back_off_db) == pytest.approx(one.snr_db)
    quieter = links_from(made.record, ("rx",), frame.model_copy(update={"digital_rms_dbfs": -20.0}))
    assert quieter[0].snr_db == pytest.approx(links[0].snr_db - 8.0)


def test_a_run_takes_its_links_from_the_record(made, home, tmp_path):
    kwargs = {"schemes": ["jscc-single"], "snr_db": [3.0], "tasks": 84, "draws": 1, "home": home}
    found = hil.run("builtin", out=tmp_path, name="by-record", **kwargs)
    assert found.provenance["calibration"]["date"] == made.record.date
    assert found.points[0].snr_db[0] == pytest.approx(3.0, abs=0.6)
    with Capture.open(tmp_path / "by-record" / "capture.h5") as capture:
        assert capture.points[0].attrs["record"]["date"] == made.record.date
        assert not (capture.ledger()["point"] == 0).any()  # nothing was sounded
    assert hil.replay(tmp_path / "by-record").verification["verified"]
    anew = hil.run("builtin", out=tmp_path, name="anew", recalibrate=True, **kwargs)
    assert "calibration" not in anew.provenance


def test_a_record_that_is_demanded_and_does_not_hold_is_refused(made, tmp_path):
    foreign = made.record.model_copy(update={"bench_sha256": "0"})
    write_record(tmp_path / "foreign.toml", foreign)
    with pytest.raises(RecordError, match="does not hold for bench 'builtin': the file of bench"):
        hil.run("builtin", out=tmp_path, calibration=tmp_path / "foreign.toml", schemes=["jscc-single"], snr_db=[3.0], tasks=84)


def test_a_record_is_checked_against_the_air(made):
    assert all(one.holds for one in check_record(made.record, find_bench("builtin")))
    first = made.record.links[0]
    moved = made.record.model_copy(
        update={"links": (first.model_copy(update={"snr_db": first.snr_db + 2.0, "noise_dbfs": first.noise_dbfs - 3.0}),)}
    )
    (checked,) = check_record(moved, find_bench("builtin"))
    assert not checked.holds
    assert checked.change_db == pytest.approx(-2.0, abs=0.3)
    assert "its SNR changed by" in checked.why
    assert "noise changed by +3" in checked.why


def test_a_page_and_plots(made, tmp_path):
    write_calibration_page(made.record, tmp_path / "page.html", made.constellations)
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert page.count("<svg") == 10
    assert "Link 0:rx" in page
    written = write_calibration_plots(made.record, tmp_path / "plots", made.constellations)
    assert len(written) == 10
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in written)
    write_history([made.record, made.record], tmp_path / "history.png")
    assert (tmp_path / "history.png").stat().st_size > 5000


def test_show_check_and_history_from_the_command_line(made, home, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    def said(*words):
        cli(["calibrate", "builtin", "--home", str(home), "--json", *words], standalone_mode=False)
        return json.loads(capsys.readouterr().out)

    assert CalibrationRecord.model_validate(said("--show")) == made.record
    assert [one["link"] for one in said("--check")] == ["0:rx", "1:rx"]
    rows = said("--history")
    assert rows[-1]["date"] == made.record.date
    assert not replace(made).failures


@pytest.mark.parametrize("path", sorted((ROOT / "calibration").glob("*/*.toml")), ids=lambda path: path.parent.name)
def test_a_shipped_record_is_of_the_shipped_bench(path):
    """One that is not: make it anew with scripts/records."""
    record = read_record(path)
    bench = find_bench(str(ROOT / "radios" / f"{path.parent.name}.toml"))
    assert record.bench == path.parent.name
    assert record.bench_sha256 == bench.digest()
    assert {(one.tx, one.receiver) for one in record.links} == {
        (tx, end.name) for tx in range(len(bench.transmitters)) for end in bench.receivers
    }
    assert all(one.snr_db == pytest.approx(one.snr_db_target, abs=0.3) for one in record.links)
    assert {one.clock_ppm is None for one in record.links} == {bench.clock == "shared"}  # not looked for, not stated


def test_every_shipped_bench_without_a_device_has_a_record():
    files = sorted((ROOT / "radios").glob("*.toml"))
    alone = {
        path.stem for path in files
        if all(one.virtual is not None or one.driver == "sim" for one in find_bench(str(path)).radios.values())
    }  # fmt: skip
    assert len(alone) > 8
    assert alone == {path.parent.name for path in (ROOT / "calibration").glob("*/*.toml")}
