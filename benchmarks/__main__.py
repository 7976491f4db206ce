"""`python -m benchmarks NAME [--json] [--quick]`; called by scripts/bench."""

from __future__ import annotations

import argparse
import datetime
import importlib
import json
import sys
import time
from pathlib import Path
from typing import Any

import torch

from benchmarks.machine import describe
from benchmarks.rows import table

NAMES = {
    "modem": "receiver, transmitter and air against liquid-dsp, GNU Radio, Sionna and numpy",
    "radios": "real-time rates of the virtual radios through the vendors' libraries",
    "faults": "faults injected into the virtual radios, a resumable campaign",
}
RESULTS = Path(__file__).with_name("results")


def _clean(value: Any) -> Any:
    """JSON has no NaN, and its keys are text."""
    if isinstance(value, dict):
        return {str(key): _clean(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(entry) for entry in value]
    if isinstance(value, float) and value != value:
        return None
    return value.item() if hasattr(value, "item") else value


def main(arguments: list[str] | None = None) -> int:
    """Run one benchmark; exit code 0 whether or not targets are met."""
    parser = argparse.ArgumentParser(prog="scripts/bench", description="Benchmarks; see docs/benchmarks.md.")
    parser.add_argument("name", choices=sorted(NAMES), help="; ".join(f"{name}: {text}" for name, text in NAMES.items()))
    parser.add_argument("--json", action="store_true", help="print JSON and write benchmarks/results/NAME-DATE.json")
    parser.add_argument("--quick", action="store_true", help="fewer frames and rounds, under a minute; nothing is written")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    module = importlib.import_module(f"benchmarks.{options.name}")
    if hasattr(module, "main"):  # one that reports as it goes
        module.main(json=options.json)
        return 0
    machine, begin = describe(), time.monotonic()
    rows, peers = module.rows(options.quick)
    rows = _clean(rows)
    if not options.json:
        print(table(rows))
        load = ", ".join(str(value) for value in machine["load"])
        print(
            f"\n{machine['cpu']} ({machine['microarchitecture']}), {machine['cores']} cores, load {load} at the start; CPU time"
        )
        return 0
    print(json.dumps(rows, indent=1, ensure_ascii=False))
    if not options.quick:
        date = datetime.datetime.now(datetime.UTC)
        result = {
            "benchmark": options.name,
            "date": date.isoformat(timespec="seconds"),
            "seconds": round(time.monotonic() - begin),
            "machine": machine | {"load_at_end": describe()["load"]},
            "rows": rows,
            "peers": _clean(peers),
        }
        RESULTS.mkdir(exist_ok=True)
        target = RESULTS / f"{options.name}-{date:%Y-%m-%d}.json"
        target.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        print(f"scripts/bench: wrote {target}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
