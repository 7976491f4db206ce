"""Air against simulation: on answers made by hand, whose difference and verdict are known."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from hil.results.agreement import Pair, agreement_rows
from tests.unit.results.answers import GOALS, row, sample_of

CLUSTERS = torch.arange(200).repeat_interleave(4)


def shares(mean, seed=0, count=800):
    return torch.from_numpy((np.random.default_rng(seed).random(count) < mean).astype(np.float64))


def pair(air, simulated, *, frame=None, **more):
    """One point; every distinct task answered once by each."""
    loss = more.get("goal") == "errors"
    metric = {"metric": "loss", "unit": "dB", "better": "lower"} if loss else {}
    name = "loss" if loss else "right"
    samples = {"air": sample_of(**{name: air}, frame=frame), "simulated": sample_of(**{name: simulated})}
    return Pair(row=row(**metric, **more), **samples, clusters=CLUSTERS)


def one(item, **more):
    (found,), means = agreement_rows([item], GOALS)
    assert means == []  # of a single SNR
    return found


def test_the_difference_is_the_mean_over_tasks_and_its_error_is_over_people():
    air, simulated = shares(0.6), shares(0.6, 1)
    found = one(pair(air, simulated))
    delta = (air - simulated).view(200, 4).mean(1).numpy()
    assert found.difference == pytest.approx(float((air - simulated).mean()))
    assert found.standard_error == pytest.approx(delta.std(ddof=1) / 200**0.5, rel=2e-3)  # half a cluster of the prior
    assert found.ci == pytest.approx(
        (found.difference - 1.972 * found.standard_error, found.difference + 1.972 * found.standard_error), abs=1e-4
    )
    assert found.simultaneous_ci == pytest.approx(found.ci)  # the only one of its family
    assert (found.scheme, found.goal, found.snr_db_target, found.snr_basis) == ("a", "shares", 3.0, "effective")
    assert found.family == "1 differences of air and simulation: shares"


def turned(count):
    """Answers of which so many are right over the air and wrong simulated, and all others equal."""
    air = shares(0.5, 1)
    simulated = air.clone()
    people = torch.arange(800).view(200, 4).T.reshape(-1)[:count]  # one a person, while they last
    air[people], simulated[people] = 1.0, 0.0
    return air, simulated


@pytest.mark.parametrize(("gap", "verdict"), [(0.0, "inside"), (0.01, "inside"), (0.03, "undetermined"), (0.06, "beyond")])
def test_a_verdict_is_where_the_simultaneous_interval_lies(gap, verdict):
    air, simulated = turned(int(gap * 800))
    for sign, pair_ in ((1, pair(air, simulated)), (-1, pair(simulated, air))):
        found = one(pair_)
        assert found.difference == pytest.approx(sign * gap, abs=1e-9)
        assert (found.verdict, found.outside_bound) == (verdict, verdict == "beyond")
        low, high = found.simultaneous_ci
        assert {"inside": low >= -0.03 and high <= 0.03, "beyond": low > 0.03 or high < -0.03}.get(verdict, True)


def test_with_few_answers_agreement_is_undetermined_not_confirmed():
    few = Pair(
        row=row(), air=sample_of(right=shares(0.5, count=60)), simulated=sample_of(right=shares(0.5, count=60)),
        clusters=torch.arange(60) // 4,
    )  # fmt: skip
    assert one(few).verdict == "undetermined"


def test_the_bound_has_the_headlines_unit():
    assert one(pair(shares(0.5), shares(0.5), goal="errors")).bound == 0.3  # dB
    assert one(replace(pair(shares(0.5), shares(0.5)), basis="channel")).snr_basis == "channel"


def test_intervals_widen_with_the_number_of_points_of_one_goal():
    items = [pair(shares(0.5, seed), shares(0.5, seed + 50), scheme=f"s{seed}") for seed in range(8)]
    alone = one(items[0])
    of_eight, _ = agreement_rows(items, GOALS)
    width = [found.simultaneous_ci[1] - found.simultaneous_ci[0] for found in (alone, of_eight[0])]
    assert width[1] / width[0] == pytest.approx(2.73 / 1.96, rel=0.02)  # eight independent schemes: Šidák
    assert of_eight[0].ci == pytest.approx(alone.ci)
    mixed, _ = agreement_rows([items[0], pair(shares(0.5), shares(0.5, 1), goal="errors")], GOALS)
    assert mixed[0].simultaneous_ci == pytest.approx(alone.simultaneous_ci)  # each goal by itself


def test_an_error_that_frames_share_is_in_the_interval():
    """Ten frames that are off by ±10 points, in turn: no answer of a person says so."""
    excess = []
    for seed in range(30):
        order = torch.from_numpy(np.random.default_rng(seed).permutation(800))
        frame, place = order % 10, order // 10  # of 80 in a frame
        air = (place < torch.where(frame % 2 == 0, 48, 32)).double()
        simulated = torch.full((800,), 0.5, dtype=torch.float64)
        apart, shared = one(pair(air, simulated)), one(pair(air, simulated, frame=frame))
        assert shared.difference == apart.difference
        assert shared.ci[0] < apart.ci[0] < apart.ci[1] < shared.ci[1]
        excess.append(shared.standard_error**2 - apart.standard_error**2)
    truth = 10 * (0.1 / 10) ** 2 / 0.9 - 0.25 / 800  # of the frames' totals, less what chance makes of as many answers
    assert np.mean(excess) == pytest.approx(truth, rel=0.15)


def test_each_schemes_mean_over_its_snrs_is_judged_with_them():
    items = [
        pair(shares(0.5, seed), shares(0.5, seed + 50), scheme=name, snr_db_target=snr)
        for seed, (name, snr) in enumerate([("a", 0.0), ("a", 3.0), ("a", 6.0), ("b", 0.0)])
    ]
    points, means = agreement_rows(items, GOALS)
    assert len(points) == 4
    (mean,) = means  # of b there is one SNR
    assert (mean.first, mean.second, mean.snrs, mean.snr_db, mean.source) == ("a", "simulation", 3, (0.0, 6.0), "air")
    assert mean.value == pytest.approx(sum(item.difference for item in points[:3]) / 3)
    delta = sum(item.air.tasks.values["right"] - item.simulated.tasks.values["right"] for item in items[:3]) / 3
    error = float(delta.view(200, 4).mean(1).std()) / 200**0.5  # a person's answers at all SNRs stay together
    assert mean.ci[1] - mean.ci[0] == pytest.approx(2 * 1.972 * error, rel=0.01)
    assert mean.simultaneous_ci[0] < mean.ci[0]
    assert {item.family for item in (*points, *means)} == {"5 differences of air and simulation: shares"}


def test_an_error_of_the_snr_that_was_drawn_at_is_in_the_interval_by_the_curves_slope():
    """Shares of 0.5 and 0.7 at 0 and 3 dB: 0.847 in log odds, so a share of 0.5 moves by 0.0706 a dB."""
    one_, other = shares(0.5, 3), shares(0.7, 4)
    sharp = [pair(one_, one_, snr_db_target=0.0), pair(other, other, snr_db_target=3.0)]
    sharp = [replace(item, drawn_at_db=(snr_db, 0.0)) for item, snr_db in zip(sharp, (0.0, 3.0), strict=True)]
    blurred = [replace(item, drawn_at_db=(item.drawn_at_db[0], 0.2)) for item in sharp]
    low, high = (float(values.mean()) for values in (one_, other))
    slope = (np.log(high / (1 - high)) - np.log(low / (1 - low))) / 3 * low * (1 - low)
    found = [agreement_rows(pairs, GOALS)[0][0] for pairs in (sharp, blurred)]
    assert found[0].difference == found[1].difference == 0
    more = found[1].standard_error ** 2 - found[0].standard_error ** 2  # the clusters' prior is in both
    assert more**0.5 == pytest.approx(0.2 * slope, rel=0.02)


def test_which_tasks_a_frame_holds_is_no_error_that_it_shares():
    """Eight frames of pictures whose levels differ by 3 dB, answered alike to 0.3 dB: the error is that of answers alone."""
    rng = np.random.default_rng(5)
    level, frame = 20 + 3 * rng.standard_normal(800), torch.arange(800) // 100
    air, simulated = (torch.from_numpy(level + 0.3 * rng.standard_normal(800)) for _ in range(2))
    found = one(replace(pair(air, simulated, frame=frame, goal="errors"), clusters=torch.arange(800)))
    assert found.standard_error == pytest.approx(0.3 * (2 / 800) ** 0.5, rel=0.4)  # and what eight frames happen to differ by
    assert found.verdict == "inside"
    assert found.difference == pytest.approx(float((air - simulated).mean()))


def test_an_answer_is_held_against_the_mean_of_its_tasks_draws():
    """Two tasks, one answered twice over the air and both three times in simulation: every task counts the same."""
    air = sample_of(loss=torch.tensor([1.0, 3.0, 10.0], dtype=torch.float64), index=[0, 0, 1])
    draws = {"index": [0, 1] * 3, "draw": [0, 0, 1, 1, 2, 2]}
    simulated = sample_of(loss=torch.tensor([0.0, 6.0, 1.0, 7.0, 2.0, 8.0], dtype=torch.float64), **draws)
    loss = {"metric": "loss", "unit": "dB", "better": "lower", "goal": "errors"}
    found = one(Pair(row=row(**loss), air=air, simulated=simulated, clusters=torch.arange(2)))
    assert found.difference == pytest.approx(((2 - 1) + (10 - 7)) / 2)
