"""Make golden captures: what one version of hil measured, kept so that every later version replays it to the same bits.

Usage: python tests/golden/make.py VERSION      (for instance v1; run once a capture format, with the hil that wrote it)

Writes tests/golden/VERSION/NAME/{capture.h5,results.json}, the weights that were on the air, and manifest.json: checksums,
the SHA-256 of the received symbols, versions, seeds and the commit. Nothing there is ever made again: a later version adds
a folder. Of v1 there are three more, for captures only (more.json): make_more.py made them, and says how.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
DATASET = "synthetic:identities=60"
RUNS = {
    "single": ("jscc-single", "--schemes", "single", "--snr", "6"),
    "oma": ("jscc-oma", "--schemes", "oma", "--snr", "3"),
    "noma": ("jscc-noma", "--schemes", "noma", "--snr", "9"),
}
COMMON = ("--dataset", DATASET, "--tasks", "84", "--distinct-tasks", "42", "--tasks-per-frame", "42", "--draws", "4")


def sha256(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def main() -> int:
    """Make one version's captures."""
    version = sys.argv[1]
    folder = HERE / version
    if folder.exists():
        print(f"{folder} exists; goldens are never made again", file=sys.stderr)
        return 1
    models = folder / "models"
    models.mkdir(parents=True)
    hil = [sys.executable, "-c", "from hil.cli.main import main; main()"]
    commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True, cwd=ROOT).stdout.strip()
    entries = {}
    for name, (scheme, *options) in RUNS.items():
        shutil.copyfile(ROOT / "models" / f"{scheme}.safetensors", models / f"{scheme}.safetensors")
        command = ["run", *options, *COMMON, "--models", str(models), "--out", str(folder), "--name", name, "--json"]
        done = subprocess.run([*hil, *command], capture_output=True, text=True, check=True, cwd=ROOT)
        results = json.loads(done.stdout)
        (folder / name / "report.html").unlink()
        rows = [row for row in results["points"] if row["source"] == "air"]
        entries[name] = {
            "scheme": scheme,
            "arguments": ["run", *options, *COMMON],
            "capture_sha256": sha256(folder / name / "capture.h5"),
            "results_sha256": sha256(folder / name / "results.json"),
            "weights_sha256": sha256(models / f"{scheme}.safetensors"),
            "received_sha256": results["received_sha256"],
            "top1": [row["top1"] for row in rows],
            "map": [row["map"] for row in rows],
        }
        versions = results["versions"] | {"argv": None}
    manifest = {"commit": commit, "made_by": "tests/golden/make.py", "versions": versions, "captures": entries}
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
