"""Gallery features kept between runs: the same bits, only for the same weights, images, size and mode, never a stranger's."""

import pytest
import torch

from hil.datasets.dataset import load_dataset
from hil.goals.retrieval import kept
from hil.goals.retrieval.gallery import embedded
from hil.goals.retrieval.goal import Retrieval, RetrievalOptions
from hil.goals.retrieval.kept import kept_features
from hil.models.branches import GALLERIES
from hil.models.load import build_network
from tests.unit.models.training.tiny import SIZE, recipe


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("HIL_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def people():
    return load_dataset("synthetic:identities=6", image_size=SIZE)


def network(scheme="jscc-oma", seed=1):
    torch.manual_seed(seed)
    made = build_network(recipe("own", scheme)).eval()
    made.requires_grad_(False)
    return made


class Counted:
    """Embeds, and counts how often it had to."""

    def __init__(self, scheme, dataset, mode="reconstructed"):
        self.scheme, self.dataset, self.mode, self.times = scheme, dataset, mode, 0

    def __call__(self):
        self.times += 1
        return {self.mode: self.scheme.embed(self.dataset.gallery.float_images(), self.mode)}

    def features(self):
        return kept_features(self.scheme, self.dataset, self.mode, self)


def test_the_second_time_the_same_bits_come_from_the_cache(people):
    first = Counted(network(), people)
    made = first.features()
    again = Counted(network(), people)
    found = again.features()
    assert (first.times, again.times) == (1, 0)
    assert torch.equal(found, made)
    assert made.shape == (2, len(people.gallery), 8)


def test_what_was_made_of_another_mode_at_the_same_time_is_kept_too(people):
    made = embedded(network(), people.gallery, "reconstructed")
    assert set(made) == set(GALLERIES)
    for mode, features in made.items():
        assert torch.equal(features, network().embed(people.gallery.float_images(), mode))
    kept_features(network(), people, "reconstructed", lambda: made)
    other = Counted(network(), people, "raw")
    assert torch.equal(other.features(), made["raw"])
    assert other.times == 0


def change_a_weight(scheme, people):
    scheme.backbones[1].head[0].weight.data[0, 0] += 1e-4
    return Counted(scheme, people)


def change_a_statistic(scheme, people):
    scheme.backbones[0].head[1].running_mean[0] += 1
    return Counted(scheme, people)


def other_access(scheme, people):
    return Counted(network("jscc-noma"), people)


def other_mode(scheme, people):
    return Counted(scheme, people, "raw")


def other_images(scheme, people):
    return Counted(scheme, load_dataset("synthetic:identities=7", image_size=SIZE))


def damaged_entry(scheme, people):
    (path,) = (kept.FEATURES._path("").parent).iterdir()
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)
    return Counted(scheme, people)


@pytest.mark.parametrize(
    "change",
    [change_a_weight, change_a_statistic, other_access, other_mode, other_images, damaged_entry],
    ids=lambda f: f.__name__,
)
def test_anything_else_is_made_anew(people, change):
    Counted(network(), people).features()
    other = change(network(), people)
    found = other.features()
    assert other.times == 1
    assert torch.equal(found, other()[other.mode])


def test_other_code_or_another_machine_is_made_anew(people, monkeypatch):
    Counted(network(), people).features()
    told = kept.provenance()
    for change in (
        ("_code", lambda: "other source"),
        ("provenance", lambda: told | {"machine": told["machine"] | {"cpu": "another"}}),
        ("provenance", lambda: told | {"packages": told["packages"] | {"torch": "99"}}),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(kept, *change)
            other = Counted(network(), people)
            other.features()
            assert other.times == 1


def test_a_network_that_is_being_trained_and_a_strangers_scheme_are_never_kept(people, tmp_path):
    training = Counted(network().train(), people)
    training.features()

    class Foreign(type(network())):
        """Of another package, whatever it inherits."""

    torch.manual_seed(1)
    foreign = Counted(Foreign(recipe("own", "jscc-oma")).eval(), people)
    foreign.features()
    foreign.features()
    assert (training.times, foreign.times) == (1, 2)
    assert not (tmp_path / "cache" / "gallery").exists()


def test_a_judge_says_the_same_with_and_without(people):
    goal, options = Retrieval(), RetrievalOptions()
    tasks = goal.tasks(people, views=2, seed=1, limit=None)
    answers = []
    for _ in range(2):
        scheme = network()
        judge = goal.judge(scheme, people, tasks, options)
        sent = people.query.float_images(tasks.views.flatten()).unflatten(0, tuple(tasks.views.shape))
        with torch.inference_mode():
            output = scheme.decode({"rx": received(scheme, sent)})
        answers.append(judge.score(output, torch.arange(len(tasks)), torch.zeros(len(tasks)).bool()).values)
    assert all(torch.equal(answers[0][name], answers[1][name]) for name in answers[0])


def received(scheme, views):
    from hil.models.contract import Received

    symbols = scheme.encode(views).symbols.sum(0)
    return Received.for_plan(scheme.plan, symbols=symbols, noise_var=torch.full((1, 1), 1e-9))
