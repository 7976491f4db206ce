"""The conformance suite on every built-in goal; and what it says of goals that break the contract."""

from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch

from hil.datasets.dataset import load_dataset
from hil.errors import HilError
from hil.goals.classification.goal import Classification, ClassificationJudge, ClassificationOptions
from hil.goals.contract import Goal, GoalOptions, Metric, PerTask
from hil.goals.detection.goal import Detection, DetectionOptions
from hil.goals.image.goal import Image, ImageOptions
from hil.goals.image.similarity import PSNR_CAP_DB
from hil.goals.retrieval.goal import Retrieval, RetrievalOptions
from hil.goals.retrieval.tasks import TaskSet, positive_mask
from hil.goals.testing import Exam, GoalContract
from hil.models.card import Card
from hil.models.contract import Boxes, Features, Images, Logits, Plan
from hil.registry import GOALS

SYSTEM = Path(__file__).resolve().parent.parent / "system" / "schemes"
SHAPES = f"{SYSTEM}/shapes.py:load:80"
NETWORKS = f"{SYSTEM}/task_networks.py"
EXAMINED = {"retrieval", "classification", "detection", "image"}
"""Goals that have a class below."""


def test_every_built_in_goal_is_examined():
    assert set(GOALS.builtin) == EXAMINED
    for name in GOALS.builtin:
        goal = GOALS.load(name)()
        assert isinstance(goal, Goal)
        assert goal.name == name
    assert len({entry.order for entry in GOALS.builtin.values()}) == len(GOALS.builtin)


@dataclass(frozen=True)
class Stub:
    """What goals look at of a scheme."""

    card: Card
    plan: Plan

    @classmethod
    def of(cls, outputs, transmitters=1):
        return cls(Card(name="stub", outputs=outputs), Plan(occupied=torch.ones(transmitters, 4, dtype=torch.bool)))


def kept(count):
    return torch.zeros(count, dtype=torch.bool)


def originals(dataset, views):
    """Images of the tasks as they were sent."""

    def perfect(tasks):
        index = tasks.views[:, :views]
        images = dataset.split(tasks.split).float_images(index.flatten()).unflatten(0, tuple(index.shape))
        return Images(images=images, erased=kept(len(tasks)))

    return perfect


def noise_images(dataset, views):
    shape = dataset.test.images.shape[1:]
    return lambda count, generator: Images(images=torch.rand(count, views, *shape, generator=generator), erased=kept(count))


def image_exam(views, size):
    dataset = load_dataset(SHAPES, image_size=size)
    best = {"psnr": PSNR_CAP_DB, "psnr_of_mean": PSNR_CAP_DB}
    return Exam(
        goal=Image(),
        dataset=dataset,
        scheme=Stub.of("images", views),
        options=ImageOptions(),
        perfect=originals(dataset, views),
        ignorant=noise_images(dataset, views),
        best=best,
    )


class TestImage(GoalContract):
    @pytest.fixture(params=[(1, (16, 16)), (2, (16, 16)), (1, (8, 10))], ids=["one view", "two views", "too small for SSIM"])
    def exam(self, request):
        return image_exam(*request.param)


class TestLargeImage(GoalContract):
    @pytest.fixture
    def exam(self, monkeypatch):
        monkeypatch.setattr("hil.goals.testing.DRAWN", 100)
        exam = image_exam(1, (161, 164))
        return replace(exam, dataset=replace(exam.dataset, test=exam.dataset.test.pick(torch.arange(6))))


def right_class(dataset):
    def perfect(tasks):
        truth = dataset.test.labels["class"][tasks.views[:, 0]]
        return Logits(logits=torch.nn.functional.one_hot(truth, 4).float(), erased=kept(len(tasks)))

    return perfect


def classification_exam(views=1, goal=None):
    dataset = load_dataset(SHAPES)
    return Exam(
        goal=goal or Classification(),
        dataset=dataset,
        scheme=Stub.of("logits", views),
        options=ClassificationOptions(),
        perfect=right_class(dataset),
        ignorant=lambda count, generator: Logits(logits=torch.rand(count, 4, generator=generator), erased=kept(count)),
    )


class TestClassification(GoalContract):
    @pytest.fixture(params=[1, 2])
    def exam(self, request):
        return classification_exam(request.param)


