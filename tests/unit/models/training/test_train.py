"""Training: determinism, resuming after a kill, augmentation, pairs, and what the files say."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from hil.errors import ConfigError, DatasetError, ModelError
from hil.models.load import build_network, load_scheme
from hil.models.recipe import Augment, Recipe, SnrRange, Stage
from hil.models.training.augment import augment_images
from hil.models.training.examples import draw_pairs, split_identities
from hil.models.training.train import train
from hil.models.training.trainable import Batch, RetrievalTraining

SIZE = (32, 16)


@dataclass(frozen=True)
class Tiny:
    """Random images of a few identities: enough to run every line."""

    train: object
    name: str = "tiny"
    fingerprint: str = "f00d"


@dataclass(frozen=True)
class TinySplit:
    images: torch.Tensor
    identities: torch.Tensor
    cameras: torch.Tensor


def tiny(identities: int = 8, cameras: int = 4) -> Tiny:
    generator = torch.Generator().manual_seed(1)
    count = identities * cameras
    images = torch.randint(0, 256, (count, 3, *SIZE), generator=generator, dtype=torch.uint8)
    labels = torch.arange(count) // cameras + 1
    return Tiny(train=TinySplit(images=images, identities=labels, cameras=torch.arange(count) % cameras + 1))


def stage(loss: str, epochs: int = 2, **more) -> Stage:
    return Stage(loss=loss, epochs=epochs, batch_size=8, lr=1e-2, schedule="cosine", optimiser="adamw", **more)


def recipe(name: str, scheme: str, **more) -> Recipe:
    settings = {"features": 8, "uses": 8, "image_size": SIZE, "augment": Augment(flip=0.5, shift=1, erase=0.5, colour=0.2)}
    return Recipe(name=name, scheme=scheme, **{**settings, **more})


def baseline(**more) -> Recipe:
    return recipe("baseline-pair", "baseline-pair", t1=stage("cross_entropy", 2, label_smoothing=0.1), **more)


def noma(**more) -> Recipe:
    return recipe(
        "jscc-noma", "jscc-noma", **{"init": "baseline-pair", "t2": stage("mse"), "t3": stage("cross_entropy"), **more}
    )


def test_a_pair_recipe_goes_through_all_stages_and_tells_about_it(tmp_path):
    seen = []
    train(baseline(), tiny(), tmp_path, device="cpu", progress=seen.append)
    metrics = train(
        noma(),
        tiny(),
        tmp_path,
        device="cpu",
        progress=seen.append,
        evaluate=lambda scheme, held_out: {"validation": {"identities": held_out.classes, "scheme": scheme.name}},
    )
    assert [(state.stage, state.epoch) for state in seen] == [(name, epoch) for name in ("t1", "t2", "t3") for epoch in (1, 2)]
    assert seen[-1].seconds_left == 0
    assert seen[2].seconds_left > 0
    assert metrics == json.loads((tmp_path / "jscc-noma.metrics.json").read_text())
    assert metrics["identities"] == {"training": 7, "held_out": 1}
    assert metrics["validation"] == {"identities": 1, "scheme": "jscc-noma"}
    assert metrics["snr_train_db"] == "uniform -6…15 dB"
    assert not list(tmp_path.glob("*.checkpoint"))
    assert not list(tmp_path.glob("*.partial"))
    assert load_scheme("jscc-noma", tmp_path).plan.access == "noma"


@pytest.mark.parametrize("scheme", ["jscc-single", "jscc-oma"])
def test_a_recipe_may_do_all_stages_itself_and_repeats_to_the_bit(tmp_path, scheme):
    loss = "l1" if scheme == "jscc-single" else "mse"
    whole = recipe(
        "own", scheme, t1=stage("cross_entropy", 1), t2=stage(loss, 1), t3=stage("cross_entropy", 1), snr_db_train=3.0
    )
    first = train(whole, tiny(), tmp_path / "a", device="cpu")
    torch.manual_seed(99)  # the global generator has no say, and is left alone
    before = torch.random.get_rng_state()
    again = train(whole, tiny(), tmp_path / "b", device="cpu")
    assert torch.equal(before, torch.random.get_rng_state())
    assert first["sha256"] == again["sha256"]
    assert (tmp_path / "a/own.safetensors").read_bytes() == (tmp_path / "b/own.safetensors").read_bytes()
    other = train(whole.model_copy(update={"seed": 2}), tiny(), tmp_path / "c", device="cpu")
    assert other["sha256"] != first["sha256"]
    assert other["snr_train_db"] == "3 dB"


KILLED = """
import sys, time
from pathlib import Path
import torch
torch.set_num_threads(1)
sys.path.insert(0, sys.argv[2])
from test_training import long_noma, tiny
from hil.models.training.train import train
def slowly(state):
    print(state.stage, state.epoch, flush=True)
    time.sleep(0.15)
