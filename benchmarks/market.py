"""A whole run of Market-1501's size: what it says beforehand that it will take, and what it takes.

Features are random (people around centres of their own) and networks are not trained: time and memory hang on neither,
accuracies mean nothing and are not told. One transmitter, OMA and NOMA over the built-in bench from -6 to 15 dB, simulation
beside.
"""

from __future__ import annotations

import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch

from benchmarks.retrieval import DISTRACTORS, GALLERY, JUNKS, LENGTH, PEOPLE, QUERIES
from benchmarks.rows import Row, row
from hil.models.load import build_network
from hil.models.recipe import load_recipe, on_features
from hil.models.weights import write_weights

__all__ = ["rows"]

ROOT = Path(__file__).resolve().parent.parent
SCHEMES = ("jscc-single", "jscc-oma", "jscc-noma")
TASKS, DRAWS, SNRS = 2000, 20, "-6:15:3"
TRAIN, TRAIN_PEOPLE = 1000, 200
"""Images to train on: a run reads their checksum only."""
HIL = (sys.executable, "-c", "from hil.cli.main import main; main()")


def rows(quick: bool) -> tuple[list[Row], dict[str, Any]]:
    """What the run took, as a whole and by stage; no peers."""
    draws, snrs = (2, "0,9") if quick else (DRAWS, SNRS)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        data = _features(folder / "market.h5")
        for name in SCHEMES:
            _untrained(name, data, folder / "models")
        command = [
            *HIL, "run", "--dataset", f"features:{data}", "--schemes", ",".join(SCHEMES), "--models", str(folder / "models"),
            "--snr", snrs, "--tasks", str(TASKS), "--distinct-tasks", str(TASKS), "--draws", str(draws), "--out", str(folder),
            "--name", "market",
        ]  # fmt: skip
        environment = os.environ | {"HIL_CACHE": str(folder / "cache"), "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        begun = time.monotonic()
        done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT, env=environment)
        seconds, used = time.monotonic() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
    size = f"{QUERIES} × {GALLERY} × {LENGTH}, 3 schemes, SNRs {snrs}, {TASKS} tasks, {draws} draws"
    said = (done.stderr + done.stdout).splitlines()
    told = next((line for line in said if line.startswith("simulation beside: ")), "")
    spent = next((line for line in said if line.startswith("took ")), "")
    return [
        row(f"a run of Market-1501's size ({size}): processor time", used.ru_utime + used.ru_stime, "s", better="lower",
            said_before=told, by_stage=spent),
        row(f"a run of Market-1501's size ({size}): on the clock", seconds, "s", better="lower"),
        row(f"a run of Market-1501's size ({size}): most memory", used.ru_maxrss / 1024, "MB", better="lower"),
        row("simulation, at most, as said before it started", _seconds(told), "s", better="lower"),
    ], {}  # fmt: skip


def _seconds(told: str) -> float | None:
    """The processor time in what was said; None where there was nothing worth saying."""
    found = re.search(r"at most ([\d.]+) (s|min|h) of processor time", told)
    return float(found[1]) * {"s": 1, "min": 60, "h": 3600}[found[2]] if found else None


def _features(path: Path) -> Path:
    """A file of features with Market-1501's numbers of queries, gallery images, distractors and junk images."""
    draw = np.random.default_rng(1)
    first = TRAIN_PEOPLE + 1
    gallery = draw.integers(first, first + PEOPLE, GALLERY)
    gallery[:DISTRACTORS] = 0
    gallery[DISTRACTORS : DISTRACTORS + JUNKS] = -1
    parts = {
        "train": draw.integers(1, first, TRAIN),
        "query": draw.integers(first, first + PEOPLE, QUERIES),
        "gallery": gallery,
    }
    who = np.concatenate(list(parts.values()))
    centres = draw.standard_normal((first + PEOPLE, LENGTH), np.float32)
    with h5py.File(path, "w") as file:
        features = file.create_dataset("features", (len(who), LENGTH), np.float32)
        for start in range(0, len(who), 1000):
            some = who[start : start + 1000]
            noise = draw.standard_normal((len(some), LENGTH), np.float32) * 2.2
            features[start : start + 1000] = noise + centres[np.maximum(some, 0)] * (some > 0)[:, None]
        file["identities"], file["cameras"] = who, draw.integers(1, 7, len(who))
        file["splits"] = np.repeat(list(parts), [len(part) for part in parts.values()]).astype(h5py.string_dtype())
    return path


def _untrained(name: str, data: Path, folder: Path) -> None:
    """A network as it begins, for such features."""
    recipe = load_recipe(ROOT / "models" / f"{name}.toml", on_features(f"features:{data}", LENGTH))
    torch.manual_seed(1)
    write_weights(folder / f"{name}.safetensors", build_network(recipe).eval().state_dict(), recipe, dataset="", fingerprint="")
