"""The mathematical channel beside the air: what comes back of every task and draw."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from hil.datasets.dataset import load_dataset
from hil.errors import ModelError
from hil.goals.detection.goal import Detection, DetectionOptions
from hil.goals.image.goal import Image, ImageOptions
from hil.models.contract import Boxes, Received
from hil.models.load import load_scheme
from hil.points.contender import Contender
from hil.points.simulate import Medium, simulate

FOLDER = Path(__file__).resolve().parents[2] / "system" / "schemes"


def contender(scheme, goal, options, limit=20):
    dataset = load_dataset(f"{FOLDER}/shapes.py:load")
    tasks = goal.tasks(dataset, views=1, seed=0, limit=limit)
    judge = goal.judge(scheme, dataset, tasks, options)
    return Contender(
        name="mine", scheme=scheme, dataset=dataset, tasks=tasks, goals={goal.name: goal}, judges={goal.name: judge}
    )


def test_every_task_has_its_value_in_every_draw_and_draws_are_their_own():
    one = contender(load_scheme(f"{FOLDER}/analog_image.py:AnalogImage", []), Image(), ImageOptions())
    sent, media = one.encode(), {"rx": Medium(noise_var=torch.full((1, 1), 0.1))}
    sample = simulate(one, sent, media, draws=5, seed=7)["image", None]
    assert torch.equal(sample.index, torch.arange(20).repeat(5))
    assert sorted(sample.draw.unique().tolist()) == [0, 1, 2, 3, 4]
    fewer = simulate(one, sent, media, draws=3, seed=7)["image", None]
    for number in range(3):  # draw d is a function of (seed, d) alone
        own = [values.tasks.values["psnr"][values.draw == number] for values in (sample, fewer)]
        assert torch.equal(*own)
    assert not torch.equal(sample.tasks.values["psnr"][sample.draw == 0], sample.tasks.values["psnr"][sample.draw == 1])


class Ragged:
    """Gives one box more in batches whose first symbol is loud, as networks with a threshold do."""

    def __init__(self):
        inner = load_scheme(f"{FOLDER}/blob_detector.py:BlobDetector", [])
        self.card, self.plan, self.encode, self.inner = inner.card, inner.plan, inner.encode, inner

    def decode(self, received, blocks=("all",), side=None):
        made = self.inner.decode(received)
        if received["rx"].symbols[0, 0].abs() < 1:
            return made
        scores = torch.cat([made.scores, made.scores / 2], 1)
        return Boxes(boxes=made.boxes.repeat(1, 2, 1), scores=scores, labels=made.labels.repeat(1, 2), erased=made.erased)


def test_outputs_of_different_width_are_filled_up():
    one = contender(Ragged(), Detection(), DetectionOptions())
    media = {"rx": Medium(noise_var=torch.full((1, 1), 1e-4))}
    sample = simulate(one, one.encode(), media, draws=8, seed=1)["detection", None]
    assert sample.tasks.values["score"].shape == (160, 2)
    assert 0 < int((sample.tasks.values["score"][:, 1] > 0).sum()) < 160
    assert sample.value(Detection().metrics[0]) == pytest.approx(1.0)


def test_a_scheme_that_breaks_its_contract_is_told_so_before_anything_is_sent():
    scheme = load_scheme(f"{FOLDER}/blob_detector.py:BlobDetector", [])
    one = contender(scheme, Detection(), DetectionOptions())
    encode = scheme.encode
    scheme.encode = lambda views: encode(views).symbols
    with pytest.raises(ModelError, match=r"encode must give hil.models.contract.Sent, not a tensor complex64 \[1, 20, 20\]"):
        one.encode()
    scheme.decode = lambda received, blocks, side: received["rx"].symbols.real
    silent = Received.for_plan(scheme.plan, symbols=torch.zeros(20, 20, dtype=torch.complex64), noise_var=torch.ones(1, 1))
    with pytest.raises(ModelError, match=r"must give hil.models.contract.Boxes, not a tensor float32"):
        one.decode({"rx": silent})


class GivesUp:
    """Answers rightly, and gives up every third task of a batch."""

    def __init__(self):
        inner = load_scheme(f"{FOLDER}/blob_detector.py:BlobDetector", [])
        self.card, self.plan, self.encode, self.inner = inner.card, inner.plan, inner.encode, inner

    def decode(self, received, blocks=("all",), side=None):
        return replace(self.inner.decode(received), erased=torch.arange(len(received["rx"].symbols)) % 3 == 0)


def test_a_task_that_the_decoder_gives_up_is_a_miss_in_its_own_place():
    one = contender(GivesUp(), Detection(), DetectionOptions())
    media = {"rx": Medium(noise_var=torch.full((1, 1), 1e-4))}
    sample = simulate(one, one.encode(), media, draws=3, seed=1)["detection", None]
    given_up = sample.index % 3 == 0
    assert torch.equal(sample.tasks.scored.bool(), ~given_up)
    assert not bool(sample.tasks.values["score"][given_up].any())
    assert bool((sample.tasks.values["score"][~given_up].amax(1) > 0).all())
    whole = contender(load_scheme(f"{FOLDER}/blob_detector.py:BlobDetector", []), Detection(), DetectionOptions())
    free = simulate(whole, whole.encode(), media, draws=3, seed=1)["detection", None]
    for name, value in sample.tasks.values.items():
        assert torch.equal(value[~given_up], free.tasks.values[name][~given_up])
    assert sample.value(Detection().metrics[0]) < free.value(Detection().metrics[0])