train(long_noma(), tiny(), Path(sys.argv[1]), device="cpu", progress=slowly)
"""


def long_noma() -> Recipe:
    return noma(init=None, t1=stage("cross_entropy", 3), t2=stage("mse", 3), t3=stage("cross_entropy", 3))


@pytest.mark.parametrize("moment", ["t1 2", "t2 1", "t2 3", "t3 2"])
def test_a_killed_run_resumes_to_the_same_bits(tmp_path, moment):
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        whole = train(long_noma(), tiny(), tmp_path / "whole", device="cpu")
        command = [sys.executable, "-c", KILLED, str(tmp_path / "killed"), str(Path(__file__).parent)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"})
        assert process.stdout is not None
        for line in process.stdout:
            if line.strip() == moment:
                time.sleep(0.02 * len(moment))
                process.send_signal(signal.SIGKILL)
                break
        process.wait()
        process.stdout.close()
        assert process.returncode == -signal.SIGKILL
        assert not (tmp_path / "killed/jscc-noma.safetensors").exists()
        seen = []
        resumed = train(long_noma(), tiny(), tmp_path / "killed", device="cpu", progress=seen.append)
    finally:
        torch.set_num_threads(threads)
    assert len(seen) < 9  # it did not start over
    assert resumed["sha256"] == whole["sha256"]


def test_a_checkpoint_of_another_run_or_half_a_checkpoint_is_not_resumed(tmp_path):
    class StopError(Exception):
        pass

    def stop(state):
        if state.epoch == 2:
            raise StopError

    def epochs(**more) -> int:
        seen = []
        train(baseline(**more), tiny(), tmp_path, device="cpu", progress=seen.append)
        return len(seen)

    for damage, changes, expected in ((False, {}, 0), (False, {"seed": 5}, 2), (True, {}, 2)):
        with pytest.raises(StopError):
            train(baseline(), tiny(), tmp_path, device="cpu", resume=False, progress=stop)
        checkpoint = tmp_path / "baseline-pair.checkpoint"
        if damage:
            checkpoint.write_bytes(checkpoint.read_bytes()[:2000])
        assert epochs(**changes) == expected


def test_what_it_starts_from_must_be_there_and_fit(tmp_path):
    with pytest.raises(ModelError, match=r"baseline-pair\.safetensors.*hil train baseline-pair"):
        train(noma(), tiny(), tmp_path)
    train(baseline(), tiny(), tmp_path, device="cpu")
    with pytest.raises(ModelError, match=r"seed = 1.*has 2"):
        train(noma(seed=2), tiny(), tmp_path)
    with pytest.raises(ModelError, match="another shape"):
        train(noma(features=9), tiny(), tmp_path)
    with pytest.raises(ModelError, match=r"other data.*--fresh"):
        train(noma(), Tiny(train=tiny().train, fingerprint="beef"), tmp_path)
    with pytest.raises(ModelError, match="no autoencoder"):
        train(recipe("x", "baseline-pair", t2=stage("mse")), tiny(), tmp_path)
    with pytest.raises(ConfigError, match="device"):
        train(baseline(), tiny(), tmp_path, device="abacus")
    with pytest.raises(DatasetError, match="held_out"):
        train(baseline(), tiny(identities=1), tmp_path)


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


def test_pairs_are_of_one_identity_and_two_cameras_and_redrawn():
    labels = torch.tensor([0, 0, 0, 1, 1, 2, 2, 3])
    cameras = torch.tensor([1, 2, 3, 1, 2, 5, 5, 1])
    generator = torch.Generator().manual_seed(0)
    draws = [draw_pairs(labels, cameras, generator) for _ in range(20)]
    for pairs in draws:
        assert sorted(pairs[:, 0].tolist()) == [0, 1, 2, 3, 4]  # 5, 6 share a camera, 7 is alone
        assert torch.equal(labels[pairs[:, 0]], labels[pairs[:, 1]])
        assert bool((cameras[pairs[:, 0]] != cameras[pairs[:, 1]]).all())
    assert len({tuple(pairs[pairs[:, 0] == 0][0].tolist()) for pairs in draws}) == 2
    same = draw_pairs(labels, cameras, generator, same_camera=True)
    assert sorted(same.tolist()) == [[5, 6], [6, 5]]
    with pytest.raises(DatasetError, match="partner"):
        draw_pairs(labels, torch.ones_like(labels), generator)


def test_held_out_identities_are_apart_and_junk_is_left_out():
    data = tiny(identities=20).train
    data.identities[0:4] = 0
    data.identities[4:8] = -1
    kept, held = split_identities(data, 0.2, torch.Generator().manual_seed(0))
    assert (kept.classes, held.classes) == (14, 4)
    everyone = {*kept.identities.tolist()} | {*held.identities.tolist()}
    assert everyone == set(range(3, 21))
    assert not {*kept.identities.tolist()} & {*held.identities.tolist()}
    assert kept.labels.unique().tolist() == list(range(14))


def test_augmentation_does_what_it_says():
    images = torch.randint(0, 256, (64, 3, 16, 8), dtype=torch.uint8)
    plain = images.float() / 255
    generator = torch.Generator().manual_seed(0)
    assert torch.equal(augment_images(images, Augment(), generator), plain)
    assert torch.equal(augment_images(images, Augment(flip=1.0), generator), plain.flip(-1))
    erased = (augment_images(images, Augment(erase=1.0), generator) != plain).any(1).float().mean((1, 2))
    assert float(erased.min()) > 0.01
    assert float(erased.max()) < 0.35
    shifted = augment_images(images, Augment(shift=1), generator)[:, :, 1:-1, 1:-1]
    windows = torch.stack([plain[:, :, y : y + 14, x : x + 6] for y in range(3) for x in range(3)])
    assert bool((windows == shifted).flatten(2).all(2).any(0).all())
    tinted = augment_images(torch.full_like(images, 100), Augment(colour=0.3), generator) * 255 / 100
    assert float(tinted.min()) >= 0.699
    assert float(tinted.max()) <= 1.301


def test_training_snr_is_uniform_in_the_range():
    whole = noma(snr_db_train=SnrRange(low=-6, high=15))
    training = RetrievalTraining(build_network(whole).eval(), whole, classes=4)
    seen = []
    network = training.network.eval()
    network.demodulate = lambda symbols: seen.append(symbols)
    features = torch.randn(4000, 2, 8)
    with torch.no_grad():
        training.transmit(network, features, torch.Generator().manual_seed(0))
        noise = (seen[0] - network.modulate(features).sum(0)).abs().square().mean()
    edges = torch.tensor([-6.0, 15.0])
    low, high = (10 ** (-edges / 10)).tolist()
    expected = (low - high) / (21 * torch.log(torch.tensor(10.0)) / 10)  # mean of 10^(-s/10), s uniform
    assert abs(float(noise) / float(expected) - 1) < 0.05


def test_the_command_trains_what_is_missing_and_resolves_names(tmp_path):
    pytest.importorskip("hil.retrieval")
    from hil.cli.train import parse_settings
    from hil.cli.train import train as command

    assert parse_settings(("t1.epochs=5", "name=x y", "augment.flip=0.0")) == {
        "t1.epochs": 5,
        "name": "x y",
        "augment.flip": 0.0,
    }
    with pytest.raises(ConfigError, match="KEY=VALUE"):
        parse_settings(("t1.epochs",))
    common = ["--out", str(tmp_path), "--dataset", "synthetic:identities=12", "--device", "cpu", "--set", "features=8"]
    short = ["--set", "t2.epochs=1", "--set", "t3.epochs=1", "--set", "seed=4"]
    (tmp_path / "baseline-pair.toml").write_text(
        'scheme = "baseline-pair"\nuses = 0\n[t1]\nloss = "cross_entropy"\nepochs = 1\nbatch_size = 16\nlr = 1e-3\n'
    )
    result = CliRunner().invoke(command, ["jscc-noma", *common, *short], catch_exceptions=False)
    assert result.exit_code == 0
    assert "baseline-pair.safetensors" in result.output
    assert "jscc-noma.safetensors: top-1" in result.output
    metrics = json.loads((tmp_path / "jscc-noma.metrics.json").read_text())
    assert {"noiseless", "-6 dB", "15 dB"} <= metrics["test"].keys()
    assert metrics["training_seed"] == 4
