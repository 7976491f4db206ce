"""Conversions between linear and logarithmic units. Scalars and arrays (numpy, torch) alike."""

import math
from collections.abc import Sequence
from typing import Any, overload

__all__ = [
    "DB_OF_E", "amplitude_to_db", "cfo_hz", "db_to_amplitude", "db_to_power", "decibels", "linear_mean_db", "power_to_db",
    "ppm",
]  # fmt: skip

DB_OF_E = 10 / math.log(10)
"""A small relative change of a power in dB: 4.34 times the change."""


def power_to_db(power: float) -> float:
    """Power ratio in dB; −inf for zero.

    Raises:
        ValueError: power is negative.
    """
    if power < 0:
        raise ValueError(f"Argument 'power' must be at least 0, not {power}.")
    return 10 * math.log10(power) if power > 0 else -math.inf


def decibels(power: float) -> float:
    """Power ratio in dB for tables: −99 for zero and below, NaN for NaN."""
    return power_to_db(power) if power > 0 else (-99.0 if power <= 0 else math.nan)


def linear_mean_db(values_db: Sequence[float]) -> float:
    """Linear mean of values in dB, in dB."""
    return power_to_db(sum(db_to_power(value) for value in values_db) / len(values_db))


def amplitude_to_db(amplitude: float) -> float:
    """Amplitude ratio in dB (20 log10)."""
    return power_to_db(amplitude * amplitude)


@overload
def db_to_power(db: float) -> float: ...
@overload
def db_to_power(db: Any) -> Any: ...
def db_to_power(db: Any) -> Any:
    """Power ratio of a value in dB."""
    return 10 ** (db / 10)


@overload
def db_to_amplitude(db: float) -> float: ...
@overload
def db_to_amplitude(db: Any) -> Any: ...
def db_to_amplitude(db: Any) -> Any:
    """Amplitude ratio of a value in dB."""
    return 10 ** (db / 20)


def ppm(value: float) -> float:
    """Parts per million as a ratio."""
    return value * 1e-6


def cfo_hz(tx_ppm: float, rx_ppm: float, center_freq_hz: float) -> float:
    """Carrier frequency offset, transmitter minus receiver, of two oscillators at one carrier (Hz)."""
    return ppm(tx_ppm - rx_ppm) * center_freq_hz
