"""Rows and comparisons of goals whose headline is a mean and of one whose headline is none."""

import json
from dataclasses import replace

import pytest
import torch

from hil.goals.classification.goal import Classification, ClassificationOptions
from hil.goals.contract import PerTask, headline
from hil.goals.detection.goal import Detection
from hil.models.card import Card
from hil.models.contract import Plan
from hil.results.agreement import Pair, agreement_rows
from hil.results.compare import Answer, Condition, comparison_rows
from hil.results.curves import Reading
from hil.results.document import Row
from hil.results.rows import Subject, reference_row, scored_row, simulated_row
from hil.results.sample import Sample
from tests.unit.goals.classification.test_classification import dataset_of
from tests.unit.goals.detection import reference
from tests.unit.goals.detection.test_precision import scored
from tests.unit.goals.oracles.cases import scenes


def classified(truth, predicted) -> PerTask:
    truth, predicted = torch.tensor(truth), torch.tensor(predicted)
    values = {"truth": truth, "predicted": predicted, "accuracy": truth == predicted}
    return PerTask(values=values, scored=predicted >= 0)


def subject_of(goal, metrics, options, clusters, name="x") -> Subject:
    return Subject(
        scheme=name,
        card=Card(name=name),
        plan=Plan(occupied=torch.ones(1, 4, dtype=torch.bool)),
        goal=goal,
        options=options,
        metrics=metrics,
        clusters=clusters,
    )


def test_a_row_has_every_metric_of_the_data_set_and_null_where_it_is_undefined():
    goal = Classification()
    metrics = goal.metrics_for(dataset_of([0, 1], names=("cat", "dog", "fish")))
    subject = subject_of(goal, metrics, ClassificationOptions(), torch.arange(4))
    row = scored_row(subject, classified([0, 0, 1, 1], [0, 1, 1, -1]), torch.arange(4), source="air", energy="per_use")
    assert row.metrics["accuracy"].value == 0.5
    assert row.metrics["accuracy"].scored == pytest.approx(2 / 3)
    assert row.metrics["recall_fish"].value is None
    assert row.metrics["recall_fish"].ci is None
    assert row.metrics["precision_dog"].value == 0.5
    plain = json.loads(json.dumps(row.model_dump(), allow_nan=False))
    assert plain["accuracy"] == 0.5
    assert plain["accuracy_scored"] == pytest.approx(2 / 3)
    assert plain["recall_fish"] is None
    assert plain["task_network"] is None
    assert row.headline[0] == "accuracy"


def test_a_row_of_detections_is_the_reference_with_an_interval_around_it():
    goal, found = Detection(), scenes(3, images=30, classes=3)
    row = scored_row(
        subject_of(goal, goal.metrics, goal.options(), torch.arange(30)), scored(found, 3), torch.arange(30), source="air"
    )
    for name, slow in (("map50", reference.voc), ("map50_voc07", reference.voc07), ("map_coco", reference.coco)):
        value, (low, high) = row.metrics[name].value, row.metrics[name].ci
        assert value == pytest.approx(slow(found, 3))
        assert low < value < high


def test_simulations_average_draws_and_say_how_many():
    goal = Detection()
    draws = [scenes(seed, images=12, classes=2) for seed in (1, 2, 3)]
    draws = [
        [replace(b, objects=a.objects, classes=a.classes, difficult=a.difficult) for a, b in zip(draws[0], own, strict=True)]
        for own in draws
    ]
    made = [scored(own, 2) for own in draws]
    sample = Sample(tasks=PerTask.cat(made), index=torch.arange(12).repeat(3), draw=torch.arange(3).repeat_interleave(12))
    subject = subject_of(goal, goal.metrics, goal.options(), torch.arange(12))
    row = simulated_row(subject, sample, basis="link", snr_db_target=3.0)
    expected = sum(headline(goal).of(one) for one in made) / 3
    assert row.metrics["map50"].value == pytest.approx(expected)
    assert (row.draws, row.tasks, row.distinct_tasks, row.identities) == (3, 36, 12, 12)
    assert set(row.metrics) == {"map50"}


def test_references_are_a_number_or_answers():
    goal = Classification()
    chance = reference_row(goal, goal.metrics, "chance", 0.25, clusters=torch.arange(4))
    assert (chance.kind, chance.metrics["accuracy"].value, chance.metrics["accuracy"].ci) == ("bound", 0.25, None)
    assert chance.tasks == 4
    always = reference_row(goal, goal.metrics, "always", classified([0, 0, 1, 1], [0, 0, 0, 0]), clusters=torch.arange(4))
    assert always.metrics["accuracy"].value == 0.5
    assert always.metrics["macro_f1"].value == pytest.approx(1 / 3)
    low, high = always.metrics["accuracy"].ci
    assert low < 0.5 < high


