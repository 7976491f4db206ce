"""Integer probability tables: what encoder and decoder share, to the bit.

A learned density is real numbers, and two machines do not agree on the last digit of those. Its table is made once, after
training, and is part of the weights.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["PRECISION", "integer_tables", "table_bits"]

PRECISION = 16
"""Bits of a table's total."""
NEGLIGIBLE = 2.0 ** -(PRECISION + 2)
"""What is rarer lies outside a table's support: the quantiser ends there."""


def integer_tables(probability: NDArray[np.float64]) -> NDArray[np.int64]:
    """Cumulative tables of given probabilities.

    Args:
        probability: float64 [table, size], not negative, at most 2^PRECISION of size; need not sum to 1.

    Returns:
        int64 [table, size + 1], from 0 to 2^PRECISION. Symbols from the first to the last that is not negligible have at
        least 1; those before and behind have none.
    """
    total = 1 << PRECISION
    shares = probability / np.maximum(probability.sum(1, keepdims=True), 1e-300)
    tables = np.zeros((len(shares), shares.shape[1] + 1), np.int64)
    for row, share in enumerate(shares):
        inside = np.flatnonzero(share >= NEGLIGIBLE)
        first, last = (inside[0], inside[-1] + 1) if len(inside) else (0, len(share))
        widths = np.maximum(1, np.floor(share[first:last] * total + 0.5).astype(np.int64))
        while (left := total - int(widths.sum())) != 0:  # rounding's rest goes where it costs least
            most = abs(left) if left > 0 else min(-left, int((widths > 1).sum()))
            widths[np.argsort(-widths, kind="stable")[:most]] += np.sign(left)
        tables[row, first + 1 : last + 1] = widths.cumsum()
        tables[row, last + 1 :] = total
    return tables


def table_bits(tables: NDArray[np.integer[Any]], symbols: NDArray[np.int64]) -> NDArray[np.float64]:
    """−log2 of what the tables say of symbols, float64 [..., symbol].

    Args:
        tables: [symbol, size + 1], see `integer_tables`.
        symbols: int64 [..., symbol], places in them.
    """
    place = np.arange(len(tables))
    widths = tables[place, symbols + 1] - tables[place, symbols]
    return np.asarray(PRECISION - np.log2(widths.astype(np.float64)))
