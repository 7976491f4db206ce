"""Weights files, and what is said of missing and damaged ones."""

import json
import random
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from hil.errors import ModelError
from hil.models.load import load_scheme
from hil.models.recipe import Recipe
from hil.models.weights import read_weights, write_weights
from tests.unit.models.networks import FEATURES, network


def saved(folder: Path, scheme: str = "jscc-oma") -> Path:
    recipe = Recipe(name=scheme, scheme=scheme, features=FEATURES)
    path = folder / f"{scheme}.safetensors"
    write_weights(path, network(scheme).state_dict(), recipe, dataset="none", fingerprint="0")
    return path


def test_weights_come_back_in_evaluation_mode_and_small(tmp_path):
    path = saved(tmp_path)
    scheme = load_scheme("jscc-oma", tmp_path)
    again = load_scheme(str(path), [])
    assert (scheme.card.name, scheme.card.image_size, scheme.card.outputs) == ("jscc-oma", (64, 32), "features")
    assert (scheme.card.training_seed, scheme.card.snr_train_db) == (1, "uniform -6…15 dB")
    assert again.card == scheme.card
    assert not any(module.training for module in scheme.modules())
    assert not any(parameter.requires_grad for parameter in scheme.parameters())
    original, loaded = network("jscc-oma").state_dict(), scheme.state_dict()
    assert all(value.dtype == original[key].dtype for key, value in loaded.items())
    assert all(torch.equal(value, original[key].half().float()) for key, value in loaded.items() if value.ndim >= 2)
    with safe_open(str(path), framework="pt") as file:
        assert json.loads(file.metadata()["hil"])["recipe"]["scheme"] == "jscc-oma"
    first = path.read_bytes()
    assert saved(tmp_path).read_bytes() == first  # the same bytes every time


def test_damaged_weights_are_named_with_the_way_out(tmp_path):
    path = saved(tmp_path)
    whole = path.read_bytes()
    for length in (0, 5, 500, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(ModelError, match=r"jscc-oma\.safetensors is truncated.*hil train jscc-oma"):
            load_scheme("jscc-oma", tmp_path)
    draw = random.Random(1)
    for _ in range(300):  # any bit, half of them in the head
        flipped = bytearray(whole)
        flipped[draw.randrange(8_000) if draw.random() < 0.5 else draw.randrange(len(whole))] ^= 1 << draw.randrange(8)
        path.write_bytes(flipped)
        with pytest.raises(ModelError, match=r"jscc-oma\.safetensors"):
            read_weights(path)
    path.write_bytes(whole)
    with safe_open(str(path), framework="pt") as file:
        tensors, metadata = {key: file.get_tensor(key) for key in file.keys()}, file.metadata()  # noqa: SIM118
    del tensors["decoders.1.layers.0.weight"]
    tensors["stray"] = torch.zeros(1)
    tensors["encoders.0.layers.0.weight"] = torch.zeros(3, 3)
    save_file(tensors, path, metadata=metadata)
    with pytest.raises(ModelError) as info:
        load_scheme("jscc-oma", tmp_path)
    for part in (
        str(path),
        "missing keys decoders.1.layers.0.weight",
        "unknown keys stray",
        "encoders.0",
        "hil train jscc-oma",
    ):
        assert part in str(info.value)
    older = {key: value for key, value in json.loads(metadata["hil"]).items() if key not in ("checksum", "shapes")} | {
        "format": 1
    }
    save_file(tensors, path, metadata={"hil": json.dumps(older)})
    with pytest.raises(ModelError, match=r"does not fit scheme 'jscc-oma': missing keys decoders.1.layers.0.weight"):
        load_scheme("jscc-oma", tmp_path)
    save_file(tensors, path)
    with pytest.raises(ModelError, match=r"no recipe"):
        load_scheme("jscc-oma", tmp_path)
    newer = json.loads(metadata["hil"]) | {"format": 99}
    save_file(tensors, path, metadata={"hil": json.dumps(newer)})
    with pytest.raises(ModelError, match=r"update hil"):
        read_weights(path)
