"""Move a run's capture to the bench's captures and note its checksum in their manifest."""

from __future__ import annotations

import datetime
import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

from hil.captures.journal import settle
from hil.captures.verify import verify
from hil.errors import CaptureError, CaptureFormatError
from hil.files import check_name, claim, make_folder, replace_file

__all__ = ["MANIFEST", "keep", "manifest_problem", "read_manifest"]

MANIFEST = "manifest.json"


def keep(run: str | Path, folder: str | Path, *, name: str | None = None, note: str = "") -> Path:
    """Move a capture into `folder`, plain HDF5 even if its writer was killed, and add it to the manifest there.

    Args:
        run: the folder of a run, with `capture.h5` in it, or a capture.
        folder: where captures are kept; made if need be.
        name: without `.h5`; the run's name if None.
        note: what it shows, for the manifest.

    Returns:
        the capture's new path.

    Raises:
        CaptureError: the name is taken, or the file cannot be moved.
        OutputError: no name of a file, or the folder cannot be written to.
        CaptureFormatError: no capture there, or a damaged one.
    """
    run, folder = Path(run), Path(folder)
    source = run / "capture.h5" if run.is_dir() else run
    report = verify(source)
    if not report.ok:
        raise CaptureFormatError(f"{source} is not kept: {report.problems[0]}")
    if name is not None:
        check_name(name, "--name")
    target = folder / f"{name or (run.resolve().name if run.is_dir() else run.stem)}.h5"
    taken = CaptureError(f"{target} exists already; choose another name (--name)")
    if target.exists():
        raise taken
    manifest = read_manifest(folder)
    make_folder(folder)
    hidden = target.with_name(f".{target.stem[:100]}.{os.getpid()}.part")
    try:
        shutil.copyfile(source, hidden)
        settle(hidden)
        manifest[target.name] = {
            "sha256": _file_sha256(hidden),
            "bytes": hidden.stat().st_size,
            "version": report.version,
            "complete": report.complete,
            "counts": report.counts,
            "kept_utc": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "from": str(source),
            "note": note,
        }
        if not claim(hidden, target):
            raise taken
        _write_manifest(folder, manifest)
        source.unlink()
    except OSError as err:
        raise CaptureError(f"cannot keep {source} in {folder}: {err}") from err
    finally:
        hidden.unlink(missing_ok=True)
    return target


def read_manifest(folder: Path) -> dict[str, dict[str, Any]]:
    """The manifest of a folder: file name -> what is known of it. Empty if there is none.

    Raises:
        CaptureFormatError: it is there, and is not what `keep` writes.
    """
    path = folder / MANIFEST
    if not path.is_file():
        return {}
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as err:
        raise CaptureFormatError(f"{path} cannot be read: {err}") from err
    if not isinstance(manifest, dict) or not all(isinstance(entry, dict) for entry in manifest.values()):
        raise CaptureFormatError(f"{path} must map file names to entries; mend it or move it away")
    return manifest


def manifest_problem(path: Path) -> str | None:
    """What is wrong with a file by the manifest beside it; None if nothing, or if it is not listed."""
    entry = read_manifest(path.parent).get(path.name)
    if entry is None or not path.is_file() or _file_sha256(path) == entry.get("sha256"):
        return None
    return f"{path} is not the file that {path.parent / MANIFEST} lists: its SHA-256 is another"


def _file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write_manifest(folder: Path, manifest: dict[str, Any]) -> None:
    replace_file(folder / MANIFEST, (json.dumps(manifest, indent=2, sort_keys=True) + "\n").encode())
