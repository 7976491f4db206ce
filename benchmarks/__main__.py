"""`python -m benchmarks NAME [--json] [--quick]`; called by scripts/bench."""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import time

import torch

from benchmarks.machine import describe
from benchmarks.record import clean, keep
from benchmarks.rows import table

NAMES = {
    "modem": "receiver, transmitter and air against liquid-dsp, GNU Radio, Sionna and numpy",
    "radios": "real-time rates of the virtual radios through the vendors' libraries",
    "truth": "faults of front ends, clocks, channels and neighbours: corrected, marked, lost, or silent",
    "retrieval": "ranking and memory at Market-1501's size, against the bare matrix product",
    "market": "a whole run of Market-1501's size: what it says it will take, and what it takes",
    "coverage": "how often 95 % intervals hold the truth, every kind that a run prints",
    "calibration": "hil calibrate on random benches against the airs' own truth, a resumable campaign",
    "watch": "hil watch: updates a second and their cost; a run with it beside, against one alone",
    "resume": "a run killed 20 times and resumed, against one that nobody disturbed: bits, ledger",
    "sweep": "hil sweep on two workers against one, and with workers killed: efficiency, results that differ",
    "soak": "an hour of hil run with hil watch beside: growth of memory, frames lost; 200 SIGKILLs: bursts lost",
    "digital": "LDPC decoder against commpy and ldpc, its error rates",
    "thresholds": "from which SNR digital packets come through: waterfalls by code length, packets by uses",
    "schemes": "trained networks against what the papers' systems must hold, and a task's cost by stage",
    "faults": "faults injected into the virtual radios, a resumable campaign",
}


def main(arguments: list[str] | None = None) -> int:
    """Run one benchmark; exit code 0 whether or not targets are met."""
    parser = argparse.ArgumentParser(prog="scripts/bench", description="Benchmarks; see docs/benchmarks.md.")
    parser.add_argument("name", choices=sorted(NAMES), help="; ".join(f"{name}: {text}" for name, text in NAMES.items()))
    parser.add_argument("--json", action="store_true", help="print JSON and write benchmarks/results/NAME-DATE.json")
    parser.add_argument("--quick", action="store_true", help="fewer frames and rounds, under a minute; nothing is written")
    parser.add_argument("--models", help="schemes: folder of trained networks; default: the usual places")
    parser.add_argument("--minutes", type=float, help="soak: of the long run; default: 60")
    parser.add_argument("--kills", type=int, help="soak: of short runs; default: 200")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    module = importlib.import_module(f"benchmarks.{options.name}")
    if hasattr(module, "main"):  # one that reports as it goes
        module.main(json=options.json)
        return 0
    machine, begin = describe(), time.monotonic()
    given = {key: value for key in ("models", "minutes", "kills") if (value := getattr(options, key)) is not None}
    rows, peers = module.rows(options.quick, **given)
    rows = clean(rows)
    if not options.json:
        print(table(rows))
        load = ", ".join(str(value) for value in machine["load"])
        print(
            f"\n{machine['cpu']} ({machine['microarchitecture']}), {machine['cores']} cores, load {load} at the start; CPU time"
        )
        return 0
    print(json.dumps(rows, indent=1, ensure_ascii=False))
    if not options.quick:
        keep(options.name, rows, machine=machine, seconds=time.monotonic() - begin, peers=peers)
    return 0


if __name__ == "__main__":
    sys.exit(main())
