"""Captures as SigMF recordings, which other tools open, and back: nothing is lost on the way.

Each receiver is one recording: its bursts one after another (ci16_le), a capture segment a burst, an annotation a frame.
What SigMF has no words for (symbols that were sent, labels, scores, the whole ledger) goes into ``NAME.hil.h5`` beside them:
the capture without its samples. Source: SigMF specification 1.2, sigmf.org.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from hil.captures import hdf5, schema
from hil.captures.journal import USERBLOCK, JournaledFile, has_pending_journal
from hil.captures.reader import Capture
from hil.captures.records import Burst
from hil.captures.verify import verify
from hil.errors import CaptureError, CaptureFormatError, DriverMissingError
from hil.files import make_folder, replacing, write_error

__all__ = ["REST", "export_sigmf", "import_sigmf", "rest_of"]

REST = ".hil.h5"
"""Ending of the file that holds what SigMF does not."""
_NAMESPACE = {"name": "hil", "version": "2.0.0", "optional": True}


def export_sigmf(path: str | Path, folder: str | Path) -> list[Path]:
    """Write a capture as SigMF recordings.

    Args:
        path: of the capture.
        folder: where they go; made if need be. Files of these names must not be there.

    Returns:
        the recordings' ``.sigmf-meta`` files, by receiver, and the file with the rest.

    Raises:
        DriverMissingError: the package sigmf is not installed.
        CaptureError: the capture is of an older format, or a file is there already.
        OutputError: a file cannot be written.
    """
    sigmf = _sigmf()
    path, folder = Path(path), Path(folder)
    with Capture.open(path) as capture:
        if capture.file_version != schema.VERSION:
            raise CaptureError(f"{path} is of an older format (version {capture.file_version}), which has no SigMF form")
        make_folder(folder)
        rest = folder / f"{path.stem}{REST}"
        metas = [folder / f"{path.stem}.{name}.sigmf-meta" for name in capture.receivers]
        if taken := [one for one in (rest, *metas, *(one.with_suffix(".sigmf-data") for one in metas)) if one.exists()]:
            raise CaptureError(f"{taken[0]} exists already; choose another folder (--out)")
        try:
            with replacing(rest) as part, _raw(path) as source:
                _copy_rest(source, part)
            for meta, name in zip(metas, capture.receivers, strict=True):
                _record(sigmf, capture, name, meta, rest.name)
        except OSError as err:
            raise write_error(folder, err) from err
    return [*metas, rest]


def import_sigmf(path: str | Path, target: str | Path) -> Path:
    """Make the capture again from its SigMF recordings.

    Args:
        path: a ``.sigmf-meta`` of it, or its ``.hil.h5``; the others lie beside.
        target: the capture to make; it must not be there.

    Raises:
        DriverMissingError: the package sigmf is not installed.
        CaptureError: the target is there already, or a recording is missing.
        CaptureFormatError: samples are not those that were exported.
    """
    sigmf = _sigmf()
    path, target = Path(path), Path(target)
    rest = rest_of(path)
    stem = rest.name.removesuffix(REST)
    if target.exists():
        raise CaptureError(f"{target} exists already; choose another file (--out)")
    make_folder(target.parent)
    with replacing(target) as part:
        with h5py.File(rest, "r") as source:
            bursts = source["bursts"][: int(source["committed"]["bursts"][0])]
            receivers = _text(source, "receivers")
            whole = np.zeros((int(source["committed"]["samples"][0]), 2), np.int16)
            for index, name in enumerate(receivers):
                data = _samples(sigmf, rest.with_name(f"{stem}.{name}.sigmf-meta"))
                _put(whole, bursts[bursts["receiver"] == index], data, f"{stem}.{name}")
            _copy_whole(source, part, whole)
        report = verify(part)
        if not report.ok:
            raise CaptureFormatError(f"{path} does not make the capture that was exported: {report.problems[0]}")
    return target


def _sigmf() -> Any:
    try:
        import sigmf
    except ImportError as err:
        raise DriverMissingError("SigMF files need the package sigmf: pip install 'hil[sigmf]'") from err
    return sigmf


@contextmanager
def _raw(path: Path) -> Iterator[Any]:
    """The file as HDF5 has it, its journal laid over it."""
    file = JournaledFile(path) if has_pending_journal(path) else None
    try:
        with h5py.File(file if file is not None else path, "r") as opened:
            yield opened
    finally:
        if file is not None:
            file.close()


def _copy_rest(source: Any, target: Path) -> None:
    with h5py.File(target, "w", userblock_size=USERBLOCK) as out:
        out.attrs.update(source.attrs)
        for name in source:
            if name != "samples":
                source.copy(name, out)
        hdf5.extendable(out, "samples", np.dtype("<i2"), (schema.SAMPLE_ROWS_PER_CHUNK, 2))


def _copy_whole(source: Any, target: Path, samples: NDArray[np.int16]) -> None:
    with h5py.File(target, "w", userblock_size=USERBLOCK) as out:
        out.attrs.update(source.attrs)
        for name in source:
            source.copy(name, out)
        hdf5.append(out["samples"], 0, samples)


def _record(sigmf: Any, capture: Capture, receiver: str, meta: Path, rest: str) -> None:
    """One receiver's recording."""
    bench = capture.config.get("bench", {})
    bursts = [one for one in capture.bursts(receiver=receiver) if one.count]
    data = meta.with_suffix(".sigmf-data")
    with replacing(data) as part, part.open("wb") as file:
        for burst in bursts:
            file.write(np.ascontiguousarray(burst.samples, "<i2").data)
    made_by = capture.provenance.get("version")
    made = sigmf.SigMFFile(
        global_info={
            "core:datatype": "ci16_le",
            "core:version": sigmf.__specification__,
            "core:num_channels": 1,
            "core:description": f"receiver {receiver} of {capture.path.name}: {len(bursts)} bursts one after another",
            "core:recorder": f"hil {made_by}" if made_by else "hil",
            "core:extensions": [_NAMESPACE],
            "hil:capture": rest,
            "hil:receiver": receiver,
        }
    )
    if rate := bench.get("sample_rate_hz"):
        made.set_global_field("core:sample_rate", float(rate))
    if bursts:
        made.set_data_file(str(data))
    starts: dict[int, tuple[int, Burst]] = {}
    at = 0
    for burst in bursts:
        segment: dict[str, Any] = {"core:global_index": burst.start, "hil:burst": burst.index, "hil:exchange": burst.exchange}
        if frequency := bench.get("center_freq_hz"):
            segment["core:frequency"] = float(frequency)
        made.add_capture(at, metadata=segment)
        starts[burst.index] = at, burst
        at += burst.count
    for row in capture.ledger(receiver=receiver):
        if int(row["burst"]) in starts:
            made.add_annotation(*_place(row, *starts[int(row["burst"])]), metadata=_annotation(row))
    made.validate()
    made.tofile(str(meta), overwrite=True)


