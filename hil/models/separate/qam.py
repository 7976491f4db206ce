"""Bits to QAM symbols and back to log-likelihood ratios, by commpy: square constellations with Gray labels, mean power 1."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hil.errors import DriverMissingError

__all__ = ["check_modem", "llrs", "modulate"]


@functools.cache
def _modem(bits: int) -> Any:
    try:
        from commpy import MQAMModulator
    except ImportError as err:
        raise DriverMissingError(f"digital schemes need commpy for QAM: pip install 'hil[digital]' ({err})") from err
    return MQAMModulator(1 << bits)


def check_modem() -> None:
    """Look for commpy.

    Raises:
        DriverMissingError: it is not installed.
    """
    _modem(2)


def modulate(words: NDArray[np.uint8], bits: int) -> NDArray[np.complex64]:
    """Bits uint8 [task, use · bits] to symbols complex64 [task, use], `bits` a use (2, 4 or 6).

    Raises:
        DriverMissingError: commpy is not installed.
    """
    return np.asarray(_modem(bits).modulate(words.ravel())).reshape(len(words), -1).astype(np.complex64)


def llrs(symbols: NDArray[np.complex64], noise_var: NDArray[np.float32], bits: int) -> NDArray[np.float32]:
    """Max-log ratios, positive for 0, of symbols complex64 [task, use] in noise float32 [task, use]: [task, use · bits].

    Raises:
        DriverMissingError: commpy is not installed.
    """
    found = np.asarray(_modem(bits).soft_demodulate(symbols.ravel().astype(np.complex128), 1.0)).reshape(-1, bits)
    found /= np.maximum(noise_var, 1e-9).reshape(-1, 1)  # a max-log ratio is a distance over the noise
    return found.reshape(len(symbols), -1).astype(np.float32)
