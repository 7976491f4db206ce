"""The conformance suite on every built-in scheme, untrained; and what it says of schemes that break the contract."""

import shutil
from dataclasses import replace

import pytest
import torch

from hil.errors import ModelError
from hil.models.card import Card
from hil.models.contract import Embeds, Features, Images, Plan, Sent, normalize_power
from hil.models.load import build_network, load_scheme
from hil.models.recipe import Recipe
from hil.models.testing import SchemeContract
from hil.models.weights import write_weights
from hil.registry import SCHEMES


@pytest.fixture(scope="session")
def networks(tmp_path_factory):
    """Every built-in scheme, small and untrained, written and loaded as a user's would be."""
    folder = tmp_path_factory.mktemp("networks")
    found = {}
    for name, entry in SCHEMES.builtin.items():
        if entry.untrained:
            found[name] = load_scheme(name, folder)
            continue
        torch.manual_seed(7)
        recipe = Recipe(name=name, scheme=name, features=24, latent=8, uses=64)
        network = build_network(recipe)
        write_weights(folder / f"{name}.safetensors", network.state_dict(), recipe, dataset="", fingerprint="")
        found[name] = load_scheme(name, folder)
    return found


@pytest.mark.parametrize("name", sorted(SCHEMES.builtin))
class TestBuiltIn(SchemeContract):
    @pytest.fixture
    def scheme(self, networks, name):
        if name == "digital-bpg" and not shutil.which("bpgenc"):
            pytest.skip("no bpgenc on the PATH; tests/unit/models/separate/test_codecs.py tests the hook with a stand-in")
        return networks[name]

    @pytest.fixture
    def views(self, scheme):
        """Smooth pictures, as codecs are made for."""
        shape = (7, scheme.plan.transmitters)
        coarse = torch.rand(7 * shape[1], 3, 2, 2, generator=torch.Generator().manual_seed(11))
        size = scheme.card.image_size or (32, 32)
        return torch.nn.functional.interpolate(coarse, size, mode="bilinear").unflatten(0, shape)


class Good:
    """Two transmitters that take turns; a task's feature is its first pixels."""

    def __init__(self):
        occupied = torch.zeros(2, 8, dtype=torch.bool)
        occupied[0, :4] = occupied[1, 4:] = True
        self.card = Card(name="good", outputs="features", image_size=(4, 4))
        self.plan = Plan(occupied=occupied)

    def encode(self, views, csi=None, generator=None):
        pixels = views.flatten(2)[:, :, :8] - 0.5
        pairs = torch.complex(pixels[..., :4], pixels[..., 4:]).transpose(0, 1)
        symbols = torch.zeros(2, len(views), 8, dtype=torch.complex64)
        symbols[0, :, :4], symbols[1, :, 4:] = pairs[0], pairs[1]
        return Sent(symbols=normalize_power(symbols, self.plan.occupied))

    def decode(self, received, blocks=("all",), side=None):
        one = received["rx"]
        return Features(features=torch.view_as_real(one.symbols).unflatten(1, (2, 4)).flatten(2), erased=~one.valid.any(1))


class TestGood(SchemeContract):
    @pytest.fixture
    def scheme(self):
        return Good()


VIEWS = torch.rand(7, 2, 3, 4, 4, generator=torch.Generator().manual_seed(1))


class TensorForFeatures(Good):
    def decode(self, received, blocks=("all",), side=None):
        return super().decode(received).features


class TensorForSent(Good):
    def encode(self, views, csi=None, generator=None):
        return super().encode(views).symbols


class Loud(Good):
    def encode(self, views, csi=None, generator=None):
        return Sent(symbols=super().encode(views).symbols * 2**0.5)


class OutOfTurn(Good):
    def encode(self, views, csi=None, generator=None):
        return Sent(symbols=super().encode(views).symbols.flip(0))


class Noisy(Good):
    def encode(self, views, csi=None, generator=None):
        return super().encode(views + 0.01 * torch.rand(views.shape))


