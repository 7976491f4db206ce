"""SMRC: power of each sub-block, what each decoder reads, which scheme sends and puts out what, and what is refused."""

import pytest
import torch

from hil.errors import ConfigError, ShapeError
from hil.models.contract import Images, Logits
from hil.models.load import build_network
from hil.models.recipe import Recipe
from hil.models.smrc.loss import pooled
from hil.models.testing import received_for


def network(scheme="smrc", **changes):
    torch.manual_seed(3)
    settings = {"image_size": (16, 16), "uses": 12, "classes": 4, **changes}
    return build_network(Recipe(name="tiny", scheme=scheme, **settings)).eval().requires_grad_(False)


VIEWS = torch.rand(5, 1, 3, 16, 16, generator=torch.Generator().manual_seed(0))
VIEWS[0] = 0.0  # black


@pytest.mark.parametrize("uses", [(6, 6), (2, 9, 1)])
def test_every_sub_block_has_power_one_in_every_image(uses):
    scheme = network(uses=12, layers={"uses": uses})
    symbols = scheme.encode(VIEWS).symbols
    assert [symbols[..., block].shape[2] for block in scheme.plan.blocks.values()] == list(uses)
    for block in scheme.plan.blocks.values():
        power = symbols[..., block].abs().square().mean(2)
        torch.testing.assert_close(power, torch.ones(1, 5), rtol=0, atol=1e-6)


def test_a_decoder_reads_its_sub_blocks_and_those_before():
    scheme = network()
    received = received_for(scheme.plan, scheme.encode(VIEWS), noise_var=0.1)
    other = received_for(scheme.plan, scheme.encode(VIEWS), noise_var=0.1, seed=6)["rx"].symbols
    before = [scheme.decode(received, names).images for names in (("layer1",), ("layer1", "layer2"))]
    assert torch.equal(scheme.decode(received).images, before[1])
    received["rx"].symbols[:, 6:] = other[:, 6:]
    after = [scheme.decode(received, names).images for names in (("layer1",), ("layer1", "layer2"))]
    assert torch.equal(before[0], after[0])
    assert not torch.allclose(before[1], after[1])
    received["rx"].symbols[:, :6] = other[:, :6]
    assert not torch.allclose(scheme.decode(received, ("layer1",)).images, before[0])


def test_a_task_is_given_up_where_none_of_what_is_read_arrived():
    scheme = network()
    valid = torch.ones(5, 12, dtype=torch.bool)
    valid[1], valid[2, :6] = False, False
    received = received_for(scheme.plan, scheme.encode(VIEWS), valid=valid)
    assert scheme.decode(received, ("layer1",)).erased.tolist() == [False, True, True, False, False]
    assert scheme.decode(received).erased.tolist() == [False, True, False, False, False]


def test_schemes_of_the_same_weights():
    """Who gets the first layer alone is sent the same symbols of it; classes are those of the layer's pictures."""
    full = network()
    sent = full.encode(VIEWS)
    pictures = full.decode(received_for(full.plan, sent), ("layer1",)).images
    base, labels, base_labels = (network(f"smrc-{name}") for name in ("base", "classes", "base-classes"))
    assert base.plan.uses == base_labels.plan.uses == 6
    assert torch.equal(base.encode(VIEWS).symbols, sent.symbols[..., :6])
    torch.testing.assert_close(base.decode(received_for(base.plan, base.encode(VIEWS))).images, pictures, rtol=0, atol=1e-3)
    got = received_for(labels.plan, sent)
    logits = labels.decode(got)
    assert isinstance(logits, Logits)
    shown = full.decode(got)
    assert isinstance(shown, Images)
    torch.testing.assert_close(logits.logits, full.extractors[1](shown.images[:, 0]))
    first = base_labels.decode(received_for(base_labels.plan, base_labels.encode(VIEWS))).logits
    torch.testing.assert_close(first, full.extractors[0](pictures[:, 0]), rtol=0, atol=1e-3)


def test_two_receivers_read_a_layer_each_of_one_transmission():
    both, full = network("smrc-multicast"), network()
    assert both.plan.receivers == ("layer2", "layer1")
    got = received_for(both.plan, both.encode(VIEWS), noise_var=0.1)
    shown = both.decode(got, ("layer1", "layer2"))
    assert torch.equal(shown["layer2"].images, full.decode({"rx": got["layer2"]}).images)
    assert torch.equal(shown["layer1"].images, full.decode({"rx": got["layer1"]}, ("layer1",)).images)
    alone = both.decode(got, ("layer1",))
    assert torch.equal(alone["layer2"].images, full.decode({"rx": got["layer2"]}, ("layer1",)).images)


def test_one_head_has_all_uses_and_is_as_large_as_what_the_second_decoder_hangs_on():
    one, two = network("smrc-one-head", uses=80), network(uses=80)
    assert dict(one.plan.blocks) == {"layer1": slice(0, 80)}

    def parameters(*modules):
        return sum(value.numel() for module in modules for value in module.parameters())

    own, own_two = parameters(one.trunk, one.heads, one.decoders), parameters(two.trunk, two.heads, two.decoders[1])
    assert own == pytest.approx(own_two, rel=0.05)


def test_pooled_classes_are_told_apart_only_where_the_pool_is_the_answer():
    scheme = network("smrc-classes", layers={"pool": (0, 3)})
    got = received_for(scheme.plan, scheme.encode(VIEWS), noise_var=0.5)
    logits = scheme.decode(got).logits
    own = scheme.classify(scheme.demodulate(got["rx"].symbols, 2), 2)
    assert torch.equal(logits.argmax(1).clamp_max(1), pooled(own, 3).argmax(1))
    assert torch.equal(logits[:, 1:].argmax(1), own[:, 1:].argmax(1))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"image_size": (16, 18)}, "multiples of 4"),
        ({"uses": 0}, "1 or more each"),
        ({"layers": {"uses": (6, 5)}}, "12 together"),
    ],
)
def test_sizes_that_cannot_be_are_refused(changes, words):
    with pytest.raises(ConfigError, match=words):
        network(**changes)


def test_other_pictures_blocks_and_receivers_are_refused():
    scheme = network()
    got = received_for(scheme.plan, scheme.encode(VIEWS))
    with pytest.raises(ShapeError, match=r"3 channels .*, not 1"):
        scheme.encode(VIEWS[:, :, :1])
    with pytest.raises(ShapeError, match="image_size"):
        scheme.encode(VIEWS[..., 1:])
    with pytest.raises(ShapeError, match="first ones of"):
        scheme.decode(got, ("layer2",))
    with pytest.raises(ShapeError, match="receiver 'rx'"):
        scheme.decode({"other": got["rx"]})
    with pytest.raises(ShapeError, match=r"\[task, 6\]"):
        network("smrc-base").decode(got)
