"""A scheme at work: its contract with the air, batches of a fixed size, and which tasks count as lost."""

from types import SimpleNamespace

import pytest
import torch

from hil.errors import ModelError
from hil.models.card import Card
from hil.models.contract import Features, Received, Sent
from hil.points.contender import BATCH, Contender, joined
from tests.unit.models.networks import network
from tests.unit.points.contenders import PIXELS, Pixels, contender


def received(plan, symbols, **known):
    return {name: Received.for_plan(plan, symbols=symbols, noise_var=torch.ones(1, 1), **known) for name in plan.receivers}


# --- encoding


def test_each_task_sends_its_own_views():
    occupied = torch.zeros(2, PIXELS, dtype=torch.bool)
    occupied[0, :4] = occupied[1, 4:] = True
    one = contender(Pixels(occupied), tasks=7, views=2)
    sent = one.encode().symbols
    split = one.dataset.split("test")
    for task, views in enumerate(one.tasks.views):
        for tx, view in enumerate(views):
            expected = torch.where(split.float_images(view[None]).flatten() > 0.5, 1.0, -1.0) * occupied[tx]
            assert torch.equal(sent[tx, task].real, expected)


def test_a_scheme_with_fewer_transmitters_takes_the_first_views():
    one = contender(Pixels(), tasks=5, views=3)
    assert one.encode().symbols.shape == (1, 5, PIXELS)
    assert one.scheme.asked[0][0] == (5, 1, 1, 1, PIXELS)


def test_images_are_encoded_in_batches():
    one = contender(Pixels(), tasks=BATCH + 30)
    whole = one.encode()
    assert [shape[0] for shape, _ in one.scheme.asked] == [BATCH, 30]
    assert whole.symbols.shape[1] == BATCH + 30
    first = contender(Pixels(), tasks=BATCH + 30)
    assert torch.equal(whole.symbols, first.encode().symbols)


def test_an_encoder_that_asks_is_told_each_links_snr():
    occupied = torch.zeros(2, PIXELS, dtype=torch.bool)
    occupied[0, :4] = occupied[1, 4:] = True
    one = contender(Pixels(occupied, tx_csi="snr"), tasks=3, views=2)
    one.encode((4.0, -2.5))
    assert one.scheme.asked[0][1].tolist() == [[4.0, -2.5]] * 3
    with pytest.raises(ModelError, match="must be told the SNR of its links"):
        one.encode()
    plain = contender(Pixels())
    plain.encode((4.0,))
    assert plain.scheme.asked[0][1] is None


def wrong(symbols, **more):
    """A contender whose encoder sends these symbols [tx, task, use], whatever it sees."""
    occupied = more.pop("occupied", torch.ones(symbols.shape[0], PIXELS, dtype=torch.bool))
    plan = {key: more.pop(key) for key in ("normalisation",) if key in more}
    return contender(Pixels(occupied, send=lambda views: Sent(symbols=symbols, **more), **plan), tasks=4, views=2)


UNIT = torch.ones(1, 4, PIXELS, dtype=torch.complex64)


@pytest.mark.parametrize(
    ("symbols", "more", "words"),
    [
        (UNIT[:, :3], {}, "must send"),  # a task too few
        (UNIT[..., :7], {}, "must send"),  # a use too few
        (UNIT.repeat(2, 1, 1), {"occupied": torch.ones(1, PIXELS, dtype=torch.bool)}, "must send"),  # a transmitter too many
        (UNIT * float("nan"), {}, "must send .*finite|finite symbols"),
        (UNIT * complex(float("inf"), 0), {}, "must send .*finite|finite symbols"),
        (UNIT, {"occupied": torch.tensor([[True] * 7 + [False]])}, "sends on uses that its plan does not occupy"),
        (UNIT * 2, {}, r"mean \|x\|² = 4 .*\(per_task\).*normalize_power"),
        (UNIT * 0.5, {}, r"mean \|x\|² = 0.25"),
        (UNIT * torch.tensor([1.2, 0.7, 1, 1])[:, None], {}, r"mean \|x\|² = 0.49"),  # the task that is furthest off
        (UNIT * 1.1, {"normalisation": "per_batch"}, r"mean \|x\|² = 1.21 .*\(per_batch\)"),
        (UNIT, {"length": torch.full((1, 3), 8)}, r"'length' must be \[tx, task\]"),
        (UNIT, {"length": torch.full((1, 4), 9)}, "'length' must be"),
        (UNIT, {"length": torch.full((1, 4), -1)}, "'length' must be"),
        (UNIT, {"length": torch.full((1, 4), 7)}, "sends beyond the 'length' that it states"),
        (UNIT * (torch.arange(PIXELS) < 4), {"length": torch.full((1, 4), 8)}, r"mean \|x\|² = 0.5"),
    ],
)
def test_a_broken_contract_is_refused_before_anything_is_sent(symbols, more, words):
    with pytest.raises(ModelError, match=words):
        wrong(symbols, **more).encode()


