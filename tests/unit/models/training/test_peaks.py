"""Peaks as a term of the loss: those that the radios would be handed, with gradients that lower them."""

import pytest
import torch

from hil.datasets.dataset import load_dataset
from hil.errors import ModelError
from hil.models.load import load_scheme
from hil.models.recipe import Peaks, Recipe
from hil.models.training.peaks import PeakPenalty
from hil.models.training.train import train
from hil.phy.crest import papr_db
from hil.phy.frame import FrameConfig
from hil.points.carried import Carried
from tests.unit.points.synthetic import spec_of, turns

STAGE = {"epochs": 1, "batch_size": 8, "optimiser": "adamw", "lr": 3e-3, "weight_decay": 0.0, "loss": "mse"}


def gaussian(transmitters, tasks, uses):
    return torch.randn(transmitters, tasks, uses, dtype=torch.complex64, generator=torch.Generator().manual_seed(1))


def recipe(**changes):
    settings = {"scheme": "deep-jscc", "uses": 48, "image_size": (16, 16), "dataset": "objects:images=20", "t3": STAGE}
    return Recipe(**{"name": "tiny", "snr_db_train": 10.0, **settings, **changes})


@pytest.mark.parametrize("transmitters", [1, 2])
@pytest.mark.parametrize("spreading", ["none", "dft"])
def test_it_is_the_mean_over_the_ofdm_symbols_that_a_run_would_send(spreading, transmitters):
    """Against the frames of `hil.points`, built by the kernels of runs and cut into OFDM symbols by hand."""
    occupied = turns(96, transmitters)
    spec = spec_of(occupied, tasks=6, per_frame=6)
    frame = FrameConfig(tasks_per_frame=6, spreading=spreading)
    spec = spec.model_copy(update={"frame": frame})
    symbols = gaussian(transmitters, 6, 96) * spec.occupancy[:, None]
    sent, form = Carried.of(spec, symbols, None, None).frame(0, spec.first_frame), spec.format()
    expected = []
    for segment in form.segments:
        start = form.sounding_start + (form.payload_index + segment.first) * 80
        wave = sent[segment.transmitters[0], start : start + segment.symbols * 80]
        mean_db = 10 * torch.log10(wave.abs().square().mean())
        for one in wave.view(-1, 80):
            expected.append(papr_db(one) + 10 * torch.log10(one.abs().square().mean()) - mean_db)
    found = PeakPenalty(Peaks(weight=1.0, spreading=spreading), spec.occupancy).papr_db(symbols)
    assert float(found) == pytest.approx(float(torch.stack(expected).mean()), abs=1e-3)


def test_a_tone_has_no_peaks_and_its_weight_is_a_factor():
    """Uses that are all alike are a pulse; their transform is one carrier, whose envelope is flat but for pilots."""
    symbols = torch.ones(1, 4, 96, dtype=torch.complex64)
    everywhere = torch.ones(1, 96, dtype=torch.bool)
    pulse, tone = (PeakPenalty(Peaks(weight=1.0, spreading=how), everywhere) for how in ("none", "dft"))
    assert float(pulse.papr_db(symbols)) > 14
    assert float(tone.papr_db(symbols)) < 4
    doubled = PeakPenalty(Peaks(weight=2.0, spreading="none"), everywhere)
    assert float(doubled(symbols)) == pytest.approx(2 * float(pulse(symbols)))


def test_steps_along_the_gradient_lower_the_peaks():
    values = gaussian(1, 4, 96).requires_grad_()
    penalty = PeakPenalty(Peaks(weight=1.0), torch.ones(1, 96, dtype=torch.bool))

    def unit(values):
        return values / values.abs().square().mean(2, keepdim=True).sqrt()

    before = float(penalty(unit(values)).detach())
    optimiser = torch.optim.Adam([values], lr=0.05)
    for _ in range(40):
        optimiser.zero_grad()
        penalty(unit(values)).backward()
        optimiser.step()
    assert float(penalty(unit(values)).detach()) < before - 2


def test_a_recipe_that_weighs_peaks_trains_another_network_with_lower_ones(tmp_path):
    data = load_dataset("objects:images=20", image_size=(16, 16))
    penalty, found = PeakPenalty(Peaks(weight=1.0), torch.ones(1, 48, dtype=torch.bool)), {}
    images = torch.as_tensor(data.test.images[torch.arange(12)]).float() / 255
    for name, peaks in (("plain", None), ("low", Peaks(weight=0.05))):
        train(recipe(name=name, peaks=peaks, t3={**STAGE, "epochs": 6}), data, tmp_path)
        found[name] = float(penalty(load_scheme(name, tmp_path).modulate(images)))
    assert found["low"] < found["plain"] - 0.5


@pytest.mark.parametrize("name", ["jscc-single", "jscc-noma", "jscc-fc"])
def test_retrieval_codecs_take_it_too(name, tmp_path):
    data = load_dataset("synthetic:identities=4", image_size=(64, 32))
    stage = {**STAGE, "loss": "cross_entropy"}
    settings = {"scheme": name, "uses": 8, "features": 8, "image_size": (64, 32), "held_out": 0, "t3": stage}
    losses = [
        train(recipe(**settings, name=str(peaks), peaks=peaks), data, tmp_path)["log"]["t3"][0]
        for peaks in (None, Peaks(weight=1.0))
    ]
    assert 2 < losses[1] - losses[0] < 15  # dB, of Gaussian-like signals 7 or 8


def test_schemes_that_do_not_weigh_peaks_say_so(tmp_path):
    data = load_dataset("synthetic:identities=4", image_size=(64, 32))
    stage = {**STAGE, "loss": "cross_entropy"}
    with pytest.raises(ModelError, match=r"leave \[peaks\] out"):
        train(
            recipe(scheme="baseline-single", image_size=(64, 32), held_out=0, t3=stage, peaks=Peaks(weight=1.0)), data, tmp_path
        )
