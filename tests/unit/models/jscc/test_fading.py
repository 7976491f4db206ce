"""Schemes for slow fading: what they are told, what derotation does, and which are the plain networks."""

import pytest
import torch

from hil.models.jscc.csi import scaled_snr, state_of
from hil.models.recipe import SnrRange
from hil.models.training.awgn import receive_awgn
from tests.unit.models.networks import network, views_of

RANGE = SnrRange(low=-6, high=18)


def faded(scheme, symbols, gains, snr_db=float("inf")):
    return {"rx": receive_awgn(scheme.plan, symbols, snr_db, torch.Generator().manual_seed(2), channel=gains[..., None])}


@pytest.mark.parametrize("name", ["jscc-single-derotated", "jscc-oma-derotated"])
def test_derotation_takes_the_phase_out_and_leaves_the_size(name):
    """Masks may look at Re h and Im h, so what is compared is what the first layer is fed."""
    scheme = network(name)
    symbols = scheme.encode(views_of(scheme, 4)).symbols
    gains = torch.randn(scheme.plan.transmitters, 4, dtype=torch.complex64)
    seen = []
    for decoder in scheme.decoders:
        decoder.attention[0].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    scheme.decode(faded(scheme, symbols, gains))
    for index, fed in enumerate(seen):
        own = symbols[index][:, scheme.plan.occupied[index]] * gains[index].abs()[:, None]
        torch.testing.assert_close(fed, torch.cat([own.real, own.imag], 1), atol=1e-5, rtol=1e-5)


def test_a_decoder_is_told_gain_and_snr():
    scheme = network("jscc-noma-csir", snr_db_train=RANGE.model_dump())
    gains = torch.tensor([[3 + 4j, 1j], [0.5, -2]], dtype=torch.complex64)
    one = faded(scheme, torch.zeros(2, 2, 64, dtype=torch.complex64), gains, snr_db=12.0)["rx"]
    state = state_of(one, "channel", uses=scheme.plan.occupied[0], links=[0, 1], trained=RANGE)
    expected = [[0.5, 3, 4, 5, 0.5, 0, 0.5], [0.5, 0, 1, 1, -2, 0, 2]]
    torch.testing.assert_close(state, torch.tensor(expected), atol=1e-5, rtol=1e-5)
    assert state_of(one, "none", uses=scheme.plan.occupied[0], links=[0], trained=RANGE) is None
    torch.testing.assert_close(scaled_snr(torch.tensor([-60.0, 6.0, 18.0, 60.0]), RANGE), torch.tensor([-1.0, 0.0, 1.0, 1.0]))


@pytest.mark.parametrize("access", ["single", "oma", "noma"])
def test_networks_that_know_nothing_of_fades_are_the_plain_ones(access):
    blind = network(f"jscc-{access}-fading")
    assert (blind.plan.tx_csi, blind.plan.rx_csi) == ("none", "none")
    assert blind.state_dict().keys() == network(f"jscc-{access}").state_dict().keys()
