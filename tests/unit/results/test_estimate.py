"""What clusters contribute to the error of a metric: closed forms, and the scatter of repeated experiments."""

import math

import numpy as np
import pytest
import torch

from hil.errors import ShapeError
from hil.goals.contract import Metric
from hil.goals.detection.precision import MAP50
from hil.goals.image.goal import PSNR_OF_MEAN
from hil.results.estimate import GROUPS, aligned, blended, estimate
from hil.results.intervals import Claims, judged
from tests.unit.results.answers import sample_of

LEVEL = Metric(name="level", unit="dB", better="higher", worst=0.0, headline=True)
HITS = Metric(name="hit", unit="share", better="higher", worst=0.0, headline=True)


def variance(found):
    return float(found.clusters @ found.clusters)


def test_clusters_of_a_mean_by_hand():
    found = estimate(HITS, sample_of(hit=[1.0, 1.0, 0.0, 0.0]), torch.tensor([5, 5, 9, 9]))
    # Totals of (hit − ½)/4 are ±¼, each half of the mean: /√(1 − ½). Variance 2/16/½ = ¼.
    assert found.value == 0.5
    assert found.clusters.tolist() == pytest.approx([0.125**0.5, -(0.125**0.5)])
    assert variance(found) == pytest.approx(0.25)
    assert found.tasks.tolist() == [0.125, 0.125, -0.125, -0.125]
    assert (found.distinct, found.effective, found.frames, found.excess) == (4, 2.0, None, 0.0)


def test_alone_in_their_clusters_tasks_vary_as_independent_ones():
    values = torch.from_numpy(np.random.default_rng(1).random(50))
    found = estimate(HITS, sample_of(hit=values), torch.arange(50))
    assert variance(found) == pytest.approx(float(values.var()) / 50)  # n − 1 in it
    assert found.effective == pytest.approx(50)


def test_unequal_clusters_are_worth_fewer():
    found = estimate(HITS, sample_of(hit=[1.0] * 9 + [0.0]), torch.tensor([0] * 9 + [1]))
    assert found.value == pytest.approx(0.9)
    assert found.effective == pytest.approx((0.9**2 + 0.1**2) ** 2 / (0.9**4 + 0.1**4))


def test_a_task_answered_often_counts_as_often_or_once():
    sample = sample_of(hit=[1.0, 1.0, 1.0, 0.0], index=[0, 0, 0, 1])
    assert estimate(HITS, sample, torch.arange(2)).value == 0.75
    assert estimate(HITS, sample, torch.arange(2), balanced=True).value == 0.5
    mse = sample_of(mse=[0.1, 0.1, 0.1, 0.3], index=[0, 0, 0, 1])
    assert estimate(PSNR_OF_MEAN, mse, torch.arange(2)).value == pytest.approx(-10 * math.log10(0.15))
    assert estimate(PSNR_OF_MEAN, mse, torch.arange(2), balanced=True).value == pytest.approx(-10 * math.log10(0.2))


def test_repeating_every_answer_changes_no_cluster():
    rng = np.random.default_rng(2)
    hits, clusters = (rng.random(60) < 0.6).astype(float), torch.arange(60) // 6
    once = estimate(HITS, sample_of(hit=hits), clusters)
    often = estimate(HITS, sample_of(hit=np.tile(hits, 5), index=np.tile(np.arange(60), 5)), clusters)
    assert often.value == pytest.approx(once.value)
    assert often.clusters == pytest.approx(once.clusters)
    assert often.tasks == pytest.approx(once.tasks)


def test_clusters_that_were_not_answered_contribute_nothing():
    found = estimate(HITS, sample_of(hit=[1.0, 0.0], index=[0, 3]), torch.tensor([0, 1, 1, 2]))
    assert found.clusters.tolist() == pytest.approx([0.125**0.5, 0.0, -(0.125**0.5)])
    assert found.distinct == 2


# --- frames


