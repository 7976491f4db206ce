"""Measurements with targets: `python -m benchmarks NAME [--json]`, or `scripts/bench NAME`."""