@pytest.mark.parametrize(
    ("symbols", "more"),
    [
        (UNIT * 1.004, {}),  # power within 1 %
        (UNIT * torch.tensor([1.2, 1, 1, 0.7483]).view(-1, 1), {"normalisation": "per_batch"}),  # right on the mean
        (UNIT * 7, {"normalisation": "declared"}),
        (UNIT * 2**0.5 * (torch.arange(PIXELS) < 4), {}),  # unused uses of a task: its energy is q all the same
        (UNIT * (torch.arange(PIXELS) < 4), {"length": torch.full((1, 4), 4)}),
        (torch.zeros(1, 4, 0, dtype=torch.complex64), {"occupied": torch.zeros(1, 0, dtype=torch.bool)}),
    ],
)
def test_what_the_contract_allows_is_sent(symbols, more):
    assert torch.equal(wrong(symbols, **more).encode().symbols, symbols)


def test_a_codeword_without_symbols_has_no_power_to_be_wrong():
    length = torch.tensor([[8, 0, 8, 8]])
    with pytest.raises(ModelError, match=r"mean \|x\|² = 0"):  # said: nothing is sent where power 1 was promised
        wrong(UNIT * (length[0, :, None] > 0), length=length).encode()


def test_length_counts_the_uses_that_the_plan_occupies():
    occupied = torch.tensor([[False, True] * 4])
    symbols = torch.zeros(1, 4, PIXELS, dtype=torch.complex64)
    symbols[..., 1] = symbols[..., 3] = 1
    wrong(symbols, occupied=occupied, length=torch.full((1, 4), 2)).encode()
    with pytest.raises(ModelError, match="sends beyond"):
        wrong(symbols, occupied=occupied, length=torch.full((1, 4), 1)).encode()


def test_batches_are_joined_with_what_goes_beside_them():
    parts = [
        Sent(symbols=torch.full((1, n, 2), n + 0j), length=torch.full((1, n), n), side={"s": torch.full((n, 3), n)})
        for n in (2, 3)
    ]
    whole = joined(parts)
    assert whole.symbols[0, :, 0].real.tolist() == [2, 2, 3, 3, 3]
    assert whole.length.tolist() == [[2, 2, 3, 3, 3]]
    assert whole.side["s"][:, 0].tolist() == [2, 2, 3, 3, 3]
    bare = joined([Sent(symbols=part.symbols) for part in parts])
    assert (bare.length, bare.side) == (None, None)


# --- decoding


def test_a_decoder_gives_the_same_bits_however_many_tasks_there_are():
    """Matrix products give other bits for other batch sizes; the batch is always as large."""
    scheme = network("jscc-noma")
    like = contender(Pixels())
    one = Contender(name="jscc", scheme=scheme, dataset=like.dataset, tasks=like.tasks)
    symbols = torch.randn(2 * BATCH + 30, 64, dtype=torch.complex64, generator=torch.Generator().manual_seed(0))

    def features(rows):
        return one.decode(received(scheme.plan, symbols[rows])).outputs[""].features

    whole = features(slice(None))
    assert whole.shape == (2 * BATCH + 30, 2, 16)
    for count in (1, 2, 17, BATCH - 1, BATCH, BATCH + 1):
        assert torch.equal(features(slice(count)), whole[:count])
    assert torch.equal(features(slice(BATCH, 2 * BATCH)), whole[BATCH : 2 * BATCH])


def test_a_decoder_is_called_on_full_batches_with_its_blocks():
    plan = {"blocks": {"base": slice(0, 4), "more": slice(4, 8)}}
    one = contender(Pixels(**plan))
    symbols = torch.ones(BATCH + 3, PIXELS, dtype=torch.complex64)
    decoded = one.decode(received(one.plan, symbols))
    assert [tuple(call[0]["rx"].symbols.shape) for call in one.scheme.decoded] == [(BATCH, PIXELS)] * 2
    assert not one.scheme.decoded[1][0]["rx"].symbols[3:].any()
    assert one.scheme.decoded[0][1] == ("base", "more")
    assert len(decoded.outputs[""].features) == BATCH + 3


