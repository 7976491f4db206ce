"""What a run works on: goals that fit, tasks that one of them chooses, schemes bound to them."""

import numpy as np
import pytest
import torch

from hil.datasets.dataset import Dataset
from hil.errors import ConfigError
from hil.models.contract import Card, Features, Plan, Sent
from hil.runs.config import RunConfig
from hil.runs.groups import grouped
from hil.runs.work import fitting_goals, load_goals, load_work, point_labels
from tests.conftest import DATASET
from tests.unit.datasets.trees import market
from tests.unit.points.contenders import images
from tests.unit.points.synthetic import spec_of, turns

OWN_GOALS = """
import torch
from hil.goals.contract import GoalOptions, Metric, Tasks

class Counting:
    name, version, needs, requires, options = "counting", 3, "images", (), GoalOptions
    metrics = (Metric(name="count", unit="1", better="higher", worst=0.0, headline=True),)
    def lacks(self, dataset): return ""
    def tasks(self, dataset, *, views, seed, limit): raise NotImplementedError
    def judge(self, scheme, dataset, tasks, options): raise NotImplementedError
    def variants(self, options): return (options,)
    def metrics_for(self, dataset): return self.metrics
    def refuses(self, scheme, options): return ""

class Headless(Counting):
    metrics = (Metric(name="a", unit="1", better="higher", worst=0.0), Metric(name="b", unit="1", better="higher", worst=0.0))

class NoGoal:
    name = "nothing"

class Choosing(Counting):
    def tasks(self, dataset, *, views, seed, limit):
        return Tasks(split="query", views=torch.arange(limit)[:, None], clusters=torch.arange(limit))
    def judge(self, scheme, dataset, tasks, options): return None

class Late(Counting):
    def __init__(self):
        import beside
        self.version = beside.VERSION

READY = Counting()
"""


class Scheme:
    """Puts out what it is told to; can be searched for in a gallery or not."""

    def __init__(self, name="s", outputs="features", *, transmitters=1, size=None):
        self.card = Card(name=name, outputs=outputs, image_size=size)
        self.plan = Plan(occupied=torch.ones(transmitters, 4, dtype=torch.bool))

    def encode(self, views, csi=None, generator=None):
        return Sent(symbols=torch.ones(self.plan.transmitters, len(views), 4, dtype=torch.complex64))

    def decode(self, received, blocks=("all",), side=None):
        symbols = received["rx"].symbols
        return Features(features=symbols.real[:, None], erased=torch.zeros(len(symbols), dtype=torch.bool))


class Embedding(Scheme):
    def embed(self, images, mode="reconstructed"):
        return torch.zeros(self.plan.transmitters, len(images), 4)


@pytest.fixture
def goals(tmp_path):
    path = tmp_path / "goals.py"
    path.write_text(OWN_GOALS)
    (tmp_path / "beside.py").write_text("VERSION = 5\n")
    return lambda name: f"{path}:{name}"


def test_goals_come_by_name_or_from_a_file(goals):
    assert "retrieval" in load_goals(())
    assert list(load_goals(["retrieval"])) == ["retrieval"]
    assert list(load_goals([goals("Counting"), "retrieval"])) == ["counting", "retrieval"]
    assert load_goals([goals("READY")])["counting"].version == 3  # an object is as good as a class
    assert load_goals([goals("Late")])["counting"].version == 5  # made while its folder can be imported from


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["retreival"], "did you mean 'retrieval'"),
        (["NoGoal"], "is no goal"),
        (["Headless"], "exactly one headline"),
        (["Counting", "READY"], "two goals are named 'counting'"),
        (["retrieval", "retrieval"], "two goals are named 'retrieval'"),
    ],
)
def test_what_is_no_goal_is_refused(goals, names, words):
    spelled = [goals(name) if name[0].isupper() else name for name in names]
    with pytest.raises(Exception, match=words) as info:
        load_goals(spelled)
    assert type(info.value).__name__ in ("ConfigError", "ShapeError")


