"""Format 1 is read through the upgrade for ever: the files that the last release of it made hold the same bits as ever.

The oracle is h5py on the file itself (on a settled copy, where its writer was killed inside a commit).
"""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from hil.captures import Capture, FrameKind, sha256_array, verify
from hil.captures.journal import has_pending_journal, settle
from hil.captures.upgrade import upgrade
from hil.errors import CaptureFormatError, UnsupportedVersionError

V1 = Path(__file__).resolve().parents[2] / "golden" / "v1"
FILES = {
    "single": V1 / "single" / "capture.h5",
    "oma": V1 / "oma" / "capture.h5",
    "noma": V1 / "noma" / "capture.h5",
    "sent": V1 / "sent" / "received-capture.h5",
    "killed": V1 / "killed" / "capture.h5",
    "written": V1 / "written" / "capture.h5",
}
PER_TRANSMITTER = ("snr_db", "cfo_hz", "delay_samples")


@pytest.fixture(params=FILES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def raw(name: str, tmp_path: Path) -> Any:
    """The file as any HDF5 reader sees it."""
    copy = shutil.copyfile(FILES[name], tmp_path / "copy.h5")
    settle(copy)
    with h5py.File(copy, "r") as file:
        yield file


def text(dataset: Any) -> Any:
    return json.loads(dataset[0].decode())


def test_the_fixtures_are_those_that_were_made() -> None:
    made = json.loads((V1 / "more.json").read_text())["captures"]
    assert sorted(made) == ["killed", "sent", "written"]
    for name, entry in made.items():
        for file, sha256 in entry["sha256"].items():
            assert hashlib.sha256((V1 / name / file).read_bytes()).hexdigest() == sha256, file
    assert has_pending_journal(FILES["killed"])


def test_opens_and_verifies(name: str) -> None:
    report = verify(FILES[name])
    assert report.ok, report.problems
    assert (report.version, report.pending_journal) == (1, name == "killed")
    assert report.complete == (name not in ("killed", "written"))
    with Capture.open(FILES[name]) as capture:
        assert (capture.file_version, capture.version) == (1, 2)
        assert capture.receivers == ("rx",)
        assert (capture.flags, capture.sources) == ((), {})
        assert capture.transmitters == (3 if name == "written" else 2)


def test_samples_and_bursts_are_the_same(name: str, raw: Any) -> None:
    rows = raw["bursts"][: raw["committed"]["bursts"][0]]
    with Capture.open(FILES[name]) as capture:
        bursts = list(capture.bursts())
        assert len(bursts) == len(rows) == len(list(capture.exchanges()))
        for index, (burst, row) in enumerate(zip(bursts, rows, strict=True)):
            assert (burst.index, burst.exchange, burst.receiver, burst.sent_at) == (index, index, "rx", None)
            assert (burst.point, burst.start, burst.kind) == (row["point"], row["start"], FrameKind(row["kind"]))
            assert burst.crc32 == row["crc32"]
            samples = raw["samples"][row["offset"] : row["offset"] + row["count"]]
            assert burst.samples.tobytes() == samples.tobytes()
            first = row["first_number"]
            assert burst.frame_numbers.tolist() == raw["frame_numbers"][first : first + row["numbers"]].tolist()


def test_ledger_and_events_are_the_same(name: str, raw: Any) -> None:
    old, events = raw["ledger"][: raw["committed"]["frames"][0]], raw["events"][: raw["committed"]["events"][0]]
    with Capture.open(FILES[name]) as capture:
        ledger, found = capture.ledger(), capture.events()
        for field in old.dtype.names:
            expected = old[field][:, : capture.transmitters] if field in PER_TRANSMITTER else old[field]
            np.testing.assert_array_equal(ledger[field], expected)
            if field in PER_TRANSMITTER:
                assert np.isnan(old[field][:, capture.transmitters :]).all()  # nothing is cut away
        assert not ledger["receiver"].any()
        assert np.isnan(ledger["noise"]).all()
        assert not ledger["flags"].any()
        for field in events.dtype.names:
            np.testing.assert_array_equal(found["exchange" if field == "burst" else field], events[field])
        for point in capture.points:
            np.testing.assert_array_equal(capture.ledger(point.index, "rx")["frame"], old["frame"][old["point"] == point.index])


NEW_NAMES = {"hit": "retrieval.top1", "ap": "retrieval.map"}
"""Arrays of results are named by goal and value now."""


def test_points_are_the_same(name: str, raw: Any) -> None:
    with Capture.open(FILES[name]) as capture:
        assert len(capture.points) == len(raw["points"])
        for point, group in zip(capture.points, raw["points"].values(), strict=True):
            assert point.name == group.attrs["name"]
            assert (point.receivers, point.side) == (("rx",), {})
            assert point.symbols.tobytes() == group["symbols"][()].tobytes()
            for folder in ("labels", "extra", "arrays"):
                found, stored = getattr(point, folder), group.get(folder, {})
                assert {key: array.tobytes() for key, array in found.items()} == {
                    NEW_NAMES.get(key, key): array[()].tobytes() for key, array in stored.items()
                }
            assert point.finished == ("results" in group)
            if not point.finished:
                assert point.received is None
                continue
            results = text(group["results"])
            scored = "top1" in results  # a row of hil run; hil send and a stranger's writer stored something else
            assert point.results == ({"rows": [results], "ended": results.get("ended")} if scored else results)
            assert point.valid == group.attrs["valid"]
            received = point.received
            assert received is not None
            assert received.shape == (1, *group["received"].shape)
            assert received.tobytes() == group["received"][()].tobytes()
            assert sha256_array(received) == point.received_sha256 == group.attrs["received_sha256"]


def test_specs_have_receptions(name: str, raw: Any) -> None:
    measured = 0
    with Capture.open(FILES[name]) as capture:
        for point, group in zip(capture.points, raw["points"].values(), strict=True):
            old, new = text(group["attrs"]), point.attrs
            if "spec" not in old:
                assert new == old
                continue
            measured += 1
            was, spec = old.pop("spec"), new.pop("spec")
            assert new == old
            (reception,) = spec.pop("receptions")
            assert reception == {"name": "rx", "receiver": was.pop("receiver"), "full_scale": was.pop("full_scale")}
            assert was.pop("access") in ("single", "oma", "noma")
            assert spec == was
    assert measured == {"killed": 2, "written": 0}.get(name, 1)


def test_config_has_receivers(name: str, raw: Any) -> None:
    old = text(raw["config"])
    with Capture.open(FILES[name]) as capture:
        new = capture.config
        assert capture.models == text(raw["models"])
        assert capture.results == (text(raw["results"]) if "results" in raw else None)
    if name == "written":
        assert new == old == {"trial": 3}
        return
    receiver = old["bench"].pop("receiver")
    assert new["bench"].pop("receivers") == [{"name": "rx"} | receiver]
    if "experiment" in old:
        before, after = old["experiment"], new["experiment"]
        assert after.pop("frame") == {key: before.pop(key) for key in ("tasks_per_frame", "interleave")}
        assert after.pop("options") == {"retrieval": {"gallery": before.pop("gallery")}}
        assert after.pop("goals") == ["retrieval"]
    assert new == old


def test_versions_are_provenance(name: str, raw: Any) -> None:
    old = text(raw["versions"])
    with Capture.open(FILES[name]) as capture:
        new = capture.provenance
    assert new["version"] == old["hil"] == "0.1.0"
    assert (new["commit"], new["dirty"], new["clock"]) == (None, None, None)
    assert new["argv"] == old.get("argv")
    if name == "written":
        assert new["odd"] == old["odd"] == [1]
        return
    packages, machine = ("python", "torch", "numpy", "numba"), ("platform", "cpu", "torch_threads", "torch_capability")
    assert new["packages"] == {key: old[key] for key in packages}
    assert new["machine"] == {key: old[key] for key in machine}
    assert set(old) == {"hil", "argv", *packages, *machine}  # nothing else is there to be kept


def test_what_the_golden_run_received() -> None:
    manifest = json.loads((V1 / "manifest.json").read_text())["captures"]
    more = json.loads((V1 / "more.json").read_text())["captures"]
    for name in ("single", "oma", "noma", "sent"):
        with Capture.open(FILES[name]) as capture:
            point = capture.points[-1]
            assert point.received is not None
            assert sha256_array(point.received) == (manifest | more)[name]["received_sha256"]


def test_a_table_of_format_1_with_other_fields_is_refused(tmp_path: Path) -> None:
    path = shutil.copyfile(FILES["written"], tmp_path / "capture.h5")
    with h5py.File(path, "r+") as raw:
        rows = raw["ledger"][:]
        del raw["ledger"]
        raw["ledger"] = rows[[name for name in rows.dtype.names if name != "metric"]].copy()
    with pytest.raises(CaptureFormatError, match=r"'ledger' has other fields than version 1"):
        Capture.open(path)
    with h5py.File(path, "r+") as raw:
        del raw["versions"]
    with pytest.raises(CaptureFormatError, match=r"'versions' is missing"):
        Capture.open(path)


def test_damage_of_format_1_is_found_where_it_is(tmp_path: Path) -> None:
    path = tmp_path / "capture.h5"
    whole = FILES["written"].read_bytes()
    with Capture.open(FILES["written"]) as capture:
        received = capture.points[0].received
        assert received is not None
    with h5py.File(FILES["written"]) as raw:
        spots = {"ledger": raw["ledger"][3:5].tobytes(), "bursts": raw["bursts"][2:4].tobytes(), "config": b'{"trial": 3}'}
    for name, content in (spots | {"received": received.tobytes()}).items():
        damaged = bytearray(whole)
        damaged[whole.rindex(content) + 2] ^= 4
        path.write_bytes(damaged)
        assert name in " ".join(verify(path).problems)


def test_versions_are_upgraded_step_by_step() -> None:
    steps = {
        1: lambda tree, _: {"signal": tree["samples"]} | {key: value for key, value in tree.items() if key != "samples"},
        2: lambda tree, _: tree | {"events": tree.get("events", [])},
    }
    old = {"@hil_capture_version": 1, "samples": [1, 2]}
    new = upgrade(old, Path("old.h5"), target=3, steps=steps)
    assert new == {"@hil_capture_version": 3, "signal": [1, 2], "events": []}
    assert old == {"@hil_capture_version": 1, "samples": [1, 2]}
    with pytest.raises(CaptureFormatError, match="no way from 2 to 3"):
        upgrade(old, Path("old.h5"), target=3, steps={1: steps[1]})
    with pytest.raises(UnsupportedVersionError, match=r"old\.h5"):
        upgrade({"@hil_capture_version": 4}, Path("old.h5"), target=3, steps=steps)