@pytest.mark.parametrize("kind", ["measured", "bound"])
def test_side_information_reaches_bounds_only(kind):
    one = contender(Pixels(kind=kind))
    side = {"hint": torch.arange(5 * 2.0).view(5, 2)}
    one.decode(received(one.plan, torch.ones(5, PIXELS, dtype=torch.complex64)), side)
    told = one.scheme.decoded[0][2]
    if kind == "measured":
        assert told is None
    else:
        assert told["hint"].shape == (BATCH, 2)
        assert torch.equal(told["hint"][:5], side["hint"])
        assert not told["hint"][5:].any()


def test_a_task_is_lost_if_any_of_its_uses_is_or_the_decoder_gave_it_up():
    class Picky(Pixels):
        def decode(self, received, blocks=("all",), side=None):
            made = super().decode(received)
            return Features(features=made.features, erased=made.features[:, 0, 0] < 0)

    occupied = torch.tensor([[True] * 7 + [False]])
    one = contender(Picky(occupied))
    symbols = torch.ones(4, PIXELS, dtype=torch.complex64)
    symbols[3, 0] = -1
    valid = torch.ones(4, PIXELS, dtype=torch.bool)
    valid[:, 7] = False  # nobody sends there
    valid[1, 3] = valid[2] = False
    decoded = one.decode(received(one.plan, symbols, valid=valid))
    assert decoded.lost[""].tolist() == [False, True, True, True]


def test_receivers_lose_tasks_apart_and_a_joint_output_only_where_all_do():
    plan = {"receivers": ("near", "far")}
    symbols = torch.ones(4, PIXELS, dtype=torch.complex64)
    heard = {"near": torch.tensor([True, True, False, False]), "far": torch.tensor([True, False, True, False])}

    class Apart(Pixels):
        def decode(self, received, blocks=("all",), side=None):
            return {name: Pixels.decode(self, {name: one}) for name, one in received.items()}

    for scheme, expected in (
        (Pixels(**plan), {"": [False, False, False, True]}),
        (Apart(**plan), {"near": [False, False, True, True], "far": [False, True, False, True]}),
    ):
        one = contender(scheme)
        got = {
            name: Received.for_plan(
                one.plan, symbols=symbols, noise_var=torch.ones(1, 1), valid=valid[:, None].expand(4, PIXELS)
            )
            for name, valid in heard.items()
        }
        assert {name: lost.tolist() for name, lost in one.decode(got).lost.items()} == expected


def test_what_is_no_output_is_refused():
    class Tensors(Pixels):
        def decode(self, received, blocks=("all",), side=None):
            return next(iter(received.values())).symbols

    one = contender(Tensors())
    with pytest.raises(ModelError, match=r"must give .*Features.*not (a t|T)ensor"):
        one.decode(received(one.plan, torch.ones(2, PIXELS, dtype=torch.complex64)))


# --- scoring


def test_tasks_are_judged_by_the_task_they_are_and_a_lost_one_is_a_miss():
    one = contender(Pixels(), tasks=6)
    index = torch.tensor([0, 1, 2, 3, 4, 5, 0, 1])
    sent = one.encode().symbols[:, index].sum(0)
    valid = torch.ones(8, PIXELS, dtype=torch.bool)
    valid[6] = False
    sent[2, :4] *= -1  # half of its signs are wrong
    decoded = one.decode(received(one.plan, sent, valid=valid))
    scored = one.score(decoded, index)
    assert list(scored) == [("bits", None)]
    assert scored["bits", None].values["right"].tolist() == [1, 1, 0.5, 1, 1, 1, 0, 1]
    assert scored["bits", None].scored.tolist() == [True] * 6 + [False, True]


def test_without_noise_everything_is_right():
    occupied = torch.zeros(2, PIXELS, dtype=torch.bool)
    occupied[0, :4] = occupied[1, 4:] = True
    one = contender(Pixels(occupied[:1] | occupied[1:], rx_csi="snr"), tasks=6)
    sent = one.encode()
    decoded = one.noiseless(sent)
    assert one.score(decoded, torch.arange(6))["bits", None].values["right"].tolist() == [1] * 6
    assert float(one.scheme.decoded[0][0]["rx"].noise_var[:6].max()) < 1e-6
    assert not decoded.lost[""].any()


@pytest.mark.parametrize(
    ("size", "outputs", "at_once"),
    [((64, 64), "images", BATCH), ((512, 768), "images", 2), ((512, 768), "features", BATCH)],
)
def test_of_large_images_fewer_are_decoded_at_once(size, outputs, at_once):
    """Padding to the full batch would decode 252 pictures where two were sent."""
    dataset = SimpleNamespace(image_size=size)
    scheme = SimpleNamespace(card=Card(name="one", outputs=outputs))
    assert Contender(name="one", scheme=scheme, dataset=dataset, tasks=None).batch == at_once
