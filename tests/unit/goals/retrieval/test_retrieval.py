"""The goal retrieval: tasks, galleries, options, and what is refused."""

from dataclasses import dataclass, replace

import pytest
import torch

from hil.datasets.dataset import Dataset, Split, load_dataset
from hil.datasets.synthetic import reader
from hil.errors import ConfigError, DatasetError, ModelError
from hil.goals.contract import Tasks
from hil.goals.network import TaskNetwork
from hil.goals.retrieval.gallery import received_by_network, seen_by_network
from hil.goals.retrieval.goal import Retrieval, RetrievalOptions
from hil.goals.retrieval.tasks import make_tasks
from hil.models.card import Card
from hil.models.contract import Features, Images, Logits, Plan, Sent


@pytest.fixture(scope="module")
def people():
    return load_dataset("synthetic:identities=6")


@dataclass
class Halves:
    """Sends nothing of an image but says that it shows half its brightness; view 1 a quarter."""

    card = Card(name="halves", outputs="images", kind="bound")
    plan = Plan(occupied=torch.zeros(2, 0, dtype=torch.bool))

    def encode(self, views, csi=None, generator=None):
        return Sent(symbols=torch.zeros(2, len(views), 0, dtype=torch.complex64), side={"views": views})

    def decode(self, received, blocks=("all",), side=None):
        images = side["views"] * torch.tensor([0.5, 0.25])[:, None, None, None]
        return {"rx": Images(images=images, erased=torch.zeros(len(images), dtype=torch.bool))}


def brightness(images):
    return torch.stack([images.mean((1, 2, 3)), images.amax((1, 2, 3))], 1)


def test_tasks_are_seeded_thinned_and_counted():
    dataset = Dataset(name="synthetic", **dict(zip(("train", "query", "gallery"), reader.generate(2, 20), strict=True)))
    tasks = make_tasks(dataset, seed=3)
    assert torch.equal(tasks.views, make_tasks(dataset, seed=3).views)
    assert not torch.equal(tasks.views, make_tasks(dataset, seed=4).views)
    assert torch.equal(make_tasks(dataset, seed=3, limit=7).views, tasks.views[:7])
    assert len({frozenset(pair) for pair in tasks.views.tolist()}) == len(tasks) == 60
    assert 10 < int((tasks.views[:, 0] < tasks.views[:, 1]).sum()) < 50  # the order of views is drawn too
    with pytest.raises(DatasetError, match="'limit' must be at least 1 or None, not 0"):
        make_tasks(dataset, limit=0)
    gallery = dataset.gallery
    fewer = gallery.pick((gallery.identities != int(tasks.identities[0])).nonzero()[:, 0])
    thinned = make_tasks(replace(dataset, gallery=fewer))
    assert (len(thinned), thinned.dropped) == (57, 3)
    with pytest.raises(DatasetError, match=r"has no task.*60 query images, 60 sets without a positive"):
        make_tasks(replace(dataset, gallery=dataset.train))


def test_three_views_are_of_three_cameras(people):
    tasks = make_tasks(people, views=3, seed=1)
    assert tasks.views.shape == (6, 3)  # three query images a person
    assert all(len(set(row)) == 3 for row in tasks.cameras.tolist())


def test_a_network_sees_the_gallery_as_it_is_or_as_a_scheme_delivers_it(people):
    network, gallery = TaskNetwork(brightness), people.gallery
    raw = seen_by_network(network, gallery, views=2)
    torch.testing.assert_close(raw[1], brightness(gallery.float_images()))
    received = received_by_network(network, Halves(), gallery)
    torch.testing.assert_close(received, torch.stack([0.5 * raw[0], 0.25 * raw[0]]))
    assert received.shape == (2, len(gallery), 2)


def test_what_is_refused_is_said(people):
    goal, options = Retrieval(), RetrievalOptions()
    by_network = RetrievalOptions(task_network="net.py:Net")
    images = Halves()
    assert "give the goal a task_network" in goal.refuses(images, options)
    assert goal.refuses(images, by_network) == ""
    told = Halves()
    told.plan = replace(images.plan, tx_csi="snr")
    assert "take gallery = 'raw'" in goal.refuses(told, by_network)
    assert goal.refuses(told, by_network.model_copy(update={"gallery": "raw"})) == ""
    plain = Halves()
    plain.card = replace(images.card, outputs="features")
    assert "needs a scheme that is Embeds" in goal.refuses(plain, by_network)
    plain.card = replace(images.card, outputs="boxes")
    assert "puts out boxes" in goal.refuses(plain, by_network)
    tasks = goal.tasks(people, views=2, seed=0, limit=5)
    with pytest.raises(ConfigError, match="scheme 'halves' cannot be judged: retrieval needs features"):
        goal.judge(images, people, tasks, options)


class Mean(Halves):
    card = Card(name="mean", outputs="features")

    def embed(self, images, mode="reconstructed"):
        return images.mean((2, 3)).expand(2, -1, -1)


def test_tasks_of_another_goal_are_judged_where_views_are_of_one_person(people):
    goal, options = Retrieval(), RetrievalOptions()
    same = people.query.identities == people.query.identities[0]
    good = same.nonzero()[:2, 0][None]
    other = torch.tensor([[int(good[0, 0]), int((~same).nonzero()[0])]])
    clusters = torch.zeros(1, dtype=torch.int64)
    judge = goal.judge(Mean(), people, Tasks(split="query", views=good, clusters=clusters), options)
    features = Features(features=torch.rand(1, 2, 3), erased=torch.zeros(1, dtype=torch.bool))
    lost = judge.score(features, torch.zeros(1, dtype=torch.int64), torch.ones(1, dtype=torch.bool))
    assert (lost.values["top1"].tolist(), lost.values["map"].tolist()) == ([False], [0.0])
    with pytest.raises(ConfigError, match="show different people"):
        goal.judge(Mean(), people, Tasks(split="query", views=other, clusters=clusters), options)
    with pytest.raises(ConfigError, match="tasks of the split 'query', not 'train'"):
        goal.judge(Mean(), people, Tasks(split="train", views=good, clusters=clusters), options)
    with pytest.raises(ModelError, match="the decoder gave Logits"):
        judge.headline(Logits(logits=torch.zeros(1, 4), erased=features.erased), torch.zeros(1, dtype=torch.int64))


def test_what_a_data_set_lacks_is_said(people):
    goal = Retrieval()
    assert goal.lacks(people) == ""
    bare = Split(images=people.query.images, names=people.query.names, labels={"identity": people.query.identities})
    assert goal.lacks(replace(people, query=bare)) == "no label 'camera' in 'query'"
    assert goal.lacks(Dataset(name="plain", train=people.train, test=bare)) == "no split 'query'"


def test_variants_keep_the_network():
    chosen = RetrievalOptions(task_network="net.py:Net", gallery="raw")
    variants = Retrieval().variants(chosen)
    assert [item.gallery for item in variants] == ["reconstructed", "raw"]
    assert {item.task_network for item in variants} == {"net.py:Net"}
    assert chosen in variants
