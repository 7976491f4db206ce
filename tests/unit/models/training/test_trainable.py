"""What each stage trains, its loss, and the channel in between."""

import torch

from hil.models.load import build_network
from hil.models.recipe import SnrRange
from hil.models.training.trainable import Batch, RetrievalTraining
from tests.unit.models.training.tiny import SIZE, baseline, noma, stage


def test_stages_train_what_they_should_and_nothing_else():
    whole = noma(init=None, t1=stage("cross_entropy"))
    torch.manual_seed(0)
    training = RetrievalTraining(build_network(whole), whole, classes=4)
    moved = {}
    for name in whole.stages():
        training.enter(name)
        before = {key: value.clone() for key, value in training.state_dict().items()}
        groups = [{"params": members, "lr": 0.1 * factor} for factor, members in training.parameter_groups(name)]
        optimiser = torch.optim.SGD(groups)
        batch = Batch(
            labels=torch.tensor([0, 1, 2, 3]),
            generator=torch.Generator().manual_seed(0),
            views=None if training.cached(name) else torch.rand(4, 2, 3, *SIZE),
            features=torch.randn(4, 2, 8) if training.cached(name) else None,
        )
        torch.autograd.backward(training.loss(name, batch))
        optimiser.step()
        after = training.state_dict()
        moved[name] = {key.removeprefix("network.").split(".")[0] for key in after if not torch.equal(after[key], before[key])}
    assert moved == {
        "t1": {"backbones", "classifiers"},
        "t2": {"encoders", "decoders"},
        "t3": {"backbones", "classifiers", "encoders", "decoders"},
    }


def test_pair_loss_is_the_mean_of_three_cross_entropies():
    whole = baseline(held_out=0.0)
    training = RetrievalTraining(build_network(whole), whole.model_copy(update={"t1": stage("cross_entropy")}), classes=5)
    features, labels = torch.randn(6, 2, 8), torch.randint(0, 5, (6,))
    first, second, main = training.classifiers
    scores = [first(features[:, 0]), second(features[:, 1]), main(torch.cat([features[:, 0], features[:, 1]], 1))]
    expected = sum(-torch.log_softmax(score, 1)[range(6), labels].mean() for score in scores) / 3
    batch = Batch(labels=labels, generator=torch.Generator(), features=features)
    torch.testing.assert_close(training.loss("t1", batch), expected)


def test_training_snr_is_uniform_in_the_range():
    whole = noma(snr_db_train=SnrRange(low=-6, high=15))
    training = RetrievalTraining(build_network(whole).eval(), whole, classes=4)
    seen = []
    network = training.network.eval()
    network.demodulate = lambda received: seen.append(received.symbols)
    features = torch.randn(4000, 2, 8)
    with torch.no_grad():
        training.transmit(network, features, torch.Generator().manual_seed(0))
        noise = (seen[0] - network.modulate(features).sum(0)).abs().square().mean()
    edges = torch.tensor([-6.0, 15.0])
    low, high = (10 ** (-edges / 10)).tolist()
    expected = (low - high) / (21 * torch.log(torch.tensor(10.0)) / 10)  # mean of 10^(-s/10), s uniform
    assert abs(float(noise) / float(expected) - 1) < 0.05