def things():
    return Dataset(name="things", train=images(4), test=images(6))


def people():
    from hil.datasets.dataset import load_dataset

    return load_dataset(DATASET)


def test_a_goal_that_was_not_asked_for_is_left_out_where_it_does_not_fit():
    """Features of a scheme that can be searched for, on people: retrieval. Nothing else here is judged."""
    found, options = fitting_goals(["retrieval"], {"s": Embedding()}, people(), {})
    assert list(found) == list(options) == ["retrieval"]
    assert list(fitting_goals((), {"s": Embedding()}, people(), {})[0]) == ["retrieval"]


@pytest.mark.parametrize(
    ("scheme", "data", "words"),
    [
        (Embedding, things, "goal 'retrieval' cannot be scored: data set 'things' has no split 'query'"),
        (Scheme, people, "goal 'retrieval' cannot be scored: scheme 's': .*Embeds"),
        (lambda: Embedding(outputs="logits"), people, "goal 'retrieval' cannot be scored: scheme 's': .*logits"),
    ],
)
def test_a_goal_that_was_asked_for_must_fit(scheme, data, words):
    with pytest.raises(ConfigError, match=words):
        fitting_goals(["retrieval"], {"s": scheme()}, data(), {})


def test_every_scheme_must_be_judged_by_some_goal():
    with pytest.raises(ConfigError, match="no goal can judge scheme 'b'"):
        fitting_goals(["retrieval"], {"a": Embedding("a"), "b": Scheme("b")}, people(), {})


# --- work


def config(**settings):
    return RunConfig(**{"dataset": DATASET, "distinct_tasks": 7, "tasks": 20, "frame": {"tasks_per_frame": 10}, **settings})


def test_objects_stand_for_their_names(untrained):
    one = Embedding("mine")
    work = load_work(config(schemes=("mine", "noma"), models=str(untrained)), objects={"mine": one})
    assert list(work.contenders) == ["mine", "jscc-noma"]
    assert work.contenders["mine"].scheme is one
    assert work.weights["mine"] == ""
    assert len(work.weights["jscc-noma"]) == 64
    assert len(work.tasks) == 7
    resolved = work.resolved(config(schemes=("mine", "noma")))
    assert resolved.schemes == ("mine", "jscc-noma")
    assert "retrieval" in resolved.goals
    assert resolved.options["retrieval"]["gallery"] == "reconstructed"


def test_all_stands_for_whatever_has_weights_and_sends(untrained, tmp_path):
    work = load_work(config(schemes=("all",), models=str(untrained)))
    assert {"jscc-single", "jscc-oma", "jscc-noma", "digital-single", "jscc-noma-same-view"} <= set(work.contenders)
    assert not [name for name in work.contenders if name.startswith("baseline")]  # judged as references, without being named
    assert work.resolved(config(schemes=("all",))).schemes == tuple(work.contenders)
    with pytest.raises(ConfigError, match=r"no scheme has weights in .*hil train"):
        load_work(config(schemes=("all",), models=str(tmp_path)))


def test_of_all_those_are_left_out_that_no_goal_can_judge(untrained, tmp_path):
    """People have no classes: of data that is named, `all` is what it serves; by name such schemes are refused."""
    said = []
    asked = {"dataset": f"market1501:{market(tmp_path)}", "models": str(untrained)}
    work = load_work(config(schemes=("all",), **asked), say=said.append)
    assert {"jscc-single", "smrc"} <= set(work.contenders)
    assert not [name for name in work.contenders if name.endswith("-classes")]
    assert [line for line in said if line.startswith("left out, as no goal can judge them here:") and "smrc-classes" in line]
    with pytest.raises(ConfigError, match=r"no goal can judge scheme 'smrc-classes'"):
        load_work(config(schemes=("jscc-single", "smrc-classes"), **asked))


