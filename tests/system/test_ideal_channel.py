"""One scheme a goal, end to end over the ideal channel: encoder, noise, decoder, goal. No radio; truths in closed form."""

import math
from pathlib import Path
from statistics import NormalDist

import pytest
import torch
import torch.nn.functional as F

from hil.datasets.dataset import load_dataset
from hil.goals.contract import headline
from hil.models.contract import power_used
from hil.models.load import load_scheme
from hil.models.testing import received_for
from hil.points.contender import Contender
from hil.points.simulate import Medium, simulate
from hil.registry import GOALS
from hil.units import power_to_db

FOLDER = Path(__file__).resolve().parent / "schemes"
NETWORKS = f"{FOLDER}/task_networks.py"


def contender(scheme, *goals, dataset=f"{FOLDER}/shapes.py:load:400", limit=None, **options):
    """A third party's scheme, ready, judged by the goals named; options by goal."""
    loaded = load_scheme(f"{FOLDER}/{scheme}", [])
    images = load_dataset(dataset, image_size=loaded.card.image_size)
    made = {name: GOALS.load(name)() for name in goals}
    chosen = {name: goal.options(**options.get(name, {})) for name, goal in made.items()}
    first = next(iter(made.values()))
    tasks = first.tasks(images, views=loaded.plan.transmitters, seed=1, limit=limit)
    for name, goal in made.items():
        assert goal.lacks(images) == ""
        assert goal.refuses(loaded, chosen[name]) == ""
    judges = {name: goal.judge(loaded, images, tasks, chosen[name]) for name, goal in made.items()}
    return Contender(name=scheme, scheme=loaded, dataset=images, tasks=tasks, goals=made, judges=judges, options=chosen)


def metrics(one, decoded):
    """All metrics by goal, of tasks answered in order."""
    found = one.score(decoded, torch.arange(len(one.tasks)))
    return {
        goal: {metric.name: metric.of(tasks) for metric in one.goals[goal].metrics_for(one.dataset)}
        for (goal, _), tasks in found.items()
    }


def simulated(one, snr_db, draws=4):
    """The headline of each goal over noise draws."""
    media = {name: Medium(noise_var=torch.full((1, 1), 10 ** (-snr_db / 10))) for name in one.plan.receivers}
    found = simulate(one, one.encode(), media, draws=draws, seed=3)
    return {goal: sample.value(headline(one.goals[goal])) for (goal, _), sample in found.items()}, found


@pytest.mark.parametrize("name", ["AnalogImage", "AnalogPair"])
def test_psnr_of_the_analog_scheme_follows_its_closed_form(name):
    one = contender(f"analog_image.py:{name}", "image")
    sent = one.encode()
    assert float(power_used(sent.symbols, one.plan.occupied).mean()) == pytest.approx(1, rel=0.03)
    images = one.dataset.test.float_images(one.tasks.views[:, : one.plan.transmitters].flatten())
    blocks = F.avg_pool2d(images, 2).repeat_interleave(2, 2).repeat_interleave(2, 3)
    within = float((images - blocks).square().mean())
    assert metrics(one, one.noiseless(sent))["image"]["psnr_of_mean"] == pytest.approx(-power_to_db(within), abs=1e-4)
    psnr_of_mean = one.goals["image"].metrics[1]
    for snr_db in (10.0, 15.0, 20.0):
        _, found = simulated(one, snr_db)
        expected = -power_to_db(within + 0.0116 * 10 ** (-snr_db / 10))
        assert found["image", None].tasks.values["mse"].shape == (4 * len(one.tasks),)
        assert found["image", None].value(psnr_of_mean) == pytest.approx(expected, abs=0.03)


