"""Training of JSCC-FC and of the digital schemes: what moves, what is minimised, and what comes of it."""

import pytest
import torch

from hil.errors import ModelError
from hil.models.load import build_network, load_scheme
from hil.models.training.compressed import DigitalTraining, FcTraining, training_of
from hil.models.training.train import train
from hil.models.training.trainable import Batch, RetrievalTraining
from tests.unit.models.training.tiny import SIZE, baseline, noma, recipe, stage, tiny


def pair(**more):
    both = {"rate_weight": 0.05, "ce_weight": 2.0}
    stages = {"t2": stage("rate_accuracy", **both), "t3": stage("rate_accuracy", autoencoder_lr=0.5, **both)}
    return recipe("digital-pair", "digital-pair", **{"latent": 6, "init": "baseline-pair", **stages, **more})


def fc(**more):
    return recipe("jscc-fc", "jscc-fc", **{"t3": stage("cross_entropy"), **more})


def step(training, name, views):
    """The parts that one step of a stage moves."""
    training.enter(name)
    before = {key: value.clone() for key, value in training.state_dict().items()}
    groups = [{"params": members, "lr": 0.1 * factor} for factor, members in training.parameter_groups(name)]
    optimiser = torch.optim.SGD(groups)
    batch = Batch(
        labels=torch.tensor([0, 1, 2, 3]),
        generator=torch.Generator().manual_seed(0),
        views=None if training.cached(name) else torch.rand(4, views, 3, *SIZE),
        features=3 * torch.randn(4, views, 8) if training.cached(name) else None,
    )
    torch.autograd.backward(training.loss(name, batch))
    optimiser.step()
    after = training.state_dict()
    return {key.removeprefix("network.").split(".")[0] for key in after if not torch.equal(after[key], before[key])}


def test_stages_train_what_they_should_and_nothing_else():
    torch.manual_seed(0)
    digital = training_of(build_network(pair()), pair(), classes=4)
    assert isinstance(digital, DigitalTraining)
    assert step(digital, "t2", 2) == {"encoders", "densities", "classifiers"}
    assert step(digital, "t3", 2) == {"backbones", "encoders", "densities", "classifiers"}
    assert [factor for factor, _ in digital.parameter_groups("t3")] == [1.0, 0.5]
    analogue = training_of(build_network(fc()), fc(), classes=4)
    assert isinstance(analogue, FcTraining)
    assert step(analogue, "t3", 1) == {"backbones", "encoders", "classifiers"}
    assert type(training_of(build_network(noma()), noma(), classes=4)) is RetrievalTraining


def test_the_loss_is_weighted_cross_entropy_and_bits_of_noisy_latents():
    torch.manual_seed(1)
    training = training_of(build_network(pair()), pair(), classes=5)
    features, labels = torch.randn(16, 2, 8), torch.randint(0, 5, (16,))
    found = training.loss("t2", Batch(labels=labels, generator=torch.Generator().manual_seed(4), features=features))
    noisy = training.network.compress(features) + torch.rand(16, 2, 6, generator=torch.Generator().manual_seed(4)) - 0.5
    bits = torch.stack([density.bits(noisy[:, view]) for view, density in enumerate(training.network.densities)], 1).sum(1)
    inputs = [noisy[:, 0], noisy[:, 1], noisy.flatten(1)]
    scores = [classifier(one).log_softmax(1) for classifier, one in zip(training.classifiers, inputs, strict=True)]
    entropy = -torch.stack([score[range(16), labels] for score in scores]).mean()
    torch.testing.assert_close(found, 2.0 * entropy + 0.05 * bits.mean())


def test_trained_networks_are_usable_and_their_tables_follow_the_training(tmp_path):
    train(baseline(), tiny(), tmp_path, device="cpu")
    first = train(pair(), tiny(), tmp_path, device="cpu")
    digital = load_scheme("digital-pair", tmp_path)
    kept = digital.tables.clone()
    assert not torch.equal(kept, build_network(pair()).tables)
    digital.settle()  # parameters are stored as float16, the tables are of those that were trained
    assert (digital.tables - kept).abs().max().item() < 2000
    assert first["epochs"] == {"t2": 2, "t3": 2}
    assert first["snr_train_db"] == "noiseless"
    train(fc(), tiny(), tmp_path, device="cpu")
    assert load_scheme("jscc-fc", tmp_path).decoded == 16


def test_what_a_scheme_cannot_do_is_refused():
    for wrong, message in (
        (pair(init=None, t1=stage("cross_entropy")), "t1 must be another recipe's"),
        (pair(t2=stage("mse")), "t2.loss must be 'rate_accuracy', not 'mse'"),
        (fc(t2=stage("l1")), "leave t2 out"),
        (fc(t3=stage("rate_accuracy")), "t3.loss must be another than 'rate_accuracy'"),
        (noma(t2=stage("rate_accuracy")), "t2.loss must be another than"),
    ):
        with pytest.raises(ModelError, match=message):
            training_of(build_network(wrong), wrong, classes=4)
