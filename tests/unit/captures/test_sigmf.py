"""Captures as SigMF: valid by the package, an annotation a frame, and the same capture again."""

import shutil

import h5py
import numpy as np
import pytest

from hil.captures import Capture, verify
from hil.captures.sigmf_files import export_sigmf, import_sigmf
from hil.errors import CaptureError, CaptureFormatError
from tests.conftest import ROOT

sigmf = pytest.importorskip("sigmf", reason="the extra sigmf is not installed")
REFERENCE = sorted((ROOT / "captures").glob("*.h5"))


def content(path):
    """Every dataset and attribute of a file."""
    found = {}
    with h5py.File(path, "r") as file:
        found |= {f"@{name}": value for name, value in file.attrs.items()}

        def note(name, item):
            found.update({f"{name}@{key}": value for key, value in item.attrs.items()})
            if isinstance(item, h5py.Dataset):
                found[name] = (item.dtype, item.shape, item[()].tobytes())

        file.visititems(note)
    return found


@pytest.mark.parametrize("path", REFERENCE, ids=lambda path: path.stem)
def test_reference_captures_come_back_to_the_bit(path, tmp_path):
    *metas, rest = export_sigmf(path, tmp_path)
    again = import_sigmf(metas[0], tmp_path / "again.h5")
    assert verify(again).ok
    assert content(again) == content(path)
    assert rest.name == f"{path.stem}.hil.h5"
    with Capture.open(path) as capture:
        for meta, receiver in zip(metas, capture.receivers, strict=True):
            recording = sigmf.fromfile(str(meta))
            recording.validate()
            ledger = capture.ledger(receiver=receiver)
            noted = recording.get_annotations()
            assert sorted(one["hil:frame"] for one in noted) == sorted(ledger["frame"].tolist())
            bursts = list(capture.bursts(receiver=receiver))
            assert [one["core:global_index"] for one in recording.get_captures()] == [one.start for one in bursts]
            first = recording.read_samples_in_capture(0)
            np.testing.assert_array_equal(np.stack([first.real, first.imag], 1) * 2**15, bursts[0].samples)


def test_an_annotation_begins_where_the_frame_was_found(tmp_path):
    path = REFERENCE[0]
    meta, *_ = export_sigmf(path, tmp_path)
    with Capture.open(path) as capture:
        row = next(row for row in capture.ledger(receiver=capture.receivers[0]) if row["detected"])
        bursts = list(capture.bursts(receiver=capture.receivers[0]))
        burst = next(one for one in bursts if one.index == row["burst"])
        begins = sum(one.count for one in bursts if one.index < burst.index) + row["start"] - burst.start
        noted = [one["core:sample_start"] for one in sigmf.fromfile(str(meta)).get_annotations()]
        assert begins in noted


def test_a_changed_recording_is_refused(tmp_path):
    meta, *_ = export_sigmf(REFERENCE[0], tmp_path)
    data = bytearray(meta.with_suffix(".sigmf-data").read_bytes())
    data[100] ^= 1
    meta.with_suffix(".sigmf-data").write_bytes(data)
    with pytest.raises(CaptureFormatError, match="not the recording that was exported"):
        import_sigmf(meta, tmp_path / "again.h5")
    assert not (tmp_path / "again.h5").exists()


def test_a_recording_alone_is_not_enough(tmp_path):
    meta, rest = export_sigmf(REFERENCE[0], tmp_path)
    lonely = tmp_path / "elsewhere"
    lonely.mkdir()
    shutil.copy(meta, lonely)
    with pytest.raises(CaptureError, match="does not say what was sent"):
        import_sigmf(lonely / meta.name, lonely / "again.h5")
    with pytest.raises(CaptureError, match="exists already"):
        export_sigmf(REFERENCE[0], tmp_path)
    assert rest.exists()
