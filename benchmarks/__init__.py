"""Benchmarks: `python -m benchmarks NAME [--json] [--quick]`; see docs/benchmarks.md."""
