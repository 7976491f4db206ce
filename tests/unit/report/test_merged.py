"""Runs drawn as one: SNRs that join a curve, training seeds that become one."""

import math

import pytest

from hil.errors import ConfigError
from hil.report.merged import merged
from hil.results.document import read_results
from tests.conftest import ROOT


@pytest.fixture(scope="module")
def demo():
    return read_results(ROOT / "tests" / "golden" / "v1" / "demo" / "results.json")


def at(document, wanted):
    """The rows of some SNRs, and those of none."""
    rows = [row for row in document.points if row.snr_db_target is None or wanted(row.snr_db_target)]
    return document.with_(points=rows)


def reseeded(document, seed, shift):
    """The same as measured with networks of another seed, whose headline lies so much higher."""

    def of(row):
        if row.training_seed is None or row.source == "noiseless":
            return row if row.source != "noiseless" else None
        name, value = row.headline
        metrics = row.metrics | {name: value.model_copy(update={"value": value.value + shift})}
        return row.model_copy(update={"training_seed": seed, "metrics": metrics})

    return document.with_(points=[row for row in map(of, document.points) if row is not None])


def curve(document, scheme="jscc-single"):
    return {row.snr_db_target: row for row in document.points if (row.scheme, row.source) == (scheme, "air")}


def test_snrs_of_two_runs_join_one_curve(demo):
    whole = merged({"low": at(demo, lambda snr: snr < 3), "high": at(demo, lambda snr: snr >= 3)})
    assert {name: row.headline[1] for name, row in curve(whole).items()} == {
        name: row.headline[1] for name, row in curve(demo).items()
    }
    assert len(whole.points) == len(demo.points)
    assert whole.comparisons == whole.means == []


def test_training_seeds_are_one_curve_with_students_interval(demo):
    whole = merged({"monday": demo, "tuesday": reseeded(demo, 2, 0.02), "friday": reseeded(demo, 3, 0.04)})
    assert set(curve(whole)) == set(curve(demo))
    for snr, row in curve(whole).items():
        first = curve(demo)[snr].headline[1].value
        name, value = row.headline
        assert value.value == pytest.approx(first + 0.02)
        half = 4.3027 * 0.02 / math.sqrt(3)  # Student's t of two degrees of freedom
        assert value.ci == pytest.approx((first + 0.02 - half, first + 0.02 + half), abs=1e-5)
        assert value.ci_note == "over 3 training seeds, by Student"
        assert row.model_dump()[name] == value.value
        assert row.training_seed is None
    assert not [row.scheme for row in whole.points if "@" in row.scheme]
    assert {tuple(one.seeds) for one in whole.seeds} == {(1, 2, 3)}


def test_what_is_no_part_of_a_curve_is_refused(demo):
    with pytest.raises(ConfigError, match=r"jscc-single at -6 dB \(air, link\) is in a and in b; .*--together"):
        merged({"a": demo, "b": demo})
    with pytest.raises(ConfigError, match=r"b is of another bench \(n210\) than a \(builtin\)"):
        merged({"a": demo, "b": demo.with_(bench="n210")})
    with pytest.raises(ConfigError, match=r"b is of other data \(other\)"):
        merged({"a": demo, "b": demo.with_(dataset={"fingerprint": "other"})})
    low, high = at(demo, lambda snr: snr < 3), at(demo, lambda snr: snr >= 3)
    rows = [
        row.model_copy(update={"metrics": {name: one.model_copy(update={"value": 0.5}) for name, one in row.metrics.items()}})
        for row in high.points
    ]
    with pytest.raises(ConfigError, match=r"is not the same network in low and in high: without a channel it has another top1"):
        merged({"low": low, "high": high.with_(points=rows)})