def test_what_frames_share_is_seen_beyond_chance():
    """Four frames of 100 answers whose shares are .8, .8, .2, .2; within a frame nothing else is shared."""
    share = np.repeat([0.8, 0.8, 0.2, 0.2], 100)
    hits = (np.tile(np.arange(100), 4) < 100 * share).astype(float)
    frame = torch.arange(4).repeat_interleave(100)
    found = estimate(HITS, sample_of(hit=hits, frame=frame), torch.arange(400))
    between = 4 * (0.3 / 4) ** 2 / (1 - 1 / 4)  # each frame's total is ±.3/4, a quarter of the mean
    chance = 0.25 / 400  # of independent answers: p(1 − p)/n
    assert found.excess == pytest.approx(between - chance)
    assert found.frames == 4
    mixed = estimate(HITS, sample_of(hit=hits, frame=torch.arange(400) % 4), torch.arange(400))
    assert mixed.excess == 0.0  # every frame has the same hits
    alone = estimate(HITS, sample_of(hit=hits, frame=torch.zeros(400, dtype=torch.int64)), torch.arange(400))
    assert (alone.excess, alone.frames) == (0.0, 1)


@pytest.mark.parametrize("shared", [0.0, 0.4])
def test_both_clusters_together_are_the_scatter_of_experiments(shared):
    """Identities (σ = 1), frames (σ = shared) and tasks (σ = 1) add up; tasks are dealt out to frames by chance."""
    rng = np.random.default_rng(3)
    clusters, frame = torch.arange(480) % 40, torch.from_numpy(rng.permutation(480) // 40)
    means, variances = [], []
    for _ in range(400):
        values = rng.normal(size=40)[clusters] + shared * rng.normal(size=12)[frame] + rng.normal(size=480)
        metric = Metric(name="level", unit="dB", better="higher", worst=0.0)
        found = estimate(metric, sample_of(level=values, frame=frame), clusters)
        means.append(found.value)
        variances.append(variance(found) + found.excess)
    truth = 1 / 40 + shared**2 / 12 + 1 / 480
    assert np.var(means) == pytest.approx(truth, rel=0.2)
    # Clipped at 0, what frames share is never negative, so a little is seen where there is none.
    assert np.mean(variances) == pytest.approx(truth, rel=0.06)


# --- metrics that are no means


def errors(rng, count):
    """Squared errors of images, mean 0.01, standard deviation 0.01/√2."""
    return 0.01 * rng.gamma(2.0, 0.5, count)


def test_left_out_groups_give_the_error_of_the_delta_method():
    mse = errors(np.random.default_rng(4), 90)
    found = estimate(PSNR_OF_MEAN, sample_of(mse=mse), torch.arange(90))
    slope = 10 / math.log(10) / mse.mean()
    assert found.value == pytest.approx(-10 * math.log10(mse.mean()))
    assert variance(found) == pytest.approx(slope**2 * mse.var(ddof=1) / 90, rel=0.03)


def test_clusters_are_left_out_whole():
    """Six copies of each image in one cluster: the error is that of the images, not of their copies."""
    mse = errors(np.random.default_rng(5), 60)
    once = estimate(PSNR_OF_MEAN, sample_of(mse=mse), torch.arange(60))
    copies = sample_of(mse=np.repeat(mse, 6))
    whole = estimate(PSNR_OF_MEAN, copies, torch.arange(60).repeat_interleave(6))
    assert variance(whole) == pytest.approx(variance(once))
    apart = estimate(PSNR_OF_MEAN, copies, torch.arange(360))
    assert variance(apart) == pytest.approx(variance(once) / 6, rel=0.25)  # groups of three at random
    assert len(apart.clusters) == GROUPS


def test_a_number_not_defined_without_some_cluster_says_so():
    recall = Metric(
        name="recall", unit="share", better="higher", worst=0.0,
        aggregate=lambda values, weights: (weights @ (values["own"] & values["hit"]).double())
        / (weights @ values["own"].double()),
    )  # fmt: skip
    own = torch.arange(12) == 0
    found = estimate(recall, sample_of(own=own, hit=own), torch.arange(12))
    assert found.value == 1.0
    assert np.isnan(found.clusters).tolist() == own.tolist()


def detections(right, rng):
    """Images with one object and two detections of one class; the better one is right or not."""
    count = len(right)
    first = np.where(right, rng.beta(4, 2, count), rng.beta(2, 4, count))
    return sample_of(
        score=np.stack([first, rng.beta(2, 5, count)], 1).clip(1e-6),
        label=np.zeros((count, 2), np.int64),
        voc=np.stack([right, np.zeros(count, bool)], 1),
        objects=np.ones((count, 1), np.int64),
    )


def test_the_error_of_a_difference_of_average_precisions_is_its_scatter():
    """Both detectors are right on the same easy images: contributions stay paired."""
    rng = np.random.default_rng(6)
    values, stated, alone = [], [], []
    for _ in range(150):
        hard = rng.random(250)
        both = [estimate(MAP50, detections(hard < skill, rng), torch.arange(250)) for skill in (0.8, 0.6)]
        found = blended([(1.0, both[0]), (-1.0, both[1])], both[0].value - both[1].value)
        values.append(found.value)
        stated.append(variance(found))
        alone.append(variance(both[0]) + variance(both[1]))
    assert np.mean(stated) == pytest.approx(np.var(values), rel=0.25)
    assert np.mean(alone) > 1.1 * np.mean(stated)


# --- several


def test_the_same_answers_differ_by_nothing():
    one = estimate(HITS, sample_of(hit=[1.0, 0.0, 1.0, 1.0]), torch.arange(4) // 2)
    found = blended([(1.0, one), (-1.0, one)], 0.0)
    assert (variance(found), float(found.tasks @ found.tasks)) == (0.0, 0.0)
    double = blended([(2.0, one)], 2 * one.value, excess=0.5)
    assert variance(double) == pytest.approx(4 * variance(one))
    assert double.excess == 0.5


def test_only_tasks_that_all_answered_are_compared():
    first, second = sample_of(hit=[1.0, 0.0, 1.0]), sample_of(hit=[0.0, 1.0], index=[2, 1])
    cut = aligned([first, second])
    assert [one.index.tolist() for one in cut] == [[1, 2], [2, 1]]
    with pytest.raises(ShapeError, match="no task is answered by all"):
        aligned([first, sample_of(hit=[1.0], index=[7])])


def test_alike_identities_that_are_in_every_frame_hide_nothing_that_frames_share():
    """Eight identities of unlike ease, 40 answers in each of 12 frames: what frames share is seen all the same."""
    rng = np.random.default_rng(7)
    metric = Metric(name="level", unit="dB", better="higher", worst=0.0)
    clusters, frame = torch.arange(3840) % 8, torch.arange(3840) // 320
    found = []
    for _ in range(200):
        values = 3.0 * rng.normal(size=8)[clusters] + 0.1 * rng.normal(size=12)[frame] + rng.normal(size=3840)
        found.append(estimate(metric, sample_of(level=values, frame=frame), clusters).excess)
    assert np.mean(found) == pytest.approx(0.1**2 / 12, rel=0.1)


@pytest.mark.parametrize("shared", [0.0, 0.1])
def test_pictures_that_differ_more_than_frames_do_not_widen_a_difference(shared):
    """Eight frames hold other pictures each, two schemes answer the same: answers without noise tell pictures apart."""
    rng, frame, reps = np.random.default_rng(4), np.arange(8 * 40) // 40, 120
    widths, held = {False: [], True: []}, 0
    for _ in range(reps):
        hard = 2 * rng.normal(size=320)
        both: dict[bool, list] = {False: [], True: []}
        for slope in (1.0, 0.8):
            values = slope * hard + shared * rng.normal(size=8)[frame] + 0.1 * rng.normal(size=320)
            heard = sample_of(level=torch.from_numpy(values), frame=torch.from_numpy(frame))
            clean = sample_of(level=torch.from_numpy(1.1 * slope * hard))
            for known in (False, True):
                both[known].append(estimate(LEVEL, heard, torch.arange(320), balanced=True, clean=clean if known else None))
        for known, own in both.items():
            claims = Claims(
                values=np.array([own[0].value - own[1].value]), unit="dB", weights=np.array([[1.0, -1.0]]),
                others=np.zeros((1, 0)),
            )  # fmt: skip
            (found,) = judged(own, claims)
            widths[known].append(found.ci[1] - found.ci[0])
            held += known and found.ci[0] <= 0.0 <= found.ci[1]
    assert held / reps > 0.89
    assert np.median(widths[True]) < (0.2 if shared == 0.0 else 0.5) * np.median(widths[False])