def _place(row: Any, at: int, burst: Burst) -> tuple[int, int]:
    """Where a frame lies in the recording: from its begin, as far as that is known, to its window's end."""
    inside = int(row["start"]) - burst.start if row["detected"] else 0
    inside = inside if 0 <= inside < burst.count else 0
    return at + inside, burst.count - inside


def _annotation(row: Any) -> dict[str, Any]:
    """What the ledger says of a frame."""
    kind, status = schema.FrameKind(int(row["kind"])).name.lower(), schema.FrameStatus(int(row["status"])).name.lower()
    said: dict[str, Any] = {
        "core:label": f"{kind} {int(row['frame'])}"[:20],
        "core:comment": status,
        "core:generator": "hil",
        "hil:point": int(row["point"]),
        "hil:frame": int(row["frame"]),
        "hil:kind": kind,
        "hil:status": status,
    }
    for name in ("snr_db", "cfo_hz"):
        values = [float(one) if math.isfinite(one) else None for one in row[name]]
        said |= {f"hil:{name}": values} if any(one is not None for one in values) else {}
    for name in ("evm_db", "snr_eff_db"):
        said |= {f"hil:{name}": float(row[name])} if math.isfinite(row[name]) else {}
    return said


def rest_of(path: Path) -> Path:
    """The file with what SigMF does not hold, by a recording of it.

    Raises:
        CaptureError: there is none.
    """
    if path.name.endswith(REST):
        found = path
    else:
        beside = {one.name.removesuffix(REST): one for one in path.parent.glob(f"*{REST}")}
        fits = [name for name in beside if path.name.startswith(f"{name}.")]
        found = beside[max(fits, key=len)] if fits else path.with_name(f"{path.name.split('.')[0]}{REST}")
    if not found.is_file():
        raise CaptureError(
            f"{found} is missing: a recording alone does not say what was sent. It is written by hil captures export --sigmf; "
            "keep it beside the .sigmf files"
        )
    return found


def _text(source: Any, name: str) -> list[str]:
    found: list[str] = json.loads(bytes(source[name][0]))
    return found


def _samples(sigmf: Any, meta: Path) -> NDArray[np.int16]:
    """All samples of a recording, int16 [n, 2], its checksum looked at."""
    data = meta.with_suffix(".sigmf-data")
    if missing := [one for one in (meta, data) if not one.is_file()]:
        raise CaptureError(f"{missing[0]} is missing; keep all files of an export together")
    if data.stat().st_size:
        try:
            sigmf.fromfile(str(meta)).validate()
        except Exception as err:  # whatever the package raises at what is no SigMF
            raise CaptureFormatError(f"{meta} is not the recording that was exported: {err}") from err
    return np.fromfile(data, "<i2").reshape(-1, 2)


def _put(whole: NDArray[np.int16], bursts: NDArray[Any], data: NDArray[np.int16], name: str) -> None:
    """A receiver's samples to where the capture has them."""
    if int(bursts["count"].sum()) != len(data):
        raise CaptureFormatError(f"{name} has {len(data)} samples, its capture {int(bursts['count'].sum())}")
    at = 0
    for burst in bursts:
        count = int(burst["count"])
        whole[int(burst["offset"]) : int(burst["offset"]) + count] = data[at : at + count]
        at += count
