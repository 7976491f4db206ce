"""Means over training seeds: by hand, and what is left out."""

import math

import pytest

from hil.results.document import MetricValue, Row, method_of
from hil.results.seeds import mean_over_seeds


def row(scheme, seed, value, *, target=0.0, source="simulation", **more):
    return Row(
        scheme=scheme, kind="measured", goal="retrieval", goal_version=1, source=source, snr_basis="link", energy="per_use",
        snr_db_target=target, tasks=10, training_seed=seed,
        metrics={"top1": MetricValue(value=value, n=10, unit="share", better="higher", headline=True)}, **more,
    )  # fmt: skip


FIRST, SECOND = {1: 0.70, 2: 0.74, 3: 0.75}, {1: 0.60, 2: 0.66, 3: 0.63}


def named(method, seed):
    return method if seed == 1 else f"{method}@{seed}"


def rows(**more):
    return [
        row(named(method, seed), seed, value, **more)
        for method, values in (("noma", FIRST), ("oma", SECOND))
        for seed, value in values.items()
    ]


def test_means_and_paired_differences_are_students():
    noma, oma, difference = mean_over_seeds(rows())
    assert (noma.first, noma.second, noma.seeds) == ("noma", None, [1, 2, 3])
    assert noma.value == pytest.approx(0.73)
    spread = math.sqrt((0.03**2 + 0.01**2 + 0.02**2) / 2)
    assert noma.spread == pytest.approx(spread)
    half = 4.302653 * spread / math.sqrt(3)  # t of two degrees of freedom, from tables
    assert noma.ci == pytest.approx((0.73 - half, 0.73 + half), rel=1e-3)
    assert oma.value == pytest.approx(0.63)
    assert (difference.first, difference.second) == ("noma", "oma")
    assert difference.value == pytest.approx(0.10)
    assert difference.spread == pytest.approx(0.02)


def test_one_network_says_nothing_of_its_method():
    assert mean_over_seeds([row("noma", 1, 0.7), row("oma", 1, 0.6)]) == []
    assert mean_over_seeds(rows(source="noiseless")) == []
    assert mean_over_seeds(rows(ended="the radio")) == []
    assert method_of("jscc-noma@12") == "jscc-noma"


def test_snrs_and_sources_are_kept_apart():
    found = mean_over_seeds([*rows(target=0.0), *rows(target=3.0), *rows(target=3.0, source="air")])
    assert [(one.snr_db_target, one.source) for one in found if one.first == "noma" and one.second is None] == [
        (0.0, "simulation"), (3.0, "simulation"), (3.0, "air"),
    ]  # fmt: skip