def test_accuracy_of_the_classifier_lies_between_its_bounds():
    one = contender("colour_classifier.py:ColourClassifier", "classification")
    clean = metrics(one, one.noiseless(one.encode()))["classification"]
    assert clean == dict.fromkeys(clean, 1.0)
    assert set(clean) > {"accuracy", "macro_f1", "recall_red", "precision_light_blue"}
    templates = one.scheme.templates
    apart = torch.cdist(torch.view_as_real(templates).flatten(1), torch.view_as_real(templates).flatten(1))
    pairs = apart[~torch.eye(4, dtype=torch.bool)].view(4, 3)
    for snr_db in (-8.0, -5.0):
        deviation = (10 ** (-snr_db / 10) / 2) ** 0.5  # of a real dimension
        errors = torch.tensor([[NormalDist().cdf(-float(d) / 2 / deviation) for d in row] for row in pairs])
        share = simulated(one, snr_db, draws=25)[0]["classification"]
        error = 4 * (share * (1 - share) / (25 * len(one.tasks))) ** 0.5 + 0.005  # the colours sent scatter a little
        assert 1 - float(errors.sum(1).mean()) - error <= share <= 1 - float(errors.max(1).values.mean()) + error
    nothing = simulated(one, -60.0, draws=25)[0]["classification"]
    assert nothing == pytest.approx(0.25, abs=4 * (0.1875 / (25 * len(one.tasks))) ** 0.5 + 0.005)


def test_boxes_of_the_detector_scatter_as_its_phases_do():
    one = contender("blob_detector.py:BlobDetector", "detection")
    sent = one.encode()
    assert metrics(one, one.noiseless(sent))["detection"] == {"map50": 1.0, "map50_voc07": 1.0, "map_coco": 1.0}
    truth = torch.stack([one.dataset.test.boxes[place][0, :4] for place in one.tasks.views[:, 0].tolist()])
    noise_var = 0.01
    output = one.decode(received_for(one.plan, sent, noise_var=noise_var)).outputs[""]
    inner = (truth > 0) & (truth < 16)  # at the border a share is clamped
    expected = 16 / math.pi * (noise_var / 2 / 4) ** 0.5
    assert float((output.boxes[:, 0] - truth)[inner].std()) == pytest.approx(expected, rel=0.05)
    values = [simulated(one, snr_db, draws=3)[0]["detection"] for snr_db in (25.0, 5.0, -15.0)]
    assert values[0] > 0.99
    assert values[0] > values[1] > values[2]
    assert values[2] < 0.1


def test_one_image_scheme_serves_three_goals_by_task_networks():
    one = contender(
        "analog_image.py:AnalogImage", "image", "classification", "detection",
        classification={"task_network": f"{NETWORKS}:Classifier"}, detection={"task_network": f"{NETWORKS}:Detector"},
    )  # fmt: skip
    clean = metrics(one, one.noiseless(one.encode()))
    assert clean["classification"]["accuracy"] == 1.0
    assert 0.5 < clean["detection"]["map50"] <= 1.0  # means of 2 × 2 pixels blur the edges
    assert 20 < clean["image"]["psnr"] < 40
    uncoded = {goal: judge.references().get("uncoded") for goal, judge in one.judges.items()}
    assert uncoded["image"] is None
    for goal in ("classification", "detection"):
        assert headline(one.goals[goal]).of(uncoded[goal]) == 1.0
    good, bad = (simulated(one, snr_db)[0] for snr_db in (20.0, -10.0))
    assert all(good[goal] > bad[goal] for goal in good)
    assert bad["classification"] < 0.9


def test_an_image_scheme_serves_retrieval_by_a_task_network():
    options = {"retrieval": {"task_network": f"{NETWORKS}:Extractor", "gallery": "raw"}}
    dataset = "synthetic:identities=12"
    raw = contender("analog_image.py:AnalogPair", "retrieval", dataset=dataset, **options)
    again = contender(
        "analog_image.py:AnalogPair",
        "retrieval",
        dataset=dataset,
        retrieval=options["retrieval"] | {"gallery": "reconstructed"},
    )
    found = [metrics(one, one.noiseless(one.encode()))["retrieval"]["top1"] for one in (raw, again)]
    references = raw.judges["retrieval"].references()
    uncoded = headline(raw.goals["retrieval"]).of(references["uncoded"])
    # The extractor means over 4 × 4 pixels, so the scheme's own means over 2 × 2 change nothing without noise.
    assert found == pytest.approx([uncoded, uncoded])
    assert uncoded > 2 * references["chance"]
    assert simulated(raw, -15.0, draws=2)[0]["retrieval"] < uncoded
