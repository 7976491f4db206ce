"""What a user meets at the command line: start-up time, one clear line for each mistake, and the wheel."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image

from tests.conftest import DATASET, ROOT

OUTPUTS = {"results.json", "report.html", "capture.h5", "run.toml"}


def one_line(finished: subprocess.CompletedProcess[str], *words: str) -> None:
    """The command failed with exit code 1 and one line that holds these words."""
    assert finished.returncode == 1, finished.stderr
    lines = [line for line in finished.stderr.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("hil: error:")]
    assert len(errors) == 1, finished.stderr
    assert lines[-1] == errors[0]
    assert "Traceback" not in finished.stderr
    for word in words:
        assert str(word) in errors[0], errors[0]


def market_tree(root: Path) -> Path:
    for split in ("bounding_box_train", "bounding_box_test", "query"):
        (root / split).mkdir(parents=True)
        for camera in (1, 2, 3):
            Image.new("RGB", (32, 64), (camera * 50, 90, 20)).save(root / split / f"0001_c{camera}s1_000001_00.jpg")
    return root


def test_wrong_dataset_path(hil, untrained, tmp_path):
    one_line(hil("run", "--models", untrained, "--dataset", f"market1501:{tmp_path / 'nowhere'}"), tmp_path / "nowhere")


def test_empty_split(hil, untrained, tmp_path):
    tree = market_tree(tmp_path / "market")
    shutil.rmtree(tree / "query")
    (tree / "query").mkdir()
    one_line(hil("run", "--models", untrained, "--dataset", f"market1501:{tree}"), "query")


def test_corrupt_image(hil, untrained, tmp_path):
    tree = market_tree(tmp_path / "market")
    broken = tree / "query" / "0001_c2s1_000001_00.jpg"
    broken.write_bytes(broken.read_bytes()[:200])
    one_line(hil("run", "--models", untrained, "--dataset", f"market1501:{tree}"), broken.name)


def test_unknown_scheme(hil, untrained):
    one_line(hil("run", "--models", untrained, "--dataset", DATASET, "--schemes", "cdma"), "cdma", "jscc-noma")


def test_unknown_bench(hil):
    one_line(hil("run", "no-such-bench"), "no-such-bench")


def test_unknown_dataset(hil, untrained):
    one_line(hil("run", "--models", untrained, "--dataset", "imagenet"), "imagenet", "synthetic")


def test_unknown_toml_key(hil, tmp_path):
    text = (ROOT / "radios" / "builtin.toml").read_text()
    (tmp_path / "bench.toml").write_text("colour = 'red'\n" + text)
    one_line(hil("run", tmp_path / "bench.toml"), "colour", tmp_path / "bench.toml")
    (tmp_path / "recipe.toml").write_text("flavour = 1\n" + (ROOT / "models" / "jscc-oma.toml").read_text())
    one_line(hil("train", tmp_path / "recipe.toml", "--out", tmp_path), "flavour")


def test_broken_toml(hil, tmp_path):
    (tmp_path / "bench.toml").write_text("name = \n")
    one_line(hil("run", tmp_path / "bench.toml"), "bench.toml", "TOML")


@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.9])
def test_truncated_capture(hil, small_run, tmp_path, share):
    data = (small_run / "capture.h5").read_bytes()
    (tmp_path / "cut.h5").write_bytes(data[: int(share * len(data))])
    one_line(hil("replay", tmp_path / "cut.h5"), "cut.h5")


def test_no_capture(hil, tmp_path):
    one_line(hil("replay", tmp_path / "none.h5"), "none.h5")
    (tmp_path / "text.h5").write_text("this is no HDF5 " * 100)
    one_line(hil("replay", tmp_path / "text.h5"), "text.h5")


def test_capture_of_a_newer_version(hil, small_run, tmp_path):
    shutil.copy(small_run / "capture.h5", tmp_path / "newer.h5")
    with h5py.File(tmp_path / "newer.h5", "r+") as file:
        file.attrs["hil_capture_version"] = 99
    one_line(hil("replay", tmp_path / "newer.h5"), "99", "newer.h5")


def test_weights_with_missing_keys(hil, untrained, tmp_path):
    from safetensors import safe_open
    from safetensors.torch import save_file

    shutil.copytree(untrained, tmp_path / "models")
    path = tmp_path / "models" / "jscc-oma.safetensors"
    with safe_open(path, framework="pt") as file:
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - a safe_open is no dict
        metadata = file.metadata()
    missing = next(key for key in tensors if key.startswith("encoders"))
    del tensors[missing]
    save_file(tensors, path, metadata=metadata)
    one_line(hil("run", "--models", tmp_path / "models", "--dataset", DATASET), missing, "jscc-oma")


def test_other_weights_than_on_the_air_are_refused(hil, small_run, untrained, tmp_path):
    shutil.copytree(untrained, tmp_path / "models")
    shutil.copy(tmp_path / "models" / "jscc-noma.safetensors", tmp_path / "x")
    import torch

    from hil.models.load import build_network
    from hil.models.recipe import load_recipe
    from hil.models.weights import write_weights

    torch.manual_seed(8)
    recipe = load_recipe(ROOT / "models" / "jscc-noma.toml")
    target = tmp_path / "models" / "jscc-noma.safetensors"
    write_weights(target, build_network(recipe).state_dict(), recipe, dataset="", fingerprint="")
    one_line(hil("replay", small_run / "capture.h5", "--models", tmp_path / "models"), "jscc-noma", "--other-weights")


def test_bad_options(hil, untrained):
    one_line(hil("run", "--tasks", "0", "--models", untrained), "tasks", "0")
    one_line(hil("run", "--snr", "99", "--models", untrained), "SNR")
    one_line(hil("run", "--models", "/nowhere/at/all"), "/nowhere/at/all")
    usage = hil("run", "--snr", "a:b")
    assert usage.returncode == 2
    assert "FIRST:LAST:STEP" in usage.stderr
    assert "no command 'fly'" in hil("fly").stderr


def test_a_foreign_scheme_with_its_own_models_package(hil, tmp_path):
    """A third party's file, beside a top-level `models` of its own, is put on the air."""
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "__init__.py").write_text("POWER = 1.0\n")
    (tmp_path / "mine.py").write_text(
        """
import torch
from models import POWER
from hil.models.contract import Card, Features, Plan, Sent, normalize_power

class Pixels:
    card = Card(name="pixels", image_size=(16, 8))
    plan = Plan(occupied=torch.ones(1, 64, dtype=torch.bool))

    def encode(self, views, csi=None, generator=None):
        flat = views[:, 0].mean(1).flatten(1)
        symbols = torch.complex(flat[:, :64], flat[:, 64:]) * POWER
        return Sent(symbols=normalize_power(symbols[None], self.plan.occupied))

    def decode(self, received, blocks=("all",), side=None):
        one = received["rx"]
        return Features(features=torch.view_as_real(one.symbols).flatten(1)[:, None], erased=~one.valid.any(1))

    def embed(self, images, mode="reconstructed"):
        symbols = self.encode(images[:, None]).symbols[0]
        return torch.view_as_real(symbols).flatten(1)[None]
"""
    )
    options = ("--dataset", DATASET, "--snr", "20", "--tasks", 24, "--distinct-tasks", 12, "--tasks-per-frame", 12)
    done = hil("run", "--schemes", f"{tmp_path / 'mine.py'}:Pixels", *options, "--draws", 2, "--out", tmp_path, "--json")
    assert done.returncode == 0, done.stderr
    air = [row for row in json.loads(done.stdout)["points"] if row["source"] == "air"]
    assert [row["frames"]["lost"] for row in air] == [0]


