"""A third party's code and what it loads are part of a run: in its capture, and looked at before it is scored again."""

import hashlib
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

import hil
from hil.captures import Capture
from hil.errors import ModelError
from hil.runs.sources import Sources

SCHEME = """
import torch
from parts.mixing import mixed
from hil.models.contract import Card, Features, Plan, Sent, normalize_power

class Pixels:
    card = Card(name="pixels", image_size=(16, 8))
    plan = Plan(occupied=torch.ones(1, 64, dtype=torch.bool))

    def encode(self, views, csi=None, generator=None):
        flat = mixed(views[:, 0].mean(1).flatten(1))
        return Sent(symbols=normalize_power(torch.complex(flat[:, :64], flat[:, 64:])[None], self.plan.occupied))

    def decode(self, received, blocks=("all",), side=None):
        one = received["rx"]
        return Features(features=torch.view_as_real(one.symbols).flatten(1)[:, None], erased=~one.valid.any(1))

    def embed(self, images, mode="reconstructed"):
        return torch.view_as_real(self.encode(images[:, None]).symbols[0]).flatten(1)[None]
"""
MIXING = """
from pathlib import Path
from safetensors.torch import load_file

WEIGHTS = Path(__file__).parent.parent / "weights.safetensors"
_KEPT = {}

def mixed(flat):  # loaded when it is first needed
    if not _KEPT:
        _KEPT.update(load_file(WEIGHTS))
    return flat @ _KEPT["mix"]
"""
DATA = """
from dataclasses import replace
from hil.datasets.dataset import load_dataset

def people(argument, image_size):
    return replace(load_dataset("synthetic:identities=12", image_size=image_size), name="people")
"""
SETTINGS = {
    "snr_db": (20.0,), "tasks": 24, "distinct_tasks": 12, "frame.tasks_per_frame": 12, "draws": 1, "goals": ("retrieval",),
}  # fmt: skip


def weights(seed: int) -> dict[str, torch.Tensor]:
    return {"mix": torch.linalg.qr(torch.randn(128, 128, generator=torch.Generator().manual_seed(seed)))[0].contiguous()}


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    """A scheme with a module and weights of its own, a data set, and a run of both."""
    folder = tmp_path / "lab"
    (folder / "parts").mkdir(parents=True)
    (folder / "scheme.py").write_text(SCHEME)
    (folder / "parts" / "__init__.py").touch()
    (folder / "parts" / "mixing.py").write_text(MIXING)
    (folder / "data.py").write_text(DATA)
    save_file(weights(1), folder / "weights.safetensors")
    run(folder, "r")
    return folder


def run(folder: Path, name: str):
    return hil.run(
        schemes=f"{folder / 'scheme.py'}:Pixels", dataset=f"{folder / 'data.py'}:people", out=folder, name=name, **SETTINGS
    )


def test_code_and_files_are_in_the_capture_and_in_the_result(lab):
    scheme, data = str(lab / "scheme.py"), str(lab / "data.py")
    with Capture.open(lab / "r" / "capture.h5") as capture:
        sources = capture.sources
    expected = {scheme, f"{scheme}:parts/__init__.py", f"{scheme}:parts/mixing.py", f"{scheme}:weights.safetensors", data}
    assert set(sources) == expected
    assert sources[scheme].text == SCHEME
    assert sources[f"{scheme}:parts/mixing.py"].text == MIXING
    assert sources[data].text == DATA
    assert sources[f"{scheme}:weights.safetensors"].text is None
    for name, source in sources.items():
        file = lab / name.rpartition(":")[2] if ":" in name else Path(name)
        assert source.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    noted = hil.load_results(lab / "r" / "results.json").model_extra["sources"]
    assert noted == {name: source.sha256 for name, source in sources.items()}
    assert hil.replay(lab / "r").verification["verified"] == "bits"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda lab: save_file(weights(2), lab / "weights.safetensors"), r"scheme\.py:weights\.safetensors is another"),
        (lambda lab: (lab / "weights.safetensors").rename(lab / "moved"), r"weights\.safetensors is not there"),
        (lambda lab: (lab / "scheme.py").write_text(SCHEME + "\n"), r"scheme\.py is another"),
        (lambda lab: (lab / "parts" / "mixing.py").write_text(MIXING + "\n"), r"parts/mixing\.py is another"),
        (lambda lab: (lab / "data.py").write_text(DATA + "\n"), r"data\.py is another"),
        (
            lambda lab: (lab / "parts" / "__init__.py").write_text(
                "open(__file__.replace('__init__.py', 'x.txt'), 'a+').close()"
            ),
            r"parts/__init__\.py is another",
        ),
    ],
)
def test_other_code_or_files_are_refused_by_name(lab, change, words):
    change(lab)
    for ask in (hil.replay, hil.score):
        with pytest.raises(ModelError, match=rf"not those of the run: .*{words}.*--other-weights"):
            ask(lab / "r")
    if (lab / "weights.safetensors").exists():
        assert hil.replay(lab / "r", other_weights=True).points
        assert hil.score(lab / "r", other_weights=True).points


def test_a_file_that_was_not_used_is_named(lab):
    (lab / "parts" / "mixing.py").write_text(MIXING)
    (lab / "extra.json").write_text("{}")
    code = SCHEME.replace(
        "import torch\n", "import torch, os\nif os.path.exists(__file__ + '.on'): open(__file__ + '.on').close()\n", 1
    )
    (lab / "scheme.py").write_text(code)
    run(lab, "second")
    assert hil.replay(lab / "second").points
    (lab / "scheme.py.on").touch()
    with pytest.raises(ModelError, match=r"scheme\.py\.on was not used"):
        hil.replay(lab / "second")


def test_a_run_of_nobodys_code_notes_nothing(small_run):
    with Capture.open(small_run / "capture.h5") as capture:
        assert capture.sources == {}


def test_goals_and_task_networks_are_noted_by_their_options():
    sources = Sources(
        ["jscc-noma", "lab/goal.py:Goal", "lab/goal.py:Other"],
        "lab/data.py:load:/x:y",
        {"goal": {"task_network": "lab/net.py:Net", "width": 3}},
    )
    assert sources.paths == ("lab/goal.py", "lab/net.py", "lab/data.py")
    assert sources.read() == {}  # nothing of it was loaded
