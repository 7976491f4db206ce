"""A run as one folder that a colleague can replay elsewhere: capture, results, weights, bench, calibration, versions."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

from hil.captures import Capture, verify
from hil.captures.journal import settle
from hil.config import to_toml
from hil.errors import CaptureFormatError, ModelError, OutputError
from hil.files import make_folder, replace_file, write_error
from hil.interrupts import uninterrupted
from hil.models.load import weights_file
from hil.places import folders
from hil.points.kinds import UNALIGNED_NAME
from hil.radios.bench import BenchConfig
from hil.runs.replay import config_of

__all__ = ["keep_whole"]

BESIDE = ("results.json", "run.toml", "report.html")


def keep_whole(run: Path, target: Path, *, home: Path | None = None) -> Path:
    """Copy a run with all that its replay needs; the run stays where it is.

    In `target` there are then ``capture.h5`` (plain HDF5), what lies beside it in the run's folder, ``models/`` (the weights
    that were on the air, by their checksums), ``bench.toml``, ``calibration/`` (the record in use, if there was one; what a
    run calibrated itself is in the capture) and ``versions.json``. The data set is not copied: the capture has its fingerprint.

    Args:
        run: the folder of a run, or a capture.
        target: the folder to make.
        home: the user's bench folder.

    Raises:
        OutputError: the folder is there already, or cannot be made.
        ModelError: weights that were on the air are not at hand.
        CaptureFormatError: no capture there, or a damaged one.
    """
    source = run / "capture.h5" if run.is_dir() else run
    report = verify(source)
    if not report.ok:
        raise CaptureFormatError(f"{source} is not kept: {report.problems[0]}")
    if target.exists():
        raise OutputError(f"{target} exists already; choose another name (--name)")
    with Capture.open(source) as capture:
        weights = _weights(capture, home)
        bench, provenance = capture.config.get("bench", {}), capture.provenance
        record = next((one.attrs.get("record", {}).get("record") for one in capture.points), None)
    try:
        make_folder(target / "models")
        for name, file in weights.items():
            shutil.copyfile(file, target / "models" / f"{name}.safetensors")
        if record is not None and Path(record).is_file():
            make_folder(target / "calibration")
            shutil.copyfile(record, target / "calibration" / Path(record).name)
        for name in BESIDE if run.is_dir() else ():
            if (run / name).is_file():
                shutil.copyfile(run / name, target / name)
        replace_file(target / "bench.toml", to_toml(BenchConfig.model_validate(bench)).encode())
        replace_file(target / "versions.json", (json.dumps(_versions(provenance, weights), indent=2) + "\n").encode())
        shutil.copyfile(source, target / "capture.h5")  # the last one: a folder without it is not whole
        settle(target / "capture.h5")
    except BaseException as err:
        with uninterrupted():
            shutil.rmtree(target, ignore_errors=True)  # nobody takes half of it for a run
        if isinstance(err, OSError):
            raise write_error(target, err) from err
        raise
    return target


def _weights(capture: Capture, home: Path | None) -> dict[str, Path]:
    """File of each scheme's weights, by the name that it is looked for by.

    Raises:
        ModelError: none with the checksum of those on the air.
    """
    if "experiment" not in capture.config:
        return {}  # hil send knows no scheme
    models = config_of(capture, {}).models
    places = [*([Path(models).expanduser()] if models is not None else []), *folders("models", home)]
    found = {}
    for name, wanted in capture.models.items():
        if not wanted:
            continue
        files = [weights_file(name.removesuffix(UNALIGNED_NAME), [place]) for place in places]
        file = next((one for one in files if one is not None and _sha256(one) == wanted), None)
        if file is None:
            raise ModelError(
                f"the weights of '{name}' that were on the air ({wanted[:12]}…) are not in {', '.join(map(str, places))}; "
                "put them back, or keep the capture alone"
            )
        found[file.stem] = file
    return found


def _versions(provenance: dict[str, Any], weights: dict[str, Path]) -> dict[str, Any]:
    return {**provenance, "weights": {name: _sha256(file) for name, file in weights.items()}}


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
