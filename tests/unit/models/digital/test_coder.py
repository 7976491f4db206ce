"""The arithmetic coder: an exact inverse, close to the entropy, ended to the bit."""

import numpy as np
import pytest

from hil.models.digital.coder import decode_messages, encode_message, longest_message
from hil.models.digital.tables import PRECISION, integer_tables, table_bits

TOTAL = 1 << PRECISION


def drawn(rng, tables, count):
    """Symbols [message, symbol] as the tables say."""
    places = rng.integers(0, TOTAL, (count, len(tables)))
    return np.stack([np.searchsorted(table, place, side="right") - 1 for table, place in zip(tables, places.T, strict=True)], 1)


def encoded(tables, symbols):
    place = np.arange(len(tables))
    starts = tables[place, symbols]
    return encode_message(starts.tolist(), (tables[place, symbols + 1] - starts).tolist())


def packed(messages, room=0):
    """Messages as rows of bytes, filled up with noise that must not matter."""
    rng = np.random.default_rng(9)
    out = rng.integers(0, 256, (len(messages), max(room, max(len(data) for data, _ in messages))), np.uint8)
    for row, (data, bits) in zip(out, messages, strict=True):
        own = np.unpackbits(row)
        own[:bits] = np.unpackbits(np.frombuffer(data, np.uint8))[:bits]
        row[:] = np.packbits(own)
    return out


def test_it_is_its_own_inverse_on_a_thousand_random_tables_whatever_follows_the_message():
    rng = np.random.default_rng(1)
    skews = rng.choice([0.02, 0.1, 1.0, 50.0], (1000, 1))
    tables = integer_tables(rng.gamma(np.broadcast_to(skews, (1000, 50))) + 1e-12)
    symbols = drawn(rng, tables, 6)
    symbols[0], symbols[1] = (np.diff(tables) > 0).argmax(1), np.where(np.diff(tables) > 0, np.diff(tables), TOTAL).argmin(1)
    messages = [encoded(tables, row) for row in symbols]
    assert np.array_equal(decode_messages(packed(messages), tables), symbols)
    assert max(len(data) for data, _ in messages) <= longest_message(1000)


def test_a_long_message_takes_hardly_more_than_its_entropy():
    rng = np.random.default_rng(2)
    tables = np.broadcast_to(integer_tables(rng.dirichlet(np.full(12, 0.4), 1)), (100_000, 13))
    places = rng.integers(0, TOTAL, 100_000)
    symbols = np.searchsorted(tables[0], places, side="right") - 1
    entropy = table_bits(tables, symbols).sum()
    _, bits = encoded(tables, symbols)
    assert bits <= 1.005 * entropy + 64
    assert bits <= entropy + 2.01  # no state is lost to words or carries


def test_short_messages_end_within_two_bits_of_their_entropy():
    rng = np.random.default_rng(3)
    for skew, length in ((0.05, 8), (0.3, 3), (1.0, 1), (0.3, 64)):
        tables = integer_tables(rng.dirichlet(np.full(30, skew), length))
        symbols = drawn(rng, tables, 200)
        bits = np.array([encoded(tables, row)[1] for row in symbols])
        entropy = table_bits(tables, symbols).sum(1)
        assert (bits < entropy + 2.001).all()
        assert (bits > entropy - 0.001).all()


def test_what_is_certain_takes_no_bit_and_the_rarest_has_room():
    certain = integer_tables(np.eye(5))
    assert encoded(certain, np.arange(5)) == (b"", 0)
    assert np.array_equal(decode_messages(np.zeros((2, 1), np.uint8), certain), [np.arange(5)] * 2)
    rare = np.tile(integer_tables(np.array([[1.0, 1e-5]])), (64, 1))
    data, bits = encoded(rare, np.ones(64, np.int64))
    assert 64 * 16 <= bits <= 64 * 16 + 2
    assert len(data) <= longest_message(64)
    assert (decode_messages(packed([(data, bits)]), rare) == 1).all()


def test_bytes_that_are_no_message_are_decoded_to_something():
    rng = np.random.default_rng(4)
    tables = integer_tables(rng.dirichlet(np.full(7, 0.2), 30))
    found = decode_messages(rng.integers(0, 256, (50, 3), np.uint8), tables)
    assert found.min() >= 0
    assert found.max() < 7


@pytest.mark.parametrize("size", [2, 64, 300])
def test_tables_sum_exactly_and_leave_out_only_what_is_negligible(size):
    rng = np.random.default_rng(size)
    probability = rng.dirichlet(np.full(size, 0.05), 100)
    tables = integer_tables(probability)
    widths = np.diff(tables)
    assert (tables[:, 0] == 0).all()
    assert (tables[:, -1] == TOTAL).all()
    assert (widths >= 0).all()
    assert (widths[probability >= 1 / TOTAL] >= 1).all()
    assert np.abs(widths / TOTAL - probability).max() < 2 * size / TOTAL