class BatchMean(Good):
    def encode(self, views, csi=None, generator=None):
        return super().encode(views - views.mean(0))


class Remembers(Good):
    def encode(self, views, csi=None, generator=None):
        self._last = views.flatten(2)[..., :8]
        return super().encode(views)

    def decode(self, received, blocks=("all",), side=None):
        made = super().decode(received)
        same = len(made.features) == len(self._last)
        return replace(made, features=self._last) if same else made


class ReadsSide(Good):
    def decode(self, received, blocks=("all",), side=None):
        made = super().decode(received)
        return replace(made, features=side["features"]) if side is not None else made


class NeverGivesUp(Good):
    def decode(self, received, blocks=("all",), side=None):
        return replace(super().decode(received), erased=torch.zeros(len(received["rx"].symbols), dtype=torch.bool))


class DividesByPower(Good):
    def decode(self, received, blocks=("all",), side=None):
        made = super().decode(received)
        return replace(made, features=made.features / made.features.norm(dim=2, keepdim=True))


class WrongKind(Good):
    def decode(self, received, blocks=("all",), side=None):
        made = super().decode(received)
        return Images(images=made.features[..., None, None].expand(-1, -1, -1, 2, 2), erased=made.erased)


class Bright(WrongKind):
    def __init__(self):
        super().__init__()
        self.card = replace(self.card, outputs="images")


class EmbedsByBatch(Good):
    def embed(self, images, mode="reconstructed"):
        return (images.flatten(1)[:, :8] - images.mean()).expand(2, -1, -1)


class EmbedsShort(Good):
    def embed(self, images, mode="reconstructed"):
        return images.flatten(1)[:, :5].expand(2, -1, -1)


class EmbedChanges(Good):
    shift = 0.0

    def encode(self, views, csi=None, generator=None):
        return super().encode(views * (1 - self.shift))

    def embed(self, images, mode="reconstructed"):
        self.shift = 0.5
        return images.flatten(1)[:, :8].expand(2, -1, -1)


@pytest.mark.parametrize(
    ("broken", "test", "message"),
    [
        (TensorForFeatures, "output_is_what_the_card_says", "must give hil.models.contract.Features, not a tensor float32"),
        (TensorForSent, "symbols_are_as_planned", "encode must give hil.models.contract.Sent, not a tensor complex64"),
        (Loud, "symbols_are_as_planned", r"mean \|x\|² = 2 over the uses it occupies, not 1"),
        (OutOfTurn, "symbols_are_as_planned", "uses that its plan does not occupy"),
        (Noisy, "the_same_views_give_the_same_bits", "other symbols for the same views"),
        (BatchMean, "symbols_do_not_hang_on_other_tasks", "symbols of task 0, alone and among 7: differs by"),
        (Remembers, "the_same_reception_gives_the_same_bits", "decode of the same symbols: Features.features differs"),
        (ReadsSide, "side_information_is_read_by_bounds_only", r"decode read side\['features'\]: only schemes whose card"),
        (NeverGivesUp, "nothing_received_is_finite_and_given_up", r"must be marked erased \(~valid.any\(1\)\)"),
        (DividesByPower, "nothing_received_is_finite_and_given_up", "with nothing received: Features.features is not finite"),
        (WrongKind, "output_is_what_the_card_says", "puts out features, so decode must give .*Features, not Images"),
        (Bright, "output_is_what_the_card_says", "Images must lie in 0…1"),
        (EmbedsByBatch, "embed_gives_a_feature_for_each_view_and_image", "features of two images, alone and among 7"),
        (EmbedsShort, "embed_gives_a_feature_for_each_view_and_image", "features of one length"),
        (EmbedChanges, "embed_changes_nothing", "after embed, encode gave other symbols"),
    ],
)
def test_a_broken_scheme_is_found_and_told_what_is_wrong(broken, test, message):
    scheme = broken()
    assert isinstance(scheme, Embeds) == test.startswith("embed")
    with pytest.raises((AssertionError, ModelError), match=message):
        getattr(SchemeContract(), f"test_{test}")(scheme, VIEWS)
