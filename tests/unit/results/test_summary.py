"""What rows say together: who is first, how many points agree, gap and loss of each scheme."""

import pytest

from hil.results.document import Agreement, MeanOverSnrs
from hil.results.summary import summary
from tests.unit.results.answers import row


def agreed(difference, verdict="inside", scheme="a", **more):
    return Agreement(
        scheme=scheme, goal="shares", snr_basis="effective", snr_db_target=3.0, difference=difference, standard_error=0.01,
        simultaneous_ci=(difference - 0.02, difference + 0.02), bound=0.03, verdict=verdict, outside_bound=verdict == "beyond",
        **more,
    )  # fmt: skip


def test_schemes_are_ordered_from_best_to_worst():
    rows = [row("a", value=0.5), row("b", value=0.7), row("c", value=0.6)]
    (order,) = summary(rows, [])["order"]
    assert order["schemes"] == ["b", "c", "a"]
    assert order["metric"] == "right"
    assert order["right"] == [0.7, 0.6, 0.5]
    assert (order["goal"], order["source"], order["snr_db_target"], order["energy"]) == ("shares", "air", 3.0, "per_use")


def test_where_less_is_better_the_least_is_first():
    of = {"goal": "errors", "metric": "loss", "unit": "dB", "better": "lower"}
    (order,) = summary([row("a", value=5.0, **of), row("b", value=3.0, **of), row("c", value=4.0, **of)], [])["order"]
    assert order["schemes"] == ["b", "c", "a"]
    assert order["loss"] == [3.0, 4.0, 5.0]


def test_a_scheme_without_a_figure_is_last():
    of = {"goal": "errors", "metric": "loss", "unit": "dB", "better": "lower"}
    for more in ({}, of):
        rows = [row("a", value=None, **more), row("b", value=0.2, **more), row("c", value=0.4, **more)]
        (order,) = summary(rows, [])["order"]
        assert order["schemes"][-1] == "a"


def test_orders_are_kept_apart():
    rows = [
        row("a"), row("b"), row("a", snr_db_target=6.0), row("b", goal="other"), row("a", source="simulation"),
        row("b", energy="per_task"), row("a", receiver="far"), row("x", snr_db_target=None, source="noiseless"),
    ]  # fmt: skip
    assert len(summary(rows, [])["order"]) == 1  # a and b, once together


def test_points_that_agree_those_that_do_not_and_the_undetermined_are_counted():
    verdicts = ["inside"] * 4 + ["undetermined"] * 2 + ["beyond"]
    items = [agreed(0.0, verdict) for verdict in verdicts] + [agreed(0.0, "beyond").model_copy(update={"goal": "other"})]
    counts = summary([], items)["agreement"]
    common = {"snr_basis": "effective", "bound": 0.03}
    assert counts == [
        {"goal": "shares", **common, "points": 7, "inside": 4, "undetermined": 2, "beyond": 1},
        {"goal": "other", **common, "points": 1, "inside": 0, "undetermined": 0, "beyond": 1},
    ]


def test_the_gap_and_the_loss_of_each_scheme():
    items = [agreed(0.01), agreed(0.02), agreed(-0.3, scheme="b")]
    mean = MeanOverSnrs(
        goal="shares", source="air", snr_basis="effective", energy="per_use", first="a", second="simulation", snr_db=(0.0, 3.0),
        snrs=2, value=0.015, ci=(0.0, 0.03), simultaneous_ci=(-0.01, 0.04),
    )  # fmt: skip
    rows = [row("a", receiver_loss_db=0.3), row("a", snr_db_target=6.0, receiver_loss_db=0.7), row("b"), row("c")]
    schemes = summary(rows, items, [mean])["schemes"]
    assert schemes["a"] == {
        "mean_air_minus_simulation": pytest.approx(0.015),
        "mean_air_minus_simulation_by_goal": {"shares": pytest.approx(0.015)},
        "mean_air_minus_simulation_ci_by_goal": {"shares": (-0.01, 0.04)},
        "largest_receiver_loss_db": 0.7,
    }
    assert schemes["b"]["mean_air_minus_simulation_ci_by_goal"] == {}
    assert schemes["c"]["mean_air_minus_simulation"] is None
    assert schemes["c"]["largest_receiver_loss_db"] is None
