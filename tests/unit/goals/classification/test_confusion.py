"""Macro F1, recall and precision against scikit-learn and torchmetrics, and against plain counting."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hil.goals.classification.confusion import MACRO_F1, NOTHING, class_metrics
from hil.goals.contract import PerTask
from tests.unit.goals.oracles import golden
from tests.unit.goals.oracles.cases import labels

CLASSES = 7


def answered(truth, predicted) -> PerTask:
    truth, predicted = torch.as_tensor(truth), torch.as_tensor(predicted)
    return PerTask(values={"truth": truth, "predicted": predicted, "accuracy": truth == predicted}, scored=predicted != NOTHING)


def number(value):
    return math.nan if value is None else value


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_agrees_with_other_implementations(seed):
    kept = golden()["classification"][str(seed)]
    truth, predicted = labels(seed, classes=CLASSES)
    tasks = answered(truth, predicted)
    assert MACRO_F1.of(tasks) == pytest.approx(kept["macro_f1"], abs=1e-9)
    whole = tasks.rows(tasks.scored)
    assert MACRO_F1.of(whole) == pytest.approx(kept["macro_f1_whole"], abs=1e-9)
    assert MACRO_F1.of(whole) == pytest.approx(kept["macro_f1_whole_torchmetrics"], abs=1e-6)
    metrics = {metric.name: metric for metric in class_metrics(tuple(map(str, range(CLASSES))))}
    for kind in range(CLASSES):
        for what in ("recall", "precision"):
            expected = number(kept[what][kind])
            assert metrics[f"{what}_{kind}"].of(tasks) == pytest.approx(expected, abs=1e-9, nan_ok=True)


def plain_f1(truth, predicted) -> float:
    scores = []
    for kind in {*truth, *predicted} - {NOTHING}:
        right = sum(t == p == kind for t, p in zip(truth, predicted, strict=True))
        scores.append(2 * right / (truth.count(kind) + predicted.count(kind)))
    return sum(scores) / len(scores)


@given(
    pairs=st.lists(st.tuples(st.integers(0, 4), st.integers(-1, 4), st.integers(0, 3)), min_size=1, max_size=30).filter(
        lambda rows: any(times for *_, times in rows)
    )
)
@settings(max_examples=80, deadline=None)
def test_weights_are_copies(pairs):
    truth, predicted, times = (list(column) for column in zip(*pairs, strict=True))
    copies = [(t, p) for t, p, n in pairs for _ in range(n)]
    tasks = answered(truth, predicted)
    weight = torch.tensor(times, dtype=torch.float64)
    assert MACRO_F1.of(tasks, weight) == pytest.approx(plain_f1(*map(list, zip(*copies, strict=True))), abs=1e-9)
    recall, precision = class_metrics(("a",))
    own = [p == 0 for t, p in copies if t == 0]
    claimed = [t == 0 for t, p in copies if p == 0]
    assert recall.of(tasks, weight) == pytest.approx(sum(own) / len(own) if own else math.nan, nan_ok=True)
    assert precision.of(tasks, weight) == pytest.approx(sum(claimed) / len(claimed) if claimed else 0.0)


def test_a_lost_task_is_an_error_of_its_class_and_a_claim_of_none():
    tasks = answered([0, 0, 1], [0, NOTHING, 1])
    recall_0, precision_0, recall_1, _ = class_metrics(("zero", "one"))
    assert (recall_0.of(tasks), precision_0.of(tasks), recall_1.of(tasks)) == (0.5, 1.0, 1.0)
    assert MACRO_F1.of(tasks) == pytest.approx((2 / 3 + 1) / 2)


def test_metrics_are_named_after_classes_or_numbers():
    assert [metric.name for metric in class_metrics(("traffic light", "dog"))] == [
        "recall_traffic_light", "precision_traffic_light", "recall_dog", "precision_dog",
    ]  # fmt: skip
    assert [metric.name for metric in class_metrics(("a b", "a  b"))][::2] == ["recall_0", "recall_1"]
