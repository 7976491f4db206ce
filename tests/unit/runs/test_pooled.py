"""The noise of a run, whatever the order in which its points come; rows against it; silences of a capture."""

from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from hil.captures import Capture
from hil.config import validate
from hil.points.link import LinkRecord
from hil.points.noise import Silence
from hil.points.spec import PointSpec
from hil.runs.pooled import NoiseBook, row_against, stored_silences
from hil.runs.replay import collect_point
from tests.unit.results.answers import row

GOLDEN = Path(__file__).resolve().parents[2] / "golden" / "v1"


def record(noise, at, frames=8, seed=1):
    """Frames of signal 1 in a noise, at a time."""
    rng = np.random.default_rng(seed)
    silences = tuple(
        Silence(at=at + k, symbol=rng.gamma(52, noise / 52), lead=rng.gamma(208, noise / 208), windows=4) for k in range(frames)
    )
    return LinkRecord(
        signal=np.full((frames, 1), 1.0), error=np.full(frames, 0.12), blocks=np.arange(frames), whole_error=0.12,
        silences=silences, active=52, sounding=8, uses=4000, fading=False,
    )  # fmt: skip


def booked(records, order):
    book = NoiseBook()
    for number in order:
        book.add(number, {"rx": records[number]})
    return book, book.settle()


def test_points_share_one_noise_in_whatever_order_they_come():
    records = {number: record(0.1, 1000 * number, seed=number) for number in range(1, 7)}
    book, (said,) = booked(records, [1, 2, 3, 4, 5, 6])
    other, again = booked(records, [4, 6, 1, 3, 2, 5])
    assert again == [said]
    assert (said.receiver, said.pool, said.points, said.looks) == ("rx", "run", 6, 6 * 8 * 5 * 52)
    assert said.noise_dbfs == pytest.approx(-10.0, abs=0.15)
    assert {book.level(number, "rx") for number in records} == {other.level(3, "rx")}


def test_where_noise_drifts_each_point_has_its_own():
    records = {number: record(0.1 * (1 + 0.1 * number), 1000 * number, seed=number) for number in range(1, 7)}
    book, (said,) = booked(records, list(records))
    assert said.pool == "point"
    assert said.trend_db > 0.5
    assert len({book.level(number, "rx").power for number in records}) == 6


def test_a_row_stands_against_the_noise_it_is_given():
    records = {number: record(0.1, 1000 * number, seed=number) for number in range(1, 7)}
    book, _ = booked(records, list(records))
    snr = records[1].snr(book.level(1, "rx"))
    found = row_against(row("a", extra=5), snr)
    assert found.snr_db == pytest.approx(snr.snr_db)
    assert found.receiver_loss_db == pytest.approx(found.snr_mean_db - found.snr_eff_db)
    assert (found.noise_pool, found.noise_looks) == ("run", 6 * 8 * 5 * 52)
    assert (found.scheme, found.extra) == ("a", 5)
    low, high = found.receiver_loss_db_ci
    assert low < found.receiver_loss_db < high


@pytest.mark.parametrize("name", ["single", "oma", "noma"])
def test_silences_of_a_capture_are_those_of_receiving_it(name):
    """So that a replay of some points pools over all of them, as the live run did."""
    with Capture.open(GOLDEN / name / "capture.h5") as capture:
        points = [one for one in capture.points if one.attrs.get("kind") == "point"]
        for point in points:
            spec = validate(PointSpec, point.attrs["spec"], "point")
            received, _, _ = collect_point(capture, point, spec)
            for reception in spec.receptions:
                stored = stored_silences(capture, point, spec, reception.name)
                assert len(stored) > 0
                for one, other in zip(stored, received[reception.name].record.silences, strict=True):
                    assert (one.at, one.windows) == (other.at, other.windows)
                    assert (one.symbol, one.lead) == pytest.approx((other.symbol, other.lead), rel=1e-5)


def test_what_is_shown_while_measuring_is_against_all_noise_until_then():
    """One point's few looks at silence err; the last line of a run stands where its result does."""

    class Received(SimpleNamespace):
        def against(self, level):
            return Received(record=self.record, snr=self.record.snr(level))

    @dataclass(frozen=True)
    class Point:
        spec: SimpleNamespace
        collections: dict
        rows: dict

        def of(self, receiver):
            return self.collections["rx"]

    book, shown = NoiseBook(), []
    for number in range(1, 9):
        one = record(0.1, 1000 * number, frames=1, seed=number)
        rows = {("retrieval", None): row_against(row("a"), one.snr())}
        point = Point(SimpleNamespace(first_frame=number), {"rx": Received(record=one, snr=one.snr())}, rows)
        shown += book.so_far(point)
        assert shown[-1].noise_looks == number * 5 * 52
    assert abs(shown[-1].snr_db[0] - 10) < 0.2
    assert np.diff([one.snr_db_error[0] for one in shown]).max() < 0
    (said,) = book.settle()
    assert shown[-1].noise_looks == said.looks
