"""Runs one benchmark by name."""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path


def run() -> int:
    """Parse the command line and run."""
    others = ("__init__", "__main__", "rows", "benches", "load")
    names = sorted(path.stem for path in Path(__file__).parent.glob("*.py") if path.stem not in others)
    parser = argparse.ArgumentParser(prog="scripts/bench")
    parser.add_argument("name", choices=names)
    parser.add_argument("--json", action="store_true", help="print rows as JSON")
    arguments = parser.parse_args()
    importlib.import_module(f"benchmarks.{arguments.name}").main(json=arguments.json)
    return 0


if __name__ == "__main__":
    sys.exit(run())
