"""The classifier: logits of any size of image, nothing sent, and the parts that taps cut it into."""

import pytest
import torch

from hil.errors import ModelError
from hil.models.load import build_network
from hil.models.recipe import Recipe


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(5)
    return build_network(Recipe(name="tiny", scheme="image-classifier", image_size=(16, 16), classes=4)).eval()


def test_it_sends_nothing_and_puts_out_logits(network):
    views = torch.rand(3, 1, 3, 16, 16)
    with torch.no_grad():
        sent = network.encode(views)
        assert sent.symbols.shape == (1, 3, 0)
        torch.testing.assert_close(network.decode({}, side=sent.side).logits, network(views[:, 0]))
    with pytest.raises(ModelError, match="side"):
        network.decode({})


@pytest.mark.parametrize("tap", [1, 2, 3, 4])
def test_a_tap_cuts_it_in_two(network, tap):
    images = torch.rand(2, 3, 16, 16)
    with torch.no_grad():
        torch.testing.assert_close(network.judged(network.maps(images, tap), tap), network(images))


def test_larger_images_are_averaged_down(network):
    images = torch.rand(2, 3, 16, 16)
    with torch.no_grad():
        torch.testing.assert_close(network(images.repeat_interleave(3, 2).repeat_interleave(3, 3)), network(images))
