"""Schemes, backbones, recipes and weights files."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import save_file

from hil.errors import ConfigError, ModelError, ShapeError
from hil.models.backbones.resnet import ResNet50, load_torchvision_weights
from hil.models.backbones.small import build_backbone
from hil.models.contract import Received, Scheme, normalize_power
from hil.models.load import build_network, load_scheme
from hil.models.recipe import Recipe, SnrRange, find_recipe, load_recipe
from hil.models.training.awgn import receive_awgn
from hil.models.weights import read_weights, write_weights

ROOT = Path(__file__).resolve().parent.parent
SIZE = (64, 32)
JSCC = ["jscc-single", "jscc-oma", "jscc-noma"]


def network(scheme: str, **changes):
    torch.manual_seed(3)
    built = build_network(Recipe(name="tiny", scheme=scheme, features=16, **changes))
    for module in built.modules():  # batch norm as after training: statistics that are not 0 and 1
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
    return built.eval()


def views_of(scheme, tasks: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(tasks, scheme.plan.transmitters, 3, *SIZE, generator=generator)


def clean(symbols: torch.Tensor) -> dict[str, Received]:
    return {"rx": receive_awgn(symbols, float("inf"))}


@given(tasks=st.integers(1, 5), seed=st.integers(0, 999), level=st.floats(1e-3, 1e3))
@settings(max_examples=30, deadline=None)
def test_power_is_one_on_occupied_uses_and_zero_elsewhere(tasks, seed, level):
    generator = torch.Generator().manual_seed(seed)
    occupied = torch.rand(2, 12, generator=generator) < 0.5
    occupied[:, 0] = True
    raw = level * torch.view_as_complex(torch.randn(2, tasks, 12, 2, generator=generator))
    sent = normalize_power(raw, occupied)
    mean = sent.abs().square().sum(-1) / occupied.sum(1)[:, None]
    torch.testing.assert_close(mean, torch.ones(2, tasks), rtol=1e-4, atol=1e-4)
    assert bool((sent[~occupied[:, None].expand_as(sent)] == 0).all())


@pytest.mark.parametrize(("name", "per_transmitter"), [("jscc-single", [64]), ("jscc-oma", [32, 32]), ("jscc-noma", [64, 64])])
def test_every_scheme_sends_unit_power_on_its_own_uses(name, per_transmitter):
    scheme = network(name)
    assert isinstance(scheme, Scheme)
    sent = scheme.encode(views_of(scheme, 4)).symbols
    assert sent.dtype == torch.complex64
    assert sent.shape == (len(per_transmitter), 4, 64)
    assert scheme.plan.occupied.sum(1).tolist() == per_transmitter
    energy = sent.abs().square().sum(-1)
    torch.testing.assert_close(energy, torch.tensor(per_transmitter)[:, None].expand(-1, 4).float(), rtol=1e-4, atol=1e-4)
    silent = ~scheme.plan.occupied[:, None].expand_as(sent)
    assert bool((sent[silent] == 0).all())


def test_oma_gives_each_transmitter_one_half_and_each_decoder_reads_its_own():
    scheme = network("jscc-oma")
    assert scheme.plan.occupied[0].tolist() == [True] * 32 + [False] * 32
    assert scheme.plan.occupied[1].tolist() == [False] * 32 + [True] * 32
    symbols = scheme.encode(views_of(scheme, 3)).symbols
    whole = scheme.decode(clean(symbols)).features
    other = symbols.clone()
    other[1] *= -1  # what transmitter 1 sends does not touch the first decoder
    changed = scheme.decode(clean(other)).features
    assert torch.equal(whole[:, 0], changed[:, 0])
    assert not torch.allclose(whole[:, 1], changed[:, 1])


def test_noma_feeds_the_sum_to_both_decoders():
    scheme = network("jscc-noma")
    symbols = scheme.encode(views_of(scheme, 3)).symbols
    decoded = scheme.decode(clean(symbols)).features
    swapped = scheme.decode(clean(symbols.flip(0))).features
    assert torch.equal(decoded, swapped)  # the sum does not tell who sent what
    expected = torch.stack([decoder(symbols[0] + symbols[1]) for decoder in scheme.decoders], dim=1)
    torch.testing.assert_close(decoded, expected)


@pytest.mark.parametrize("name", JSCC)
def test_reconstructed_gallery_is_the_noiseless_decode_of_the_image_in_all_branches(name):
    scheme = network(name)
    images = torch.rand(5, 3, *SIZE)
    views = images[:, None].expand(-1, scheme.plan.transmitters, -1, -1, -1)
    decoded = scheme.decode(clean(scheme.encode(views).symbols)).features
    gallery = scheme.gallery(images)
    assert gallery.shape == (scheme.plan.transmitters, 5, 16)
    torch.testing.assert_close(gallery, decoded.transpose(0, 1), rtol=1e-4, atol=1e-4)


def test_raw_gallery_is_the_backbones_feature():
    scheme = network("jscc-noma")
    images = torch.rand(3, 3, *SIZE)
    scheme.gallery_mode = "raw"
    expected = torch.stack([backbone(images) for backbone in scheme.backbones])
    torch.testing.assert_close(scheme.gallery(images), expected, rtol=1e-4, atol=1e-4)
    with pytest.raises(ConfigError, match="reconstructed, raw"):
        build_network(Recipe(scheme="jscc-noma"), gallery="cooked")


@pytest.mark.parametrize("name", ["baseline-single", "baseline-pair"])
def test_baselines_send_nothing_and_give_the_features_back(name):
    scheme = network(name)
    views = views_of(scheme, 4)
    sent = scheme.encode(views)
    assert sent.symbols.shape == (scheme.plan.transmitters, 4, 0)
    features = scheme.decode({}, side=sent.side).features
    torch.testing.assert_close(features, scheme.extract(views))
    assert (scheme.plan.kind, scheme.snr_train_db) == ("bound", "noiseless")
    with pytest.raises(ModelError, match="side"):
        scheme.decode({})


def test_inference_repeats_to_the_bit_and_the_gallery_whatever_follows():
    scheme = network("jscc-oma")
    views = views_of(scheme, 8)
    first = scheme.encode(views).symbols
    assert torch.equal(first, scheme.encode(views).symbols)
    assert torch.equal(scheme.decode(clean(first)).features, scheme.decode(clean(first)).features)
    images = torch.rand(130, 3, *SIZE)
    assert torch.equal(scheme.gallery(images)[:, :7], scheme.gallery(images[:7]))
    state = {key: value.clone() for key, value in scheme.state_dict().items()}
    scheme.encode(views_of(scheme, 8, seed=1))
    assert all(torch.equal(value, scheme.state_dict()[key]) for key, value in state.items())  # statistics stand still


def test_a_lost_task_is_erased_and_wrong_shapes_are_named():
    scheme = network("jscc-single")
    symbols = scheme.encode(views_of(scheme, 2)).symbols.sum(0)
    valid = torch.tensor([[True] * 64, [False] * 64])
    assert scheme.decode({"rx": Received(symbols=symbols, valid=valid)}).erased.tolist() == [False, True]
    with pytest.raises(ShapeError, match=r"\[task, 64\]"):
        scheme.decode({"rx": Received(symbols=symbols[:, :32], valid=valid[:, :32])})
    with pytest.raises(ShapeError, match="'rx'"):
        scheme.decode({"eve": Received(symbols=symbols, valid=valid)})
    with pytest.raises(ShapeError, match="image_size"):
        scheme.encode(torch.rand(2, 1, 3, 32, 32))
    with pytest.raises(ConfigError, match="multiple of 2"):
        build_network(Recipe(name="odd", scheme="jscc-oma", uses=63))


def test_awgn_has_the_stated_noise_power():
    generator = torch.Generator().manual_seed(0)
    snr_db = torch.tensor([-6.0, 0.0, 12.0])
    received = receive_awgn(torch.zeros(2, 3, 40_000, dtype=torch.complex64), snr_db, generator)
    power = received.symbols.abs().square().mean(1)
    torch.testing.assert_close(power, 10 ** (-snr_db / 10), rtol=0.03, atol=0)
    torch.testing.assert_close(received.symbols.real.square().mean(1), power / 2, rtol=0.05, atol=0)


def torchvision_resnet50_keys() -> set[str]:
    """The 320 keys, from the published structure: 3, 4, 6, 3 bottlenecks, downsampling in the first of each layer."""
    norms = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    keys = {"conv1.weight", "fc.weight", "fc.bias", *(f"bn1.{part}" for part in norms)}
    for layer, blocks in ((1, 3), (2, 4), (3, 6), (4, 3)):
        for block in range(blocks):
            stem = f"layer{layer}.{block}"
            for index in (1, 2, 3):
                keys |= {f"{stem}.conv{index}.weight", *(f"{stem}.bn{index}.{part}" for part in norms)}
            if block == 0:
                keys |= {f"{stem}.downsample.0.weight", *(f"{stem}.downsample.1.{part}" for part in norms)}
    return keys


def test_resnet50_has_torchvisions_keys_and_loads_its_files_strictly(tmp_path):
    model = ResNet50()
    state = model.state_dict()
    assert len(torchvision_resnet50_keys()) == 320
    assert state.keys() == torchvision_resnet50_keys()
    assert sum(value.numel() for key, value in model.named_parameters()) == 25_557_032  # torchvision's published count
    assert state["layer4.0.downsample.0.weight"].shape == (2048, 1024, 1, 1)
    assert model.layer3[0].conv2.stride == (2, 2)
    changed = {key: value + 1 for key, value in state.items()}
    torch.save(changed, tmp_path / "resnet50.pth")
    load_torchvision_weights(model, tmp_path / "resnet50.pth")
    assert torch.equal(model.state_dict()["layer2.3.conv3.weight"], changed["layer2.3.conv3.weight"])
    headless = build_backbone("resnet50", 2048).eval()
    load_torchvision_weights(headless, tmp_path / "resnet50.pth")  # fc.* is not wanted there
    assert torch.equal(headless.conv1.weight, changed["conv1.weight"])

    del changed["layer1.0.conv1.weight"]
    torch.save(changed, tmp_path / "less.pth")
    with pytest.raises(ModelError, match=r"layer1\.0\.conv1\.weight"):
        load_torchvision_weights(model, tmp_path / "less.pth")
    (tmp_path / "half.pth").write_bytes((tmp_path / "less.pth").read_bytes()[:1000])
    with pytest.raises(ModelError, match=r"half\.pth"):
        load_torchvision_weights(model, tmp_path / "half.pth")
    with pytest.raises(ModelError, match="no such"):
        load_torchvision_weights(model, tmp_path / "none.pth")


@pytest.mark.parametrize(("last_stride", "side"), [(2, 1), (1, 2)])
def test_resnet50_features_and_last_stride(last_stride, side):
    model = ResNet50(classes=None, last_stride=last_stride).eval()
    seen = []
    model.layer4.register_forward_hook(lambda module, inputs, output: seen.append(output.shape))
    with torch.no_grad():
        assert model(torch.rand(1, 3, 32, 32)).shape == (1, 2048)
    assert seen[0] == (1, 2048, side, side)
    with pytest.raises(ModelError, match="classes"):
        model.logits(torch.rand(1, 3, 32, 32))
    with pytest.raises(ConfigError, match="2048"):
        build_backbone("resnet50", 128)


def saved(folder: Path, scheme: str = "jscc-oma") -> Path:
    recipe = Recipe(name=scheme, scheme=scheme, features=16)
    path = folder / f"{scheme}.safetensors"
    write_weights(path, network(scheme).state_dict(), recipe, dataset="none", fingerprint="0")
    return path


def test_weights_come_back_in_evaluation_mode_and_small(tmp_path):
    path = saved(tmp_path)
    scheme = load_scheme("jscc-oma", tmp_path)
    again = load_scheme(str(path), [], gallery="raw")
    assert (scheme.name, scheme.gallery_mode, again.gallery_mode) == ("jscc-oma", "reconstructed", "raw")
    assert (scheme.training_seed, scheme.snr_train_db) == (1, "uniform -6…15 dB")
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
    save_file(tensors, path)
    with pytest.raises(ModelError, match="no recipe"):
        load_scheme("jscc-oma", tmp_path)
    newer = json.loads(metadata["hil"]) | {"format": 99}
    save_file(tensors, path, metadata={"hil": json.dumps(newer)})
    with pytest.raises(ModelError, match="update hil"):
        read_weights(path)


def test_unknown_and_untrained_schemes_are_told_apart(tmp_path):
    with pytest.raises(ModelError, match=r"unknown scheme 'jscc-tdma'; known: .*jscc-noma"):
        load_scheme("jscc-tdma", [tmp_path])
    with pytest.raises(ModelError, match=r"no weights in .*hil train jscc-noma --out"):
        load_scheme("jscc-noma", [tmp_path])
    with pytest.raises(ModelError, match=r"no such weights file: gone\.safetensors"):
        load_scheme("gone.safetensors", [tmp_path])


FOREIGN = """
import torch
from models.net import VALUE
from hil.models.contract import Output, Plan, Sent

