"""Make further fixtures of capture format 1: of `hil send`, of a writer killed inside a commit, and of the writer alone.

Usage, with the hil that wrote the format (commit f6626e2) and nothing else on the path:
    git archive f6626e2 | tar -x -C SOMEWHERE
    PYTHONPATH=SOMEWHERE OMP_NUM_THREADS=1 python tests/golden/make_more.py tests/golden/v1

Writes sent/ (symbols.npy, 1 transmitter x 8 tasks x 16 uses; received.h5; received-capture.h5), killed/capture.h5 (jscc-single
at 9 and 12 dB, 2 frames each; SIGKILL from inside the commit of the last burst: pointer set, pages half copied),
written/capture.h5 (values that tell where they belong, with events, bursts that failed, several frames a burst), and
more.json: checksums and what is true of them. Like the other goldens they are never made again.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

HIL = "from hil.cli.main import main; main()"
KILLED_RUN = (
    "run", "--schemes", "single", "--snr", "9,12", "--dataset", "synthetic:identities=60", "--tasks", "24",
    "--distinct-tasks", "24", "--tasks-per-frame", "12", "--draws", "2", "--name", "killed",
)  # fmt: skip
KILL = """
import os, signal, sys
from hil.captures import journal
last, commits, copied, real = int(sys.argv.pop(1)), 0, 0, os.pwrite

def pwrite(fd, data, offset):
    global commits, copied
    sets_pointer = offset == 0 and journal._pointer(bytes(data[:journal.USERBLOCK])) is not None
    commits += sets_pointer
    if last and commits == last and not sets_pointer:
        copied += 1
        if copied == 2:
            real(fd, bytes(data)[: len(data) // 2], offset)
            os.kill(os.getpid(), signal.SIGKILL)
    return real(fd, data, offset)

journal.os.pwrite = pwrite
if not last:
    import atexit
    atexit.register(lambda: print("commits", commits, file=sys.stderr))
"""


def sha256(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def symbols() -> np.ndarray:
    """QPSK of power 1, complex64 [1, 8, 16]."""
    bits = np.random.default_rng(8).integers(0, 2, (2, 1, 8, 16)) * 2 - 1
    return ((bits[0] + 1j * bits[1]) / np.sqrt(2)).astype(np.complex64)


def make_sent(folder: Path) -> dict[str, object]:
    """`hil send` on the built-in bench at 15 dB."""
    folder.mkdir()
    np.save(folder / "symbols.npy", symbols())
    command = ["send", "symbols.npy", "builtin", "--snr", "15", "--out", "received.h5", "--json"]
    done = subprocess.run([sys.executable, "-c", HIL, *command], capture_output=True, text=True, check=True, cwd=folder)
    about = json.loads(done.stdout)
    return {"arguments": command, "received_sha256": about["received_sha256"], "frames": about["frames"]}


def make_killed(folder: Path, models: Path) -> dict[str, object]:
    """A run killed inside the commit of its last burst of frames; the commits are counted by a run that is left alone."""
    arguments = [*KILLED_RUN, "--models", str(models.resolve())]

    with tempfile.TemporaryDirectory() as scratch:

        def run(last: int, out: str) -> subprocess.CompletedProcess[str]:
            command = [sys.executable, "-c", KILL + HIL, str(last), *arguments, "--out", out]
            return subprocess.run(command, capture_output=True, text=True, check=False, cwd=scratch)  # "-c" looks there first

        whole = run(0, f"{scratch}/whole")
        assert whole.returncode == 0, whole.stderr
        commits = int(whole.stderr.rsplit("commits", 1)[1])
        # After the last burst come: the point's end, and the run's end with what closing the file changes.
        for last in range(commits, 0, -1):
            done = run(last, f"{scratch}/{last}")
            assert done.returncode == -signal.SIGKILL, done.stderr
            from hil.captures import Capture
            from hil.captures.journal import has_pending_journal

            path = Path(scratch) / str(last) / "killed" / "capture.h5"
            with Capture.open(path) as capture:
                bursts, finished = capture.committed["bursts"], [point.finished for point in capture.points]
            if finished == [False, True, False] and has_pending_journal(path):
                break
        folder.mkdir()
        shutil.copyfile(path, folder / "capture.h5")
        replay = ["replay", str(path), "--models", str(models.resolve()), "--json", "--out", f"{scratch}/again"]
        done = subprocess.run([sys.executable, "-c", HIL, *replay], capture_output=True, text=True, check=True, cwd=scratch)
    return {
        "arguments": list(KILLED_RUN),
        "bursts": bursts,
        "killed_in_commit": last,
        "of_commits": commits,
        "replayed_sha256": json.loads(done.stdout)["received_sha256"],
    }


def make_written(folder: Path) -> dict[str, object]:
    """What the writer can store and a healthy simulated run does not: see the code."""
    from hil.captures import CaptureWriter, sha256_array

    folder.mkdir()
    texts = {"config": {"trial": 3}, "versions": {"hil": "0.1.0", "odd": [1]}, "models": {"a": "ff" * 32}}
    with CaptureWriter.create(folder / "capture.h5", **texts) as writer:
        for index in range(2):
            symbols = np.random.default_rng(index).standard_normal((3, 5, 4, 2)).astype(np.float32).view(np.complex64)[..., 0]
            labels = {"identity": np.arange(5) + index}
            point = writer.add_point(
                f"p{index}", attrs={"kind": "odd"}, symbols=symbols, labels=labels, extra={"phase": symbols[0]}
            )
            for number in range(3):
                burst = 3 * index + number
                failed = number == 1
                count = 0 if failed else 100 + burst
                samples = (np.arange(2 * count) + 1000 * burst + 1).astype(np.int16).reshape(count, 2)
                reason = {"kind": "timeout", "radio": "rx", "detail": f"burst {burst}"}
                event = {"kind": "overflow", "radio": "rx", "channel": 0, "sample": burst, "count": 2}
                writer.append_burst(
                    point,
                    samples,
                    start=-1 if failed else 10_000 * burst,
                    kind="sounding" if number == 2 else "frame",
                    frame_numbers=[2 * burst, 2 * burst + 1],
                    ledger=[{"status": "lost"}, {"status": "scored", "snr_db": [burst, 2.0, 3.0], "clipped": 7, "start": 5}],
                    events=[reason] if failed else [event] * number,
                )
            if index == 0:
                received = symbols[1]
                more = {"received_sha256": sha256_array(received), "arrays": {"hit": np.array([True, False])}}
                writer.finish_point(point, results={"top1": 0.5}, received=received, valid=False, **more)
    return {"points": 2, "bursts": 6, "frames": 12, "events": 6}


def main() -> int:
    """Make both, and say what they are."""
    here = Path(sys.argv[1])
    import hil

    made = {"sent": make_sent(here / "sent"), "killed": make_killed(here / "killed", here / "models")}
    made["written"] = make_written(here / "written")
    files = [here / "sent" / "symbols.npy", here / "sent" / "received.h5", here / "sent" / "received-capture.h5"]
    for path in [*files, here / "killed" / "capture.h5", here / "written" / "capture.h5"]:
        assert path.stat().st_size < 1_000_000, path
        made[path.parent.name].setdefault("sha256", {})[path.name] = sha256(path)  # type: ignore[attr-defined]
    about = {"made_by": "tests/golden/make_more.py", "commit": os.environ.get("HIL_COMMIT"), "hil": hil.__version__}
    (here / "more.json").write_text(json.dumps(about | {"captures": made}, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