def best_time(code: list[str]) -> float:
    """Process CPU time of the quickest of five starts: what a start takes on a machine that is not busy with other work."""
    times = []
    for _ in range(5):
        before = os.times()
        subprocess.run([sys.executable, *code], check=True, capture_output=True, env=os.environ | {"PYTHONPATH": str(ROOT)})
        after = os.times()
        times.append(after.children_user + after.children_system - before.children_user - before.children_system)
    return min(times)


def test_start_up_is_quick():
    assert best_time(["-c", "import hil"]) < 0.3
    assert best_time(["-c", "from hil.cli.main import main; import sys; sys.argv = ['hil', '--help']; main()"]) < 0.5


def test_schemes_list(hil, untrained):
    rows = {row["name"]: row for row in json.loads(hil("schemes", "list", "--models", untrained, "--json").stdout)}
    assert rows["jscc-oma"]["trained"]
    assert rows["jscc-oma"]["uses"] == [32, 32]
    assert "jscc-noma" in hil("schemes", "list", "--models", untrained).stdout


@pytest.mark.slow
def test_a_wheel_runs_from_an_empty_directory(tmp_path):
    """The bench and the networks that ship in the wheel are found where there is no clone; numba is an extra."""
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--disable-pip-version-check", "-w", tmp_path, ROOT]
    subprocess.run(build, check=True, capture_output=True, timeout=200)
    (wheel,) = tmp_path.glob("hil-*.whl")
    site = tmp_path / "site"
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--disable-pip-version-check", "--target", site]
    subprocess.run([*install, wheel], check=True, capture_output=True, timeout=200)
    empty = tmp_path / "empty"
    empty.mkdir()
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"} | {"OMP_NUM_THREADS": "1"}
    program = f"import sys; sys.modules['numba'] = None; sys.path.insert(0, {str(site)!r}); "
    program += f"import hil; assert {str(site)!r} in hil.__file__; "
    program += "from hil.cli.main import main; main()"
    options = ["run", "--dataset", DATASET, "--snr", "9", "--tasks", "24", "--distinct-tasks", "12", "--tasks-per-frame", "12"]
    done = subprocess.run(
        [sys.executable, "-c", program, *options, "--draws", "2", "--name", "w"],
        cwd=empty, env=environment, capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert {path.name for path in (empty / "runs" / "w").iterdir()} == OUTPUTS


def test_an_earlier_run_is_not_lost(hil, small_run, untrained):
    before = (small_run / "capture.h5").read_bytes()
    options = ("run", "--models", untrained, "--dataset", DATASET, "--snr", "0", "--out", small_run.parent, "--name", "small")
    one_line(hil(*options), "--overwrite", "capture.h5")
    assert (small_run / "capture.h5").read_bytes() == before


def test_benches_that_a_scheme_cannot_be_scored_on(hil, untrained):
    options = ("--models", untrained, "--dataset", DATASET, "--schemes")
    one_line(hil("run", "rayleigh", *options, "single"), "fading", "rayleigh")
    one_line(hil("run", "independent", *options, "noma"), "aligned", "independent")


def test_a_scheme_that_takes_more_power_than_it_may(hil, tmp_path):
    (tmp_path / "loud.py").write_text(
        """
import torch
from hil.models.contract import Card, Features, Plan, Sent

class Loud:
    card = Card(name="loud", image_size=(16, 8))
    plan = Plan(occupied=torch.ones(1, 4, dtype=torch.bool))

    def encode(self, views, csi=None, generator=None):
        return Sent(symbols=torch.full((1, len(views), 4), 2.0 + 0j, dtype=torch.complex64))

    def decode(self, received, blocks=("all",), side=None):
        one = received["rx"]
        return Features(features=torch.view_as_real(one.symbols).flatten(1)[:, None], erased=~one.valid.any(1))

    def embed(self, images, mode="reconstructed"):
        return torch.zeros(1, len(images), 8)
"""
    )
    finished = hil("run", "--schemes", f"{tmp_path / 'loud.py'}:Loud", "--dataset", DATASET, "--out", tmp_path)
    one_line(finished, "mean |x|² = 4", "normalize_power")


def test_more_mistakes(hil, small_run, untrained, tmp_path):
    one_line(hil("replay", small_run / "capture.h5", "--draws", "0"), "draws", "equal to 1", "not 0")
    one_line(hil("replay", small_run / "capture.h5", "--models", untrained, "--snr", "0", "--out", "/proc/none"), "/proc/none")
    np.save(tmp_path / "x.npy", np.ones((1, 2, 4), np.complex64))
    one_line(hil("send", tmp_path / "x.npy", "--snr", "99"), "snr_db", "99")
