"""What training sends through: fades, misalignment, frames; and gradients through it."""

import math

import pytest
import torch

from hil.errors import ModelError
from hil.models.contract import Plan, Received, normalize_power
from hil.models.load import build_network
from hil.models.recipe import SnrRange
from hil.models.training.medium import TASKS_PER_FRAME, CapturedLinks, Drawn, TrainingMedium
from hil.models.training.trainable import Batch, RetrievalTraining
from tests.unit.models.training.tiny import SIZE, noma, recipe, stage


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def plan(transmitters=2, uses=24, rx_csi="channel"):
    return Plan(occupied=torch.ones(transmitters, uses, dtype=torch.bool), rx_csi=rx_csi)


def drawn(one, tasks):
    symbols = torch.randn(one.transmitters, tasks, one.uses, dtype=torch.complex64, generator=generator(1))
    return normalize_power(symbols, one.occupied)


def test_slow_fading_is_one_rayleigh_gain_a_task_and_link():
    medium = TrainingMedium(noma(channel={"fading": "rayleigh"}), plan())
    symbols = drawn(plan(), 4000)
    got = medium.send(symbols, Drawn(torch.full((4000,), 100.0)), generator())
    assert torch.equal(got.channel, got.channel[..., :1].expand_as(got.channel))
    torch.testing.assert_close(got.symbols, (got.channel * symbols).sum(0), atol=1e-3, rtol=1e-3)
    assert float(got.channel[..., 0].abs().square().mean()) == pytest.approx(1, abs=0.05)
    assert float(got.channel[..., 0].mean().abs()) < 0.05
    assert TrainingMedium(noma(), plan()).draw_gains(3, generator()) is None


def test_misalignment_is_as_wide_as_the_recipe_says():
    medium = TrainingMedium(noma(channel={"phase_error_deg": 20.0, "power_imbalance_db": 1.5}), plan())
    gains = medium.draw_gains(6000, generator())
    assert math.degrees(float(gains.angle().std())) == pytest.approx(20, rel=0.05)
    assert float((20 * gains.abs().log10()).std()) == pytest.approx(1.5, rel=0.05)


def test_through_frames_the_snr_is_as_drawn_and_one_a_frame():
    one = plan(uses=52)
    medium = TrainingMedium(noma(channel={"through": "frames"}, snr_db_train=SnrRange(low=0, high=20)), one)
    tasks = 2 * TASKS_PER_FRAME + 5
    sent_at = medium.draw(tasks, generator())
    snr_db = sent_at.snr_db
    assert [len(part.unique()) for part in snr_db.split(TASKS_PER_FRAME)] == [1, 1, 1]
    symbols = drawn(one, tasks)
    got = medium.send(symbols, sent_at, generator())
    assert torch.equal(got.symbols, medium.send(symbols, sent_at, generator()).symbols)
    for index, level in enumerate(snr_db[::TASKS_PER_FRAME].tolist()):
        rows = slice(index * TASKS_PER_FRAME, min((index + 1) * TASKS_PER_FRAME, tasks))
        error = float((got.symbols[rows] - symbols.sum(0)[rows]).abs().square().mean())
        assert -10 * math.log10(error) == pytest.approx(level, abs=1.2)  # estimated channels cost a little
        assert float(got.noise_var[rows].mean()) == pytest.approx(10 ** (-level / 10), rel=0.25)


def test_captured_tasks_are_sent_through_as_they_were():
    one = plan(uses=24)
    channel = torch.randn(2, 50, 24, dtype=torch.complex64, generator=generator(2))
    noise_var = (10 ** -torch.linspace(0, 3, 50))[:, None].expand(50, 24).contiguous()
    medium = TrainingMedium(noma(channel={"through": "capture", "captures": ("a",)}), one)
    with pytest.raises(ModelError, match="--from-capture"):
        medium.draw(4, generator())
    with pytest.raises(ModelError, match="take a capture of a scheme that sends as much"):
        medium.take(CapturedLinks(channel=channel[:1], noise_var=noise_var, captures=("a",)))
    medium.take(CapturedLinks(channel=channel, noise_var=noise_var, captures=("a",)))
    symbols, met = drawn(one, 4000), medium.draw(4000, generator())
    got = medium.send(symbols, met, generator(3))
    assert torch.equal(got.channel, channel[:, met.rows])
    assert torch.equal(got.noise_var, noise_var[met.rows])
    error = (got.symbols - (got.channel * symbols).sum(0)).abs().square() / got.noise_var
    assert float(error.mean()) == pytest.approx(1, abs=0.02)
    power = channel.abs().square().mean((0, 2)) / noise_var.mean(1)
    torch.testing.assert_close(met.snr_db, 10 * power.log10()[met.rows])


@pytest.mark.parametrize("through", ["symbols", "frames"])
def test_a_stage_learns_through_every_medium(through):
    whole = noma(init=None, t1=stage("cross_entropy"), channel={"through": through, "phase_error_deg": 10.0})
    torch.manual_seed(0)
    training = RetrievalTraining(build_network(whole), whole, classes=4)
    training.enter("t3")
    batch = Batch(labels=torch.arange(4), generator=generator(), views=torch.rand(4, 2, 3, *SIZE, generator=generator()))
    torch.autograd.backward(training.loss("t3", batch))
    for encoder in training.network.encoders:
        assert float(encoder.layers[0].weight.grad.abs().max()) > 0


def test_the_correlation_term_is_added_as_weighed():
    torch.manual_seed(0)
    plain, weighed = noma(), noma(correlation_weight=3.0)
    network = build_network(plain).eval()
    features = torch.randn(6, 2, 8)
    losses = []
    for settings in (plain, weighed):
        torch.manual_seed(1)
        training = RetrievalTraining(network, settings, classes=6)
        batch = Batch(labels=torch.arange(6), generator=generator(), features=features)
        losses.append(training.loss("t3", batch))
    first, second = network.modulate(features).unbind(0)
    cosine = (first.conj() * second).real.sum(1) / (first.norm(dim=1) * second.norm(dim=1))
    torch.testing.assert_close(losses[1] - losses[0], 3 * cosine.square().mean(), atol=1e-5, rtol=1e-4)


def test_gradients_through_the_superposition_match_finite_differences():
    """Encoders, power constraint, fades, superposition and decoders, in double precision."""
    for scheme in ("jscc-noma", "jscc-noma-csir"):
        torch.manual_seed(2)
        network = build_network(recipe("x", scheme, features=4, uses=3)).double().eval()
        for decoder in network.decoders:  # BatchNorm in evaluation mode; LeakyReLU's corners are not met
            decoder.requires_grad_(False)
        gains = torch.randn(2, 2, 1, dtype=torch.complex128, generator=generator())

        def through(features, network=network, gains=gains):
            symbols = network.modulate(features)
            noise = torch.full((1, 1), 0.1, dtype=torch.float64)
            got = Received.for_plan(network.plan, symbols=(gains * symbols).sum(0), noise_var=noise, channel=gains)
            return network.demodulate(got)

        features = torch.randn(2, 2, 4, dtype=torch.float64, generator=generator(3)).requires_grad_()
        # what the decoders are told of the channel is rounded to float32 and does not hang on the features
        assert torch.autograd.gradcheck(through, (features,), eps=1e-6, atol=1e-5)
