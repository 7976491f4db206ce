"""The conformance suites on a third party's schemes and goal, single files outside the package, as the tests' runs use them."""

from pathlib import Path

import pytest
import torch

from hil.datasets.dataset import load_dataset
from hil.foreign import load_foreign
from hil.goals.testing import Exam, GoalContract
from hil.models.contract import Features, Scheme
from hil.models.load import load_scheme
from hil.models.testing import SchemeContract

SYSTEM = Path(__file__).resolve().parent.parent / "system"
FOLDER = SYSTEM / "schemes"
SCHEMES = (
    "analog_image.py:AnalogImage",
    "analog_image.py:AnalogPair",
    "colour_classifier.py:ColourClassifier",
    "blob_detector.py:BlobDetector",
)


@pytest.mark.parametrize("name", SCHEMES)
class TestThirdParty(SchemeContract):
    @pytest.fixture
    def scheme(self, name):
        return load_scheme(f"{FOLDER}/{name}", [])

    @pytest.fixture
    def views(self, scheme):
        images = load_dataset(f"{FOLDER}/shapes.py:load").test.float_images(torch.arange(7 * scheme.plan.transmitters))
        return images.unflatten(0, (7, scheme.plan.transmitters))

    def test_it_is_a_scheme(self, scheme):
        assert isinstance(scheme, Scheme)


class TestColumns(SchemeContract):
    """`bars.py` on the data set that it was made for."""

    @pytest.fixture
    def scheme(self):
        return load_scheme(f"{FOLDER}/bars.py:Bars", [])

    @pytest.fixture
    def views(self):
        return load_dataset(f"{SYSTEM}/datasets/bars.py:load").test.float_images(torch.arange(7))[:, None]


class TestPosition(GoalContract):
    @pytest.fixture
    def exam(self):
        goal = load_foreign(f"{SYSTEM}/goals/position.py:Position", "goal", call=True)
        dataset = load_dataset(f"{SYSTEM}/datasets/bars.py:load:64")

        def answers(columns):
            votes = torch.nn.functional.one_hot(columns, 8).float()[:, None]
            return Features(features=votes, erased=torch.zeros(len(columns), dtype=torch.bool))

        return Exam(
            goal=goal,
            dataset=dataset,
            scheme=load_scheme(f"{FOLDER}/bars.py:Bars", []),
            options=goal.options(),
            perfect=lambda tasks: answers(tasks.labels["column"]),
            ignorant=lambda count, generator: answers(torch.randint(8, (count,), generator=generator)),
            best={"distance": 0.0},
        )
