"""T1's options: batch-hard triplets, identity-balanced batches, the neck and warm-up; and that they leave old recipes alone."""

import itertools

import pytest
import torch

from hil.errors import DatasetError, ModelError
from hil.models.load import build_network, load_scheme
from hil.models.recipe import Stage
from hil.models.training.checkpoint import run_key
from hil.models.training.train import train
from hil.models.training.trainable import Batch, RetrievalTraining
from hil.models.training.triplets import balanced_batches, batch_hard_triplet
from tests.unit.models.training.tiny import SIZE, baseline, noma, recipe, stage, tiny

HARD = {"triplet": 1.0, "per_identity": 2}


def test_the_loss_is_of_the_hardest_triplets_and_has_a_gradient_where_two_features_are_the_same():
    features, labels = torch.randn(12, 5, dtype=torch.float64), torch.arange(12) // 3
    features[1] = features[0]
    features.requires_grad_(True)
    losses = []
    for anchor in range(12):
        distance = [float((features[anchor] - features[other]).detach().norm()) for other in range(12)]
        triples = itertools.product(range(12), repeat=2)
        losses.append(
            max(
                max(0.0, 0.3 + distance[good] - distance[bad])
                for good, bad in triples
                if labels[good] == labels[anchor] != labels[bad]
            )
        )
    found = batch_hard_triplet(features, labels, 0.3)
    assert found.item() == pytest.approx(sum(losses) / 12, rel=1e-5)
    torch.autograd.backward(found)
    assert torch.isfinite(features.grad).all()
    far = torch.eye(4).repeat_interleave(3, 0) * 9
    assert float(batch_hard_triplet(far, labels, 0.3)) == 0


def test_batches_hold_p_identities_k_times_and_reach_all():
    labels = torch.tensor([0] * 9 + [1] * 4 + [2] * 8 + [3] * 2 + [4] * 5)
    generator, seen = torch.Generator().manual_seed(1), set()
    for _ in range(30):
        batches = balanced_batches(labels, generator, identities=2, each=4)
        for batch in batches:
            counts = torch.unique(labels[batch], return_counts=True)[1]
            assert counts.tolist() == [4, 4]
            seen |= set(batch.tolist())
    assert seen == set(range(len(labels)))
    again = [balanced_batches(labels, torch.Generator().manual_seed(2), identities=2, each=4) for _ in range(2)]
    assert all(torch.equal(one, other) for one, other in zip(*again, strict=True))
    with pytest.raises(DatasetError, match="needs 6 identities"):
        balanced_batches(labels, generator, identities=6, each=4)


def test_a_neck_stands_between_triplets_and_classifiers_and_is_sent_behind():
    first = baseline(bnneck=True, held_out=0.0).model_copy(update={"t1": stage("cross_entropy", **HARD)})
    training = RetrievalTraining(build_network(first), first, classes=4)
    training.enter("t1")
    assert {key for key, value in training.network.necks.named_parameters() if value.requires_grad} == {"0.weight", "1.weight"}
    views, labels = torch.rand(8, 2, 3, *SIZE), torch.arange(8) // 2
    loss = training.loss("t1", Batch(labels=labels, generator=torch.Generator(), views=views))
    with torch.no_grad():
        before = training.network.pooled(views)
        after = training.network.extract(views)
        triplets = torch.stack([batch_hard_triplet(one, labels, 0.3) for one in before.unbind(1)]).mean()
        expected = training._identity_loss(after, Batch(labels=labels, generator=torch.Generator()), first.t1) + triplets
    torch.testing.assert_close(loss, expected)
    assert after.mean(0).abs().max() < 1e-5  # normalised, no shift
    torch.autograd.backward(loss)


def test_t1_with_all_options_starts_a_recipe_of_the_same_neck(tmp_path):
    t1 = stage("cross_entropy", 2, label_smoothing=0.1, warm_up=1, **HARD)
    train(recipe("baseline-pair", "baseline-pair", bnneck=True, t1=t1), tiny(), tmp_path, device="cpu")
    train(noma(bnneck=True), tiny(), tmp_path, device="cpu")
    network = load_scheme("jscc-noma", tmp_path)
    assert len(network.necks) == 2
    assert not torch.equal(network.necks[0].running_mean, torch.zeros(8))
    with pytest.raises(ModelError, match="bnneck = True"):
        train(noma(), tiny(), tmp_path, device="cpu")


def test_warm_up_rises_linearly():
    from hil.models.training.train import _rate

    steps = Stage(epochs=20, lr=1.0, loss="cross_entropy", warm_up=10, lr_drops=(15,))
    assert [_rate(steps, position) for position in (0, 2.5, 10, 14, 15)] == pytest.approx([0, 0.25, 1, 1, 0.1])
    cosine = steps.model_copy(update={"schedule": "cosine", "warm_up": 5})
    assert _rate(cosine, 2.5) == pytest.approx(0.5)
    assert _rate(cosine, 20) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"t1": {"triplet": 1.0}}, "per_identity of 2 or more"),
        ({"t1": {"per_identity": 3}}, "multiple of per_identity"),
        ({"t1": {"per_identity": 8}}, "two times or more"),
        ({"t2": HARD}, "triplet is of t1 only"),
        ({"bnneck": True, "frozen": True}, "not frozen"),
    ],
)
def test_what_does_not_fit_together_is_refused(wrong, said):
    losses = {"t1": "cross_entropy", "t2": "mse"}
    settings = {
        key: {"epochs": 1, "batch_size": 8, "lr": 1.0, "loss": losses[key], **value} if key in losses else value
        for key, value in wrong.items()
    }
    with pytest.raises(ValueError, match=said):
        recipe("wrong", "jscc-single", **settings)


def test_checkpoints_of_recipes_without_the_options_stay_theirs(monkeypatch):
    monkeypatch.setattr(torch, "__version__", "any")
    plain = noma(init=None, t1=stage("cross_entropy", 3), dataset="synthetic")
    assert run_key(plain, "f00d") == KEY
    assert run_key(noma(init=None, t1=stage("cross_entropy", 3, warm_up=1), dataset="synthetic"), "f00d") != KEY
    assert run_key(plain.model_copy(update={"bnneck": True}), "f00d") != KEY


KEY = "56bad7662c4f48b8e9250e23d2af8d09bef8b849da518d6da17dfd4819eee1c3"
"""Of this recipe, made by the version before the options."""