def test_who_needs_two_receivers_is_asked_for_by_name(untrained):
    found = grouped(config(schemes=("image",), models=str(untrained)), [untrained])
    assert {"smrc", "smrc-base", "deep-jscc"} <= set(found)
    assert "smrc-multicast" not in found


def test_a_goal_is_stored_as_what_loads_it_again(goals):
    """Its own name says nothing of the file that it came from; options go by its own name."""
    pictures = Scheme("pictures", outputs="images")

    def resolved(*asked):
        given = config(schemes=("pictures",), goals=asked, dataset=DATASET)
        work = load_work(given, objects={"pictures": pictures})
        return work.resolved(given)

    found = resolved(goals("Choosing"))
    assert found.goals == (goals("Choosing"),)
    assert list(found.options) == ["counting"]
    assert [goal.name for goal in load_goals(found.goals).values()] == ["counting"]
    assert resolved().goals == ("image",)


def test_every_scheme_sees_the_same_tasks_at_its_own_size():
    small, large = Embedding("small", size=(16, 8)), Embedding("large", transmitters=2, size=(32, 16))
    work = load_work(config(schemes=("small", "large")), objects={"small": small, "large": large})
    assert {name: one.dataset.image_size for name, one in work.contenders.items()} == {"small": (16, 8), "large": (32, 16)}
    assert work.contenders["small"].tasks is work.contenders["large"].tasks is work.tasks
    assert work.tasks.views.shape == (7, 2)
    assert len(set(work.fingerprints.values())) == 2
    assert work.fingerprint == work.fingerprints["small"]


def test_the_reference_schemes_whose_weights_are_there_are_at_hand(untrained, tmp_path):
    def found(models):
        work = load_work(config(schemes=("mine",), models=str(models)), objects={"mine": Embedding("mine", transmitters=2)})
        return [name for name, _ in work.references(work.goals["retrieval"])]

    assert sorted(found(untrained)) == ["baseline-pair", "baseline-single"]
    (tmp_path / "empty").mkdir()
    assert found(tmp_path / "empty") == []


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"schemes": ("mine", "mine")}, "each once, not mine, mine"),
        ({"schemes": ("mine",), "models": "/no/such/folder"}, "no such folder of models: /no/such/folder"),
        ({"schemes": ("mine",), "options": {"retrieval": {"colour": 1}}}, "options.retrieval: unknown key 'colour'"),
        ({"schemes": ("mine",), "options": {"nothing": {}}}, "options for 'nothing', which is no goal of this run"),
        ({"schemes": ("mine",), "goals": ("retreival",)}, "did you mean 'retrieval'"),
    ],
)
def test_mistakes_are_named(settings, words):
    with pytest.raises(ConfigError, match=words):
        load_work(config(**settings), objects={"mine": Embedding("mine")})


def test_two_names_of_one_scheme_are_one_too_many(untrained):
    with pytest.raises(ConfigError, match="each once, not jscc-noma, jscc-noma"):
        load_work(config(schemes=("noma", "jscc-noma"), models=str(untrained)))


def test_the_labels_of_a_capture_say_what_each_task_sent_was():
    work = load_work(config(schemes=("mine",)), objects={"mine": Embedding("mine", transmitters=2)})
    spec = spec_of(turns(4), tasks=10).model_copy(update={"distinct_tasks": 7})
    labels = point_labels(work, spec)
    index = [0, 1, 2, 3, 4, 5, 6, 0, 1, 2]
    assert labels["task"].tolist() == index
    assert labels["view_0"].tolist() == work.tasks.views[index, 0].tolist()
    assert labels["view_1"].tolist() == work.tasks.views[index, 1].tolist()
    assert labels["identity"].tolist() == work.tasks.labels["identity"][index].tolist()
    assert labels["cluster"].tolist() == work.tasks.clusters[index].tolist()
    assert all(np.issubdtype(values.dtype, np.integer) and values.shape == (10,) for values in labels.values())
