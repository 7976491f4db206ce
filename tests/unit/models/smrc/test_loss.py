"""The loss of SMRC against its formula, pooled classes, and masks of regions by hand."""

import pytest
import torch

from hil.models.smrc.loss import pixel_loss, pooled, region_mask, semantic_loss, unpooled

DRAW = torch.Generator().manual_seed(2)
LOGITS = 2 * torch.randn(40, 10, generator=DRAW, dtype=torch.float64)
CLASSES = torch.randint(0, 10, (40,), generator=DRAW)
BETAS = {
    "1": torch.tensor([1.0] * 5 + [0.0] * 5, dtype=torch.float64),
    "2": torch.tensor([1.0] * 5 + [0.5] * 5, dtype=torch.float64),
}


@pytest.mark.parametrize("beta", BETAS)
def test_the_semantic_loss_is_its_formula(beta):
    weights = BETAS[beta]
    chances = LOGITS.exp() / LOGITS.exp().sum(1, keepdim=True)
    expected = -sum(float(weights[c]) * float(chances[row, c].log()) for row, c in enumerate(CLASSES.tolist())) / 40
    assert float(semantic_loss(LOGITS, CLASSES, weights)) == pytest.approx(expected)


def test_with_weights_of_one_it_is_the_cross_entropy():
    expected = torch.nn.functional.cross_entropy(LOGITS, CLASSES)
    torch.testing.assert_close(semantic_loss(LOGITS, CLASSES, torch.ones(10, dtype=torch.float64)), expected)


def test_pooled_classes_share_their_chance():
    """β³: five classes and the sixth of all the others, whose chance is the sum of theirs."""
    chances = torch.softmax(LOGITS, 1)
    torch.testing.assert_close(torch.softmax(pooled(LOGITS, 5), 1)[:, 5], chances[:, 5:].sum(1))
    truth = torch.where(CLASSES < 5, chances.gather(1, CLASSES[:, None])[:, 0], chances[:, 5:].sum(1))
    ones = torch.ones(10, dtype=torch.float64)
    torch.testing.assert_close(semantic_loss(LOGITS, CLASSES, ones, pool=5), -truth.log().mean())
    for nothing in (0, 1):
        assert torch.equal(semantic_loss(LOGITS, CLASSES, ones, pool=nothing), semantic_loss(LOGITS, CLASSES, ones))


def test_unpooled_logits_keep_the_answer_of_the_pool():
    found, answer = unpooled(LOGITS, 5), pooled(LOGITS, 5).argmax(1)
    assert int((answer != LOGITS.argmax(1).clamp_max(5)).sum()) > 0  # pooling changes answers
    assert torch.equal(found.argmax(1).clamp_max(5), answer)
    assert torch.equal(found[:, 5:].argmax(1), LOGITS[:, 5:].argmax(1))
    assert torch.equal(unpooled(LOGITS, 0), LOGITS)


def test_the_pixel_loss_counts_what_the_mask_lets_through():
    sent, received = torch.zeros(2, 3, 2, 2), torch.ones(2, 3, 2, 2)
    received[1] = 0.5
    assert float(pixel_loss(sent, received)) == pytest.approx((12 + 3) / 2)
    assert float(pixel_loss(sent, received, how="mean")) == pytest.approx((1 + 0.25) / 2)
    mask = torch.tensor([[1.0, 0.5], [0.0, 0.0]]).expand(2, 1, 2, 2)
    assert float(pixel_loss(sent, received, mask=mask)) == pytest.approx((3 * 1.25 + 3 * 0.3125) / 2)


def test_regions_are_the_boxes_of_each_image():
    boxes = [torch.tensor([[1.0, 0.0, 2.5, 2.0, 7.0]]), torch.zeros(0, 5)]
    mask = region_mask(boxes, (3, 4), 0.25)
    expected = torch.full((3, 4), 0.25)
    expected[0:2, 1:3] = 1.0
    assert torch.equal(mask[0, 0], expected)
    assert torch.equal(mask[1, 0], torch.ones(3, 4))
