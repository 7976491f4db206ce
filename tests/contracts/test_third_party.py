"""The conformance suite on a third party's schemes, each a single file outside the package, as the tests' runs use them."""

from pathlib import Path

import pytest
import torch

from hil.datasets.dataset import load_dataset
from hil.models.contract import Scheme
from hil.models.load import load_scheme
from hil.models.testing import SchemeContract

FOLDER = Path(__file__).resolve().parent.parent / "system" / "schemes"
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