class TestClassificationByNetwork(GoalContract):
    """Images, judged by a task network. What knows nothing shows an object of a class drawn at random."""

    @pytest.fixture(params=[1, 2])
    def exam(self, request):
        dataset = load_dataset(SHAPES)

        def ignorant(count, generator):
            drawn = torch.randint(len(dataset.test), (count, request.param), generator=generator)
            classes = torch.randint(4, (count,), generator=generator)
            own = [(dataset.test.labels["class"] == number).nonzero()[:, 0] for number in range(4)]
            drawn = torch.stack([own[kind][row % len(own[kind])] for kind, row in zip(classes.tolist(), drawn, strict=True)])
            images = dataset.test.float_images(drawn.flatten()).unflatten(0, tuple(drawn.shape))
            return Images(images=images, erased=kept(count))

        return Exam(
            goal=Classification(),
            dataset=dataset,
            scheme=Stub.of("images", request.param),
            options=ClassificationOptions(task_network=f"{NETWORKS}:Classifier"),
            perfect=originals(dataset, request.param),
            ignorant=ignorant,
        )


def right_boxes(dataset):
    def perfect(tasks):
        truth = torch.stack([dataset.test.boxes[place] for place in tasks.views[:, 0].tolist()])
        scores = torch.linspace(0.2, 1, len(tasks))[:, None]
        return Boxes(boxes=truth[..., :4], scores=scores, labels=truth[..., 4].long(), erased=kept(len(tasks)))

    return perfect


def random_boxes(count, generator):
    corners = torch.rand(count, 6, 2, 2, generator=generator).mul(16).sort(2).values.flatten(2)
    scores = torch.rand(count, 6, generator=generator)
    labels = torch.randint(4, (count, 6), generator=generator)
    return Boxes(boxes=corners, scores=scores, labels=labels, erased=kept(count))


class TestDetection(GoalContract):
    @pytest.fixture(params=[1, 2])
    def exam(self, request):
        dataset = load_dataset(SHAPES)
        return Exam(
            goal=Detection(),
            dataset=dataset,
            scheme=Stub.of("boxes", request.param),
            options=DetectionOptions(),
            perfect=right_boxes(dataset),
            ignorant=random_boxes,
        )


class TestDetectionByNetwork(GoalContract):
    @pytest.fixture
    def exam(self):
        dataset = load_dataset(SHAPES)
        return Exam(
            goal=Detection(),
            dataset=dataset,
            scheme=Stub.of("images"),
            options=DetectionOptions(task_network=f"{NETWORKS}:Detector"),
            perfect=originals(dataset, 1),
            ignorant=noise_images(dataset, 1),
        )


class OneHot(Stub):
    """Embeds each gallery image as a unit vector of its own, so that random features rank the gallery at random."""

    def embed(self, images, mode="reconstructed"):
        gallery = load_dataset("synthetic:identities=6").gallery
        known = {image.numpy().tobytes(): place for place, image in enumerate(gallery.images)}
        places = [known[image.numpy().tobytes()] for image in images.mul(255).round().to(torch.uint8)]
        vectors = torch.nn.functional.one_hot(torch.tensor(places), len(gallery)).float()
        return vectors.expand(self.plan.transmitters, -1, -1)


class TestRetrieval(GoalContract):
    @pytest.fixture(params=[1, 2])
    def exam(self, request):
        dataset = load_dataset("synthetic:identities=6")
        views, images = request.param, len(dataset.gallery)

        def perfect(tasks):
            right = positive_mask(TaskSet.of(dataset, tasks), dataset.gallery).float()
            return Features(features=right[:, None].expand(-1, views, -1), erased=kept(len(tasks)))

        def ignorant(count, generator):
            features = torch.randn(count, 1, images, generator=generator).expand(-1, views, -1)
            return Features(features=features, erased=kept(count))

        return Exam(
            goal=Retrieval(),
            dataset=dataset,
            scheme=OneHot.of("features", views),
            options=RetrievalOptions(),
            perfect=perfect,
            ignorant=ignorant,
        )


class Judged(Classification):
    """Classification with a judge of one's own."""

    kind = ClassificationJudge

    def judge(self, scheme, dataset, tasks, options):
        return self.kind(dataset, tasks, views=scheme.plan.transmitters, network=None)


