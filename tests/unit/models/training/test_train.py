"""Training: determinism, resuming after a kill, and what the files say."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
import torch

from hil.errors import ConfigError, DatasetError, ModelError
from hil.models.load import load_scheme
from hil.models.training.train import train
from tests.conftest import ROOT
from tests.unit.models.training.tiny import Tiny, baseline, long_noma, noma, recipe, stage, tiny


def test_a_pair_recipe_goes_through_all_stages_and_tells_about_it(tmp_path):
    seen = []
    train(baseline(), tiny(), tmp_path, device="cpu", progress=seen.append)
    metrics = train(
        noma(),
        tiny(),
        tmp_path,
        device="cpu",
        progress=seen.append,
        evaluate=lambda scheme, held_out: {"validation": {"identities": held_out.classes, "scheme": scheme.card.name}},
    )
    assert [(state.stage, state.epoch) for state in seen] == [(name, epoch) for name in ("t1", "t2", "t3") for epoch in (1, 2)]
    assert seen[-1].seconds_left == 0
    assert seen[2].seconds_left > 0
    assert metrics == json.loads((tmp_path / "jscc-noma.metrics.json").read_text())
    assert metrics["identities"] == {"training": 7, "held_out": 1}
    assert metrics["validation"] == {"identities": 1, "scheme": "jscc-noma"}
    assert metrics["snr_train_db"] == "uniform -6…15 dB"
    assert {name: len(values) for name, values in metrics["log"].items()} == {"t2": 2, "t3": 2}
    assert metrics["loss"]["t3"] == pytest.approx(metrics["log"]["t3"][-1], abs=1e-4)
    assert not list(tmp_path.glob("*.checkpoint"))
    assert not list(tmp_path.glob("*.partial"))
    assert load_scheme("jscc-noma", tmp_path).plan.access == "noma"


@pytest.mark.parametrize("scheme", ["jscc-single", "jscc-oma", "jscc-single-twin", "jscc-noma-csir"])
def test_a_recipe_may_do_all_stages_itself_and_repeats_to_the_bit(tmp_path, scheme):
    loss = "l1" if scheme == "jscc-single" else "mse"
    stages = {"t1": stage("cross_entropy", 1), "t2": stage(loss, 1), "t3": stage("cross_entropy", 1)}
    fading = {"channel": {"fading": "rayleigh"}} if scheme.endswith("csir") else {}
    whole = recipe("own", scheme, snr_db_train=3.0, **stages, **fading)
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


def test_three_transmitters_are_trained_by_the_same_code(tmp_path):
    train(baseline(transmitters=3), tiny(), tmp_path, device="cpu")
    train(noma(transmitters=3), tiny(), tmp_path, device="cpu")
    assert load_scheme("jscc-noma", tmp_path).plan.occupied.sum(1).tolist() == [8, 8, 8]
    with pytest.raises(ModelError, match="same backbone, features and transmitters"):
        train(noma(), tiny(), tmp_path, device="cpu")
    with pytest.raises(DatasetError, match="task of 5 views"):
        train(baseline(transmitters=5), tiny(), tmp_path, device="cpu")


KILLED = """
import sys, time
from pathlib import Path
import torch
torch.set_num_threads(1)
from tests.unit.models.training.tiny import long_noma, tiny
from hil.models.training.train import train
def slowly(state):
    print(state.stage, state.epoch, flush=True)
    time.sleep(0.15)
train(long_noma(), tiny(), Path(sys.argv[1]), device="cpu", progress=slowly)
"""


@pytest.mark.parametrize("moment", ["t1 2", "t2 1", "t2 3", "t3 2"])
def test_a_killed_run_resumes_to_the_same_bits(tmp_path, moment):
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        whole = train(long_noma(), tiny(), tmp_path / "whole", device="cpu")
        command = [sys.executable, "-c", KILLED, str(tmp_path / "killed")]
        environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
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
    assert resumed["log"] == whole["log"]
    assert resumed["sha256"] == whole["sha256"]


def test_a_checkpoint_of_another_run_or_half_a_checkpoint_is_not_resumed(tmp_path):
    class StopError(Exception):
        pass

    def stop(state):
        if state.epoch == 2:
            raise StopError

    def epochs(resume=True, **more) -> int:
        seen = []
        train(baseline(**more), tiny(), tmp_path, device="cpu", progress=seen.append, resume=resume)
        return len(seen)

    checkpoint = tmp_path / "baseline-pair.checkpoint"
    with pytest.raises(StopError):
        train(baseline(), tiny(), tmp_path, device="cpu", progress=stop)
    whole = checkpoint.read_bytes()
    with pytest.raises(ModelError, match=r"belongs to another training.*--fresh"):
        epochs(seed=5)
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 4
    for data, words in (
        (whole[:2000], "is damaged"),
        (bytes(flipped), "is damaged"),
        (b"", "is no checkpoint"),
        (b"hello\n", "is no checkpoint"),
        (whole.replace(b"checkpoint 3", b"checkpoint 9", 1), "is of another version"),
        (whole[whole.index(b"PK") :], "is of another version"),  # as they were before they had a checksum
    ):
        checkpoint.write_bytes(data)
        with pytest.raises(ModelError, match=rf"baseline-pair\.checkpoint {words}.*--fresh"):
            epochs()
        assert checkpoint.read_bytes() == data
    assert epochs(resume=False) == 2  # as asked for
    assert not checkpoint.exists()
    checkpoint.write_bytes(whole)
    assert epochs() == 0


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
    train(recipe("fine", "baseline-pair", init="baseline-pair", t3=stage("cross_entropy", 1)), tiny(), tmp_path, device="cpu")
    with pytest.raises(ModelError, match="no autoencoder"):
        train(recipe("x", "baseline-pair", t2=stage("mse")), tiny(), tmp_path)
    with pytest.raises(ConfigError, match="device"):
        train(baseline(), tiny(), tmp_path, device="abacus")
    with pytest.raises(DatasetError, match="held_out"):
        train(baseline(), tiny(identities=1), tmp_path)
