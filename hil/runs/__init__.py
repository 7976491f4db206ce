"""Runs: measure, replay, score, simulate, send. Each is a readable list of steps."""
