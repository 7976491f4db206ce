"""`scripts/train-all`: what it plans, what it takes for done, and what it refuses to ship. Nothing is trained here."""

import sys
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader

import pytest
import torch

from hil.models.load import build_network
from hil.models.weights import write_weights
from hil.registry import SCHEMES
from tests.conftest import ROOT


@pytest.fixture(scope="module")
def script():
    loader = SourceFileLoader("train_all", str(ROOT / "scripts" / "train-all"))
    module = module_from_spec(spec_from_loader("train_all", loader))

    sys.modules["train_all"] = module  # dataclasses look their module up
    loader.exec_module(module)
    yield module
    del sys.modules["train_all"]


def test_every_scheme_of_these_families_is_planned_and_few_enough_to_ship(script):
    planned = {job.name for job in script.shipped()}
    own = {
        name for name, entry in SCHEMES.builtin.items() if entry.target.startswith(("hil.models.jscc", "hil.models.baseline"))
    }
    controls = {name for name in own if SCHEMES.builtin[name].weights}
    assert own - controls <= planned
    assert not controls & planned
    assert not any(name.startswith("full-") for name in planned)
    starts = {name for name in planned if name.startswith("t1-")}
    assert starts == {"t1-single", "t1-pair"}
    assert len(planned - starts) <= script.MOST_FILES


def test_sweeps_are_valid_recipes_that_come_after_what_they_start_from(script):
    jobs = script.sweeps()
    assert len({job.name for job in jobs}) == len(jobs)
    known = {job.name: job for job in [*script.shipped(), *jobs]}
    ordered = [job.name for job in script.with_starts(jobs, known)]
    for job in jobs:
        recipe = job.resolved()
        assert recipe.name == job.name
        if recipe.init is not None:
            assert ordered.index(recipe.init) < ordered.index(job.name)
            start = known[recipe.init].resolved()
            for key in ("seed", "features", "transmitters", "image_size", "held_out"):
                assert getattr(start, key) == getattr(recipe, key), (job.name, key)
    assert {job.resolved().uses for job in jobs} >= {8, 16, 32}
    assert {job.resolved().seed for job in jobs} == {1, 2, 3}


def test_done_is_what_was_made_of_the_same_recipe(script, tmp_path):
    job = next(job for job in script.sweeps() if job.name == "jscc-single-q8")
    assert not script.is_done(job, tmp_path)
    torch.manual_seed(0)
    for recipe, done in ((job.resolved(), True), (job.resolved().model_copy(update={"seed": 9}), False)):
        network = build_network(recipe)
        path = tmp_path / f"{job.name}.safetensors"
        write_weights(path, network.state_dict(), recipe, dataset="synthetic", fingerprint="")
        assert script.is_done(job, tmp_path) is done
    path.write_bytes(path.read_bytes()[:-1])
    assert not script.is_done(job, tmp_path)


def test_too_much_is_not_shipped_silently(script, tmp_path, monkeypatch):
    work, out = tmp_path / "work", tmp_path / "out"
    work.mkdir()
    out.mkdir()
    jobs = [job for job in script.shipped() if job.name in ("t1-pair", "jscc-noma", "jscc-oma")]
    for job in jobs:
        (work / f"{job.name}.safetensors").write_bytes(b"x" * 10)
        (work / f"{job.name}.metrics.json").write_text("{}")
    script.ship(jobs, work, out)
    assert sorted(path.name for path in out.glob("*.safetensors")) == ["jscc-noma.safetensors", "jscc-oma.safetensors"]
    assert len((out / "SHA256SUMS").read_text().splitlines()) == 2
    monkeypatch.setattr(script, "MOST_BYTES", 9)
    with pytest.raises(SystemExit, match="larger than 2 MB"):
        script.ship(jobs, work, out)
