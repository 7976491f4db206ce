"""The detector: boxes in the pixels of what it is given, one an object; nothing sent; what its loss is lowest at."""

import pytest
import torch

from hil.errors import ConfigError, ModelError
from hil.models.image.detector import ImageDetector, _best_of_their_place, halvings, shared
from hil.models.load import build_network
from hil.models.recipe import Recipe


@pytest.fixture(scope="module")
def network() -> ImageDetector:
    torch.manual_seed(5)
    return build_network(Recipe(name="tiny", scheme="image-detector", image_size=(32, 48), classes=3)).eval()


def test_it_sends_nothing_and_puts_out_boxes(network):
    views = torch.rand(3, 1, 3, 32, 48)
    with torch.no_grad():
        sent = network.encode(views)
        found = network(views[:, 0])
    assert sent.symbols.shape == (1, 3, 0)
    decoded = network.decode({}, side=sent.side)
    for name in ("boxes", "scores", "labels"):
        assert torch.equal(getattr(decoded, name), getattr(found, name))
    assert bool((found.scores.diff(dim=1) <= 0).all())
    assert bool(((found.scores >= 0) & (found.scores <= 1)).all())
    assert found.labels.max() < 3
    with pytest.raises(ModelError, match="side"):
        network.decode({})


def test_boxes_are_in_the_pixels_of_the_image_given_and_inside_it(network):
    images = torch.rand(4, 3, 32, 48)
    with torch.no_grad():
        small, large = network(images), network(images.repeat_interleave(3, 2).repeat_interleave(2, 3))
    torch.testing.assert_close(small.scores, large.scores)
    kept = small.scores > 0
    torch.testing.assert_close(large.boxes[kept], (small.boxes * torch.tensor([2.0, 3.0, 2.0, 3.0]))[kept])
    assert bool((small.boxes >= 0).all())
    assert bool((small.boxes <= torch.tensor([48.0, 32.0, 48.0, 32.0])).all())


def test_cells_are_counted_along_rows(network):
    middles = network.middles()
    assert middles.shape == (8 * 12, 2)
    assert middles[0].tolist() == [2.0, 2.0]
    assert middles[1].tolist() == [6.0, 2.0]
    assert middles[12].tolist() == [2.0, 6.0]


def test_what_an_image_shows_moves_with_it(network):
    """By two cells, one of the look around: scores inside move along, so the grid is in the right order."""
    images = torch.full((1, 3, 32, 48), 0.5)
    images[:, :, 8:16, 8:20] = torch.rand(1, 3, 8, 12, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        here, there = (network.seen(one)[0].view(8, 12, 3) for one in (images, images.roll(8, 3)))
    torch.testing.assert_close(here[3, 4], there[3, 6], atol=1e-4, rtol=1e-3)


def test_of_overlapping_boxes_of_a_class_the_best_is_kept():
    boxes = torch.tensor([[[0.0, 0, 10, 10], [1, 0, 11, 10], [1, 0, 11, 10], [20, 0, 30, 10], [4, 0, 14, 10]]])
    labels = torch.tensor([[0, 0, 1, 0, 0]])
    # the fifth overlaps the second by 7/13, but that one was taken out itself; the first by 6/14
    assert _best_of_their_place(boxes, labels).tolist() == [[True, False, True, True, True]]


def test_areas_of_boxes():
    one, other = torch.tensor([0.0, 0, 4, 4]), torch.tensor([2.0, 1, 8, 3])
    assert [float(area) for area in shared(one, other)] == [4.0, 24.0, 32.0]
    assert [float(area) for area in shared(one, one + 10)] == [0.0, 32.0, 196.0]


def test_images_must_divide_into_cells():
    assert [halvings((side, side)) for side in (32, 64, 96, 128, 320)] == [2, 3, 3, 4, 5]
    with pytest.raises(ConfigError, match="multiples of 8"):
        build_network(Recipe(name="odd", scheme="image-detector", image_size=(100, 100)))
