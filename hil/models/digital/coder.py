"""An arithmetic coder on integer tables: exact, terminated to the bit, and its own inverse.

Only integers decide what a message is, so no machine's rounding can make encoder and decoder differ. The interval's width is
kept to 60 bits, of which a division by the tables' total loses less than 2⁻⁴³; its lower end is kept whole, so there is no
carry to care for. A message is the shortest bit string all of whose continuations lie in the interval: at most
−log2 p + 2 bits, and whatever follows it in a packet does not touch it.

Source: Rissanen and Langdon, Arithmetic Coding, 1979 (interval subdivision); Cover and Thomas, Elements of Information
Theory, Sec. 5.9 (the codeword inside the interval).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hil.models.digital.tables import PRECISION

__all__ = ["decode_messages", "encode_message", "longest_message"]

STATE = 60
"""Bits of the interval's width; with an offset below it all fits into int64."""
WINDOW = 4
"""Bytes from which the next bits are read: an interval shrinks by at most 17 bits a symbol, which begin anywhere in a byte."""


def longest_message(symbols: int) -> int:
    """Bytes that any message of so many symbols fits into: no symbol is rarer than one in the tables' total."""
    return (symbols * (PRECISION + 1) + 2 + 7) // 8


def encode_message(starts: Sequence[int], widths: Sequence[int]) -> tuple[bytes, int]:
    """One message.

    Args:
        starts: of each symbol, the sum of the table's entries before its own.
        widths: of each symbol, its own entry, at least 1; both of tables whose total is 2^PRECISION.

    Returns:
        the bits, most significant first, the last byte filled up with zeros; and their number.
    """
    low, width, taken = 0, 1 << STATE, STATE  # the interval is [low, low + width) · 2^−taken
    for start, part in zip(starts, widths, strict=True):
        unit = width >> PRECISION
        low += unit * start
        width = unit * part
        shift = max(0, STATE - width.bit_length())
        low, width, taken = low << shift, width << shift, taken + shift
    for count in range(max(0, taken - width.bit_length()), taken + 1):
        step = taken - count
        head = -(-low >> step)  # the first of so many bits that does not lie below the interval
        if head + 1 << step <= low + width:
            break
    return (head << -count % 8).to_bytes((count + 7) // 8, "big"), count


def decode_messages(messages: NDArray[np.uint8], tables: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
    """Many messages at once, each of as many symbols as there are tables.

    Args:
        messages: uint8 [message, byte]; what lies behind a message's bits does not matter.
        tables: [symbol, size + 1], cumulative from 0 to 2^PRECISION, of each symbol.

    Returns:
        int64 [message, symbol], places in the tables. Bytes that are no message give some symbols as well.
    """
    count, room = messages.shape
    padded = np.concatenate([messages, np.zeros((count, STATE // 8 + 2 * WINDOW), np.uint8)], axis=1).astype(np.int64)
    at = np.full(count, STATE)
    offset = np.zeros(count, np.int64)
    for index in range(STATE // 8):
        offset = (offset << 8) | padded[:, index]
    offset = (offset << STATE % 8) | (padded[:, STATE // 8] >> 8 - STATE % 8)
    width = np.full(count, 1 << STATE, np.int64)
    rows, found = np.arange(count), np.empty((count, len(tables)), np.int64)
    for index, table in enumerate(tables.astype(np.int64)):
        unit = width >> PRECISION
        place = np.minimum(offset // unit, (1 << PRECISION) - 1)
        symbol = np.searchsorted(table, place, side="right") - 1
        found[:, index] = symbol
        offset -= unit * table[symbol]
        width = unit * (table[symbol + 1] - table[symbol])
        # exact in float64: the width has at least STATE − 2·PRECISION − 1 bits, of which the first are enough
        shift = np.maximum(0, STATE - 20 - np.frexp((width >> 20).astype(np.float64))[1])
        first = np.minimum(at >> 3, room + STATE // 8)  # behind the message there are zeros
        window = np.zeros(count, np.int64)
        for byte in range(WINDOW):
            window = (window << 8) | padded[rows, first + byte]
        bits = (window >> 8 * WINDOW - (at & 7) - shift) & (1 << shift) - 1
        offset, width, at = (offset << shift) | bits, width << shift, at + shift
    return found
