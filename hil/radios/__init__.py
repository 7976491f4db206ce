"""Radios: the contract, its drivers, benches, and the session that puts bursts on the air."""