def row_of(scheme, goal, value, snr_db=3.0) -> Row:
    metric = headline(goal)
    own = {"value": value, "n": 400, "unit": metric.unit, "better": metric.better, "headline": True}
    return Row(
        scheme=scheme, kind="measured", goal=goal.name, goal_version=1, source="air", snr_db_target=snr_db, tasks=400,
        metrics={metric.name: own},
    )  # fmt: skip


def at(sample, snr_db=3.0) -> Answer:
    return Answer(snr_db_target=snr_db, sample=sample, reading=Reading(snr_db=snr_db))


def test_agreement_and_comparisons_of_means():
    goal, goals = Classification(), {"classification": Classification()}
    clusters = torch.arange(400) // 4

    def share(value) -> Sample:
        hits = torch.arange(400) % 10 < round(10 * value)
        return Sample(tasks=PerTask(values={"accuracy": hits}, scored=hits | True), index=torch.arange(400))

    (found,), _ = agreement_rows(
        [Pair(row=row_of("a", goal, 0.9), air=share(0.9), simulated=share(0.8), clusters=clusters)], goals
    )
    assert found.difference == pytest.approx(0.1)
    assert found.outside_bound
    condition = Condition(goal="classification", receiver=None, source="air", snr_basis="link", energy="per_use")
    noiseless = {("classification", "a", None): share(1.0), ("classification", "b", None): share(0.8)}
    rows, _ = comparison_rows({condition: {"a": [at(share(0.9))], "b": [at(share(0.8))]}}, noiseless, clusters, goals)
    pairs = {(item.first, item.second): item.difference for item in rows}
    assert pairs == pytest.approx({("a", "b"): 0.1, ("a", "noiseless"): -0.1, ("b", "noiseless"): 0.0})


def test_agreement_and_comparisons_of_average_precision():
    """The headline is no mean of tasks: differences are those of the aggregates, on the same resamples."""
    goal, goals = Detection(), {"detection": Detection()}
    good, bad = scored(scenes(1, images=40, classes=2), 2), scored(scenes(1, images=40, classes=2), 2)
    bad.values["voc"][::2] = False  # of every second image nothing is right
    samples = [Sample(tasks=tasks, index=torch.arange(40)) for tasks in (good, bad)]
    expected = headline(goal).of(good) - headline(goal).of(bad)
    clusters = torch.arange(40)
    (found,), _ = agreement_rows(
        [Pair(row=row_of("a", goal, 0.5), air=samples[0], simulated=samples[1], clusters=clusters)], goals
    )
    assert found.difference == pytest.approx(expected)
    assert found.standard_error > 0
    assert found.simultaneous_ci[0] < expected < found.simultaneous_ci[1]
    condition = Condition(goal="detection", receiver=None, source="air", snr_basis="link", energy="per_use")
    (row,), _ = comparison_rows({condition: {"a": [at(samples[0])], "b": [at(samples[1])]}}, {}, clusters, goals)
    assert row.difference == pytest.approx(expected)
    assert 0 < row.ci[0] < expected < row.ci[1]
    (same,), _ = comparison_rows({condition: {"a": [at(samples[0])], "b": [at(samples[0])]}}, {}, clusters, goals)
    assert same.difference == 0.0
    assert same.ci[0] == -same.ci[1]  # not nothing: another image might tell them apart
    assert 0 < same.ci[1] < 0.1


@pytest.mark.parametrize(
    ("people", "frames", "words"),
    [
        (1, None, "all tasks are of one cluster: no interval"),
        (5, None, "about 5.0 clusters of tasks: coverage is not known below 8"),
        (10, None, "about 10 clusters of tasks: the interval is wide, 96…99 % rather than 95"),
        (40, None, None),
        (40, 1, "one frame: an error that its tasks share is not in the interval"),
        (40, 3, "3 frames: an error that tasks of a frame share is hardly known"),
        (40, 24, None),
    ],
)
def test_what_an_interval_does_not_hold_is_said(people, frames, words):
    goal = Classification()
    metrics = goal.metrics_for(dataset_of([0, 1], names=("cat", "dog")))
    answers = classified([0, 1] * 120, ([0, 1, 1, 0] * 60))
    subject = subject_of(goal, metrics, ClassificationOptions(), torch.arange(240) % people)
    frame = None if frames is None else torch.arange(240) % frames
    row = scored_row(subject, answers, torch.arange(240), source="air", frame=frame)
    found = row.metrics["accuracy"]
    assert found.ci_note == words
    assert (found.ci is None) == (people == 1)
