"""Semantic weights against finite differences, the trap of the last tap, and the loss by hand."""

import pytest
import torch

from hil.errors import ModelError
from hil.models.image.semantic import effective_maps, importance, semantic_loss, semantic_weights
from hil.models.load import build_network
from hil.models.recipe import Recipe, Semantic


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(5)
    return build_network(Recipe(name="tiny", scheme="image-classifier", image_size=(16, 16), classes=4)).eval().double()


IMAGES = torch.rand(3, 3, 16, 16, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
LABELS = torch.tensor([2, 0, 2])


def settings(**changes):
    return Semantic(**{"task_network": "any", **changes})


@pytest.mark.parametrize("classes", ["mean", "label", "predicted"])
def test_importance_is_the_slope_of_the_logit(network, classes):
    """A small step of one whole map changes the logit by the sum of the map's gradient, which is the mean times its places."""
    found = importance(network, IMAGES, settings(classes=classes, tap=3), LABELS)
    with torch.no_grad():
        maps, step = network.maps(IMAGES, 3), 1e-7
        logits = network.judged(maps, 3)
        chosen = {"label": LABELS, "predicted": logits.argmax(1)}.get(classes)

        def counted(moved):
            scores = network.judged(moved, 3)
            return scores.mean(1) if chosen is None else scores.gather(1, chosen[:, None])[:, 0]

        for index in (0, 17, 40):
            up, down = maps.clone(), maps.clone()
            up[:, index] += step
            down[:, index] -= step
            slope = (counted(up) - counted(down)).mean() / (2 * step * maps[0, 0].numel())
            assert float(found[index]) == pytest.approx(float(slope), rel=1e-4, abs=1e-9)


def test_after_the_last_block_the_means_weights_hang_on_no_image(network):
    last = settings(classes="mean", tap=4)
    expected = network.head.weight.mean(0) / 4  # of 2 × 2 places
    torch.testing.assert_close(importance(network, IMAGES, last), expected)
    torch.testing.assert_close(importance(network, IMAGES[:1], last), expected)


def test_labels_are_asked_for_where_they_count(network):
    with pytest.raises(ModelError, match="label"):
        importance(network, IMAGES, settings(classes="label"))


def test_the_temperature_goes_from_uniform_to_a_single_map():
    wanted = torch.tensor([0.0, 1.0, 2.0, 3.0])
    torch.testing.assert_close(semantic_weights(wanted, 0.0), torch.ones(4))
    found = [effective_maps(semantic_weights(wanted, tau)) for tau in (0.0, 0.5, 2.0, 100.0)]
    assert found == sorted(found, reverse=True)
    assert (found[0], found[-1]) == (pytest.approx(4), pytest.approx(1))
    assert float(semantic_weights(wanted, 1.0).sum()) == pytest.approx(4)


def test_the_loss_is_its_formula_and_the_truth_gets_no_gradient(network):
    weights = torch.arange(64, dtype=torch.float64)
    other = (IMAGES * 0.5).requires_grad_(True)
    found = semantic_loss(network, 3, weights, IMAGES, other)
    with torch.no_grad():
        errors = network.maps(other, 3) - network.maps(IMAGES, 3)
        expected = sum(float(weights[k]) * float(errors[b, k].pow(2).sum()) for b in range(3) for k in range(64)) / 3
    assert float(found.detach()) == pytest.approx(expected)
    found.backward()
    assert bool((other.grad != 0).any())
    assert float(semantic_loss(network, 3, weights, IMAGES, IMAGES).detach()) == 0.0


def test_small_temperatures_are_uniform_and_large_ones_peaked():
    """Of 48 maps 48, 47.5, 21, 8 and 1 were measured on an ImageNet network; weights of a normal shape do the same.

    The paper's prose says the reverse.
    """
    wanted = 1e-3 * torch.special.ndtri((torch.arange(48, dtype=torch.float64) + 0.5) / 48)
    found = [effective_maps(semantic_weights(wanted, tau)) for tau in (1, 100, 1000, 2000, 10_000)]
    assert found == pytest.approx([48.0, 47.5, 21.1, 5.8, 1.0], abs=0.06)
