"""Figures of the papers, drawn anew from results of runs: a TOML file a figure says what is in it, and what is claimed."""
