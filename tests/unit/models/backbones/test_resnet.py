"""ResNet-50 with torchvision's names, strides and files."""

import pytest
import torch

from hil.errors import ConfigError, ModelError
from hil.models.backbones.resnet import ResNet50, load_torchvision_weights
from hil.models.backbones.small import build_backbone


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