class Mine:
    name = "mine"
    value = VALUE
    def __init__(self):
        import models.late
        self.plan = Plan(occupied=torch.ones(1, 4, dtype=torch.bool), access="single")
    def encode(self, views, csi=None, generator=None):
        return Sent(symbols=torch.ones(1, len(views), 4, dtype=torch.complex64))
    def decode(self, received, blocks=("all",), side=None):
        return Output(features=received["rx"].symbols.real[:, None])
    def gallery(self, images):
        return torch.ones(1, len(images), 4)

class Empty:
    pass
"""


def test_foreign_schemes_do_not_meet(tmp_path, monkeypatch):
    stranger = type(sys)("models")
    monkeypatch.setitem(sys.modules, "models", stranger)
    schemes = []
    for value in (1, 2):
        folder = tmp_path / f"lab{value}"
        (folder / "models").mkdir(parents=True)
        (folder / "models" / "__init__.py").touch()
        (folder / "models" / "late.py").touch()
        (folder / "models" / "net.py").write_text(f"VALUE = {value}\n")
        (folder / "scheme.py").write_text(FOREIGN)
        schemes.append(load_scheme(f"{folder / 'scheme.py'}:Mine", []))
    assert [scheme.value for scheme in schemes] == [1, 2]
    assert sys.modules["models"] is stranger
    assert "models.net" not in sys.modules
    assert not any("lab" in entry for entry in sys.path)
    path = tmp_path / "lab1" / "scheme.py"
    with pytest.raises(ModelError, match="it has: Empty, Mine"):
        load_scheme(f"{path}:Yours", [])
    with pytest.raises(ModelError, match="lacks name, plan"):
        load_scheme(f"{path}:Empty", [])
    with pytest.raises(ModelError, match="no such file"):
        load_scheme(f"{tmp_path / 'gone.py'}:Mine", [])
    (tmp_path / "bad.py").write_text("import not_there_at_all\n")
    with pytest.raises(ModelError, match="not_there_at_all"):
        load_scheme(f"{tmp_path / 'bad.py'}:Mine", [])


@pytest.mark.parametrize("path", sorted((ROOT / "models").glob("*.toml")), ids=lambda path: path.stem)
def test_shipped_recipes_are_valid_and_fit_what_they_start_from(path):
    recipe = load_recipe(path)
    assert recipe.name == path.stem
    assert recipe.stages()
    if recipe.init:
        start = load_recipe(find_recipe(recipe.init, [path.parent]))
        for key in ("backbone", "features", "image_size", "seed", "held_out", "dataset", "augment"):
            assert getattr(start, key) == getattr(recipe, key)


def test_recipe_mistakes_are_named(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('scheme = "jscc-oma"\nepoch = 3\n[t1]\nloss = "mse"\nlr = -1\nepochs = 1\n')
    with pytest.raises(ConfigError, match=r"t1\.lr.*unknown key 'epoch'"):
        load_recipe(path)
    path.write_text('scheme = "jscc-oma"\ninit = "x"\n[t1]\nloss = "cross_entropy"\nlr = 1\nepochs = 1\n')
    with pytest.raises(ConfigError, match="not both"):
        load_recipe(path)
    path.write_text('scheme = "jscc-oma"\nsnr_db_train = 3\n')
    assert load_recipe(path).snr_range == SnrRange(low=3, high=3)
    with pytest.raises(ConfigError, match=r"no recipe 'yours'.*known: mine"):
        find_recipe("yours", [tmp_path])
