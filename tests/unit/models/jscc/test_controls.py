"""Controls: one image in every view, two networks on one view, and more than two transmitters."""

import pytest
import torch

from hil.models.contract import power_used
from hil.models.load import build_network, load_scheme, weights_file
from hil.models.recipe import Recipe
from hil.models.weights import write_weights
from tests.unit.models.networks import SIZE, clean, network, views_of


@pytest.mark.parametrize("access", ["oma", "noma"])
def test_the_same_view_is_the_trained_network_with_the_first_image_in_every_branch(tmp_path, access):
    plain = network(f"jscc-{access}")
    write_weights(tmp_path / f"jscc-{access}.safetensors", plain.state_dict(), plain.recipe, dataset="", fingerprint="")
    control = load_scheme(f"jscc-{access}-same-view", tmp_path)
    assert weights_file(f"jscc-{access}-same-view", [tmp_path]) == tmp_path / f"jscc-{access}.safetensors"
    assert control.card.name == f"jscc-{access}-same-view"
    views = views_of(plain, 3)
    plain = load_scheme(f"jscc-{access}", tmp_path)  # as stored, in half precision
    assert torch.equal(control.encode(views).symbols, plain.encode(views[:, :1].expand_as(views)).symbols)
    assert torch.equal(control.embed(views[:, 0]), plain.embed(views[:, 0]))


def test_the_twin_is_as_large_as_oma_and_adds_its_networks_distances_up():
    twin, pair = network("jscc-single-twin"), network("jscc-oma")
    assert sum(one.numel() for one in twin.parameters()) == sum(one.numel() for one in pair.parameters())
    assert twin.plan.occupied.tolist() == [[True] * 64]
    pair.load_state_dict(twin.state_dict())
    views = views_of(twin, 3)
    sent = twin.encode(views).symbols
    torch.testing.assert_close(power_used(sent, twin.plan.occupied), torch.ones(1, 3), atol=1e-5, rtol=1e-5)
    halves = pair.encode(views.expand(-1, 2, -1, -1, -1)).symbols
    for half, own in zip(sent[0].chunk(2, dim=1), halves, strict=True):  # the halves share its power as the network likes
        full = own[own != 0].view(3, -1)
        cosine = (half.conj() * full).sum(1).abs() / (half.norm(dim=1) * full.norm(dim=1))
        torch.testing.assert_close(cosine, torch.ones(3), atol=1e-5, rtol=1e-5)
    decoded = twin.decode(clean(twin, sent)).features
    assert decoded.shape == (3, 1, 32)
    gallery = torch.rand(4, 3, *SIZE)
    assert twin.embed(gallery).shape == (1, 4, 32)
    assert twin.embed(gallery[:0]).shape == (1, 0, 32)
    together = torch.cdist(decoded[:, 0], twin.embed(gallery)[0]).square()
    apart = [torch.cdist(decoded[:, 0, part], twin.embed(gallery)[0][:, part]).square() for part in (slice(16), slice(16, 32))]
    torch.testing.assert_close(together, apart[0] + apart[1])


@pytest.mark.parametrize("count", [3, 4])
def test_more_transmitters_by_the_same_code(count):
    oma, noma, reference = (
        network(name, transmitters=count, uses=48) for name in ("jscc-oma", "jscc-noma-csir", "baseline-pair")
    )
    assert oma.plan.occupied.sum(1).tolist() == [48 // count] * count
    assert int(oma.plan.occupied.sum()) == 48
    assert bool(noma.plan.occupied.all())
    for scheme in (oma, noma):
        views = views_of(scheme, 2)
        sent = scheme.encode(views).symbols
        torch.testing.assert_close(power_used(sent, scheme.plan.occupied), torch.ones(count, 2), atol=1e-5, rtol=1e-5)
        assert scheme.decode(clean(scheme, sent)).features.shape == (2, count, 16)
        assert scheme.embed(views[:, 0]).shape == (count, 2, 16)
    assert reference.plan.transmitters == count


def test_symbols_follow_the_precision_of_the_network():
    scheme = build_network(Recipe(name="tiny", scheme="jscc-noma", features=8, uses=4)).double().eval()
    assert scheme.modulate(torch.randn(2, 2, 8, dtype=torch.float64)).dtype == torch.complex128
