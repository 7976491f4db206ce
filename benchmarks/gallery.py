"""A gallery of Market-1501's size through a run, in a process of its own whose memory is measured.

Called as ``python -m benchmarks.gallery TREE MODELS OUT``; prints one JSON object. Linux only: memory is what the kernel says.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import torch

import hil
from hil.runs import face

__all__ = ["main"]


def _memory(key: str) -> float:
    """``VmRSS`` (now) or ``VmHWM`` (the most) of this process, MB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(key)).split()[1]) / 1024


def main(tree: str, models: str, out: str) -> None:
    """Run a scheme over the tree in simulation; what it took."""
    torch.set_num_threads(1)
    torch.nn.functional.conv2d(torch.zeros(1, 3, 8, 8), torch.zeros(4, 3, 3, 3))  # what torch allocates once
    assert face.run is hil.run  # the whole of it is imported before memory is looked at
    start = _memory("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")
    took = time.process_time()
    results = hil.run(
        dataset=f"market1501:{tree}", schemes=("jscc-single",), models=models, out=out, simulate="awgn", snr_db=(10.0,),
        tasks=1008, distinct_tasks=1008, draws=1,
    )  # fmt: skip
    took = time.process_time() - took
    row = next(row for row in results.points if row.source == "simulation")
    print(json.dumps({"start_mb": start, "most_mb": _memory("VmHWM"), "cpu_s": took, "tasks": row.tasks}))


if __name__ == "__main__":
    main(*sys.argv[1:4])