def judged(**changes):
    """A goal whose judge differs from the built-in one in some methods."""

    class Broken(Judged):
        kind = type("BrokenJudge", (ClassificationJudge,), changes)

    return Broken()


class Seedless(Classification):
    def tasks(self, dataset, *, views, seed, limit):
        return super().tasks(dataset, views=views, seed=0, limit=limit)


class LimitTakesOthers(Classification):
    def tasks(self, dataset, *, views, seed, limit):
        return super().tasks(dataset, views=views, seed=seed + (limit or 0), limit=limit)


class Unbounded(Classification):
    def tasks(self, dataset, *, views, seed, limit):
        return super().tasks(dataset, views=views, seed=seed, limit=None)


class TwoHeadlines(Classification):
    metrics = (*Classification.metrics, Metric(name="other", unit="1", better="higher", worst=0.0, headline=True))


class TakesAll(Classification):
    def refuses(self, scheme, options):
        return ""


def unweighted(values, weights):
    return values["accuracy"].double().mean().expand(weights.shape[:-1])


class IgnoresWeights(Classification):
    metrics = (
        Classification.metrics[0],
        Metric(name="plain", unit="share", better="higher", worst=0.0, aggregate=unweighted),
    )

    def metrics_for(self, dataset):
        return self.metrics


class OptionsLost(Classification):
    def variants(self, options: GoalOptions):
        return (ClassificationOptions(task_network="other.py:Network"),)


def lenient(self, output, index, lost):
    found = ClassificationJudge.score(self, output, index, kept(len(index)))
    return PerTask(values=found.values, scored=~lost)


def spoilt(self, output, index, lost):
    found = ClassificationJudge.score(self, output, index, lost)
    return PerTask(values={**found.values, "accuracy": found.values["accuracy"] & ~lost.any()}, scored=found.scored)


def by_place(self, output, index, lost):
    found = ClassificationJudge.score(self, output, index, lost)
    return PerTask(values={**found.values, "accuracy": found.values["accuracy"] & (torch.arange(len(lost)) > 0)}, scored=~lost)


def generous(self, output, index):
    found = ClassificationJudge.headline(self, output, index)
    return PerTask(values={"accuracy": found.values["accuracy"] | (index == 0)}, scored=found.scored)


def hopeful(self):
    return {"chance": 0.3}


@pytest.mark.parametrize(
    ("goal", "test", "message"),
    [
        (Seedless(), "the_same_seed_gives_the_same_tasks_and_another_others", "seed has no influence"),
        (LimitTakesOthers(), "a_limit_keeps_the_first_tasks", "must keep the first tasks"),
        (Unbounded(), "a_limit_keeps_the_first_tasks", "limit 1 gave 80 of 80"),
        (TwoHeadlines(), "metrics_are_named_once_and_one_is_the_headline", "exactly one headline metric; it has 2"),
        (TakesAll(), "schemes_that_cannot_be_judged_are_refused_in_words", "must say why"),
        (OptionsLost(), "options_have_defaults_and_variants_hold_the_choice", "must hold the options"),
        (judged(score=lenient), "a_lost_task_is_the_worst_whatever_it_holds", "'accuracy' must be 0, not 1"),
        (judged(score=spoilt), "a_lost_task_is_the_worst_whatever_it_holds", "a task lost: the others: 'accuracy' differs"),
        (judged(score=by_place), "permuting_tasks_permutes_the_values", "'accuracy' differs"),
        (judged(score=by_place), "perfect_output_reaches_the_bound", "perfect output: 'accuracy' must be 1"),
        (judged(headline=generous), "headline_equals_what_score_gives", "headline and score differ"),
        (judged(references=hopeful), "chance_agrees_with_random_draws", "chance is said to be 0.3, and 20000 random answers"),
        (IgnoresWeights(), "a_task_drawn_twice_counts_twice", "weights and copies: 'plain' must be"),
    ],
)
def test_a_broken_goal_is_found_and_told_what_is_wrong(goal, test, message):
    with pytest.raises((AssertionError, HilError), match=message):
        getattr(GoalContract(), f"test_{test}")(classification_exam(goal=goal))
