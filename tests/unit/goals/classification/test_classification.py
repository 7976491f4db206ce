"""The goal classification: which tasks, what is compared, references, and what is refused."""

from dataclasses import replace

import pytest
import torch

from hil.datasets.dataset import Dataset, Split
from hil.errors import ConfigError, DatasetError, ModelError
from hil.goals.classification.goal import BY_CLASS_AT_MOST, Classification, ClassificationJudge
from hil.goals.contract import Tasks
from hil.models.contract import Logits


def dataset_of(classes, *, train=(0,), names=(), extra=None) -> Dataset:
    def split(own, labels):
        count = len(own)
        return Split(
            images=torch.zeros(count, 1, 8, 8, dtype=torch.uint8),
            names=tuple(map(str, range(count))),
            labels={"class": torch.tensor(own), **labels},
        )

    return Dataset(name="few", train=split(train, {}), test=split(classes, extra or {}), classes=names)


def logits_of(predicted, count) -> Logits:
    rows = torch.nn.functional.one_hot(torch.tensor(predicted), count).float()
    return Logits(logits=rows, erased=torch.zeros(len(rows), dtype=torch.bool))


def test_a_task_is_of_one_class_and_unlabelled_images_are_counted():
    goal = Classification()
    dataset = dataset_of([0, 1, 0, 1, 0, -1, 2, 1])
    tasks = goal.tasks(dataset, views=2, seed=5, limit=None)
    assert (len(tasks), tasks.dropped) == (2, 1)
    seen = dataset.test.labels["class"][tasks.views]
    assert bool((seen[:, 0] == seen[:, 1]).all())
    assert torch.equal(tasks.labels["class"], seen[:, 0])
    with pytest.raises(DatasetError, match=r"needs 4 images of one kind \('test': 8\)"):
        goal.tasks(dataset, views=4, seed=5, limit=None)


def test_clusters_are_images_or_identities():
    goal = Classification()
    dataset = dataset_of([0, 1, 0, 1])
    alone = goal.tasks(dataset, views=1, seed=1, limit=None)
    assert torch.equal(alone.clusters, alone.views[:, 0])
    people = dataset_of([0, 1, 0, 1], extra={"identity": torch.tensor([7, 8, 7, 9])})
    tasks = goal.tasks(people, views=1, seed=1, limit=None)
    assert torch.equal(tasks.clusters, people.test.labels["identity"][tasks.views[:, 0]])


def test_references_are_chance_and_the_most_frequent_class_of_training():
    dataset = dataset_of([0, 1, 2, 2], train=[1, 1, 1, 2, 0, -1, -1, -1, -1])
    tasks = Tasks(split="test", views=torch.arange(4)[:, None], clusters=torch.arange(4))
    found = ClassificationJudge(dataset, tasks, views=1, network=None).references()
    assert set(found) == {"chance", "most_frequent"}
    assert found["chance"] == pytest.approx(1 / 3)
    assert found["most_frequent"].values["accuracy"].tolist() == [False, True, False, False]


def test_names_and_number_of_classes_come_from_the_data_set():
    goal = Classification()
    bare = [metric.name for metric in goal.metrics_for(dataset_of([0, 2], train=[1]))]
    assert bare == ["accuracy", "macro_f1", *(f"{what}_{k}" for k in range(3) for what in ("recall", "precision"))]
    named = goal.metrics_for(dataset_of([0, 1], names=("cat", "dog", "fish")))
    assert named[-1].name == "precision_fish"
    many = dataset_of([0], train=[BY_CLASS_AT_MOST])
    assert goal.metrics_for(many) == goal.metrics


def test_a_run_over_views_of_different_classes_is_refused_unless_one_is_sent():
    dataset = dataset_of([0, 1, 0, 0])
    mixed = Tasks(split="test", views=torch.tensor([[0, 1], [2, 3]]), clusters=torch.arange(2))
    with pytest.raises(ConfigError, match="views of a task must be of one class"):
        ClassificationJudge(dataset, mixed, views=2, network=None)
    judge = ClassificationJudge(dataset, mixed, views=1, network=None)
    assert judge.headline(logits_of([0, 1], 2), torch.arange(2)).values["accuracy"].tolist() == [True, False]
    unlabelled = replace(dataset, test=Split(images=dataset.test.images, names=dataset.test.names))
    assert Classification().lacks(unlabelled) == "no label 'class' in 'test'"
    with pytest.raises(ConfigError, match="no label 'class'"):
        ClassificationJudge(unlabelled, mixed, views=1, network=None)


def test_logits_that_do_not_fit_are_named():
    dataset = dataset_of([0, 1])
    tasks = Tasks(split="test", views=torch.arange(2)[:, None], clusters=torch.arange(2))
    judge = ClassificationJudge(dataset, tasks, views=1, network=None)
    for logits, message in (
        (torch.zeros(2, 3), r"finite logits \[2, 2\] \(task, class\), not \[2, 3\]"),
        (torch.full((2, 2), torch.nan), r"finite logits \[2, 2\]"),
        (torch.zeros(1, 2), r"one row a task \(2\), not \[1, 2\]"),
    ):
        with pytest.raises(ModelError, match=message):
            judge.headline(Logits(logits=logits, erased=torch.zeros(2, dtype=torch.bool)), torch.arange(2))
