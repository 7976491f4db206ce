"""The conformance suite of the Scheme contract: inherit `SchemeContract`, give it a scheme, and pytest does the rest.

    class TestMyScheme(SchemeContract):
        @pytest.fixture
        def scheme(self):
            return MyScheme()

Where a scheme needs pictures of something, define the fixture `views` too. `received_for` is an ideal channel.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from hil.channel.awgn import superpose
from hil.models.card import Card
from hil.models.checks import check_output, check_sent
from hil.models.contract import OUTPUTS, Embeds, Images, Output, Plan, Received, Scheme, Sent, stacked

__all__ = ["TOLERANCE", "SchemeContract", "noise_views", "received_for"]

F = TypeVar("F", bound=Callable[..., Any])

TOLERANCE = 1e-5
"""How far a task's values may move when others are in the batch, relative to the largest of them (and to 1)."""

TASKS = 7


def received_for(
    plan: Plan,
    sent: Sent,
    *,
    noise_var: float = 1e-9,
    channel: Tensor | None = None,
    valid: Tensor | None = None,
    seed: int = 5,
) -> dict[str, Received]:
    """What every receiver of a plan gets over an ideal channel: y = Σ h_k x_k + n.

    Args:
        plan: of the scheme.
        sent: symbols of the tasks.
        noise_var: power of a complex noise sample.
        channel: complex64 [tx, task, use]; None for 1.
        valid: bool [task, use], what arrived; None for all that the plan occupies.
        seed: of the noise, which is another for each receiver.
    """
    arrived = plan.occupied.any(0).expand(sent.symbols.shape[1:]) if valid is None else valid
    generator = torch.Generator().manual_seed(seed)
    return {
        name: Received.for_plan(
            plan,
            symbols=superpose(sent.symbols, channel, noise_var, generator) * arrived,
            noise_var=torch.full((1, 1), noise_var),
            channel=channel,
            valid=arrived,
        )
        for name in plan.receivers
    }


class _Unreadable(Mapping[str, Tensor]):
    """Side information that may not be looked at."""

    def __getitem__(self, name: str) -> Tensor:
        raise AssertionError(f"decode read side['{name}']: only schemes whose card says kind = 'bound' may")

    def __iter__(self) -> Iterator[str]:
        raise AssertionError("decode looked into side: only schemes whose card says kind = 'bound' may")

    def __len__(self) -> int:
        return 1


def _encode(scheme: Scheme, views: Tensor) -> Sent:
    """Symbols of the views; an encoder that wants to know the SNR is told 10 dB."""
    with torch.inference_mode():
        if scheme.plan.tx_csi == "none":
            made = scheme.encode(views)
        else:
            made = scheme.encode(views, torch.full((len(views), scheme.plan.transmitters), 10.0))
    check_sent(scheme.card.name, scheme.plan, made, tasks=len(views))
    return made


def _decode(scheme: Scheme, received: Mapping[str, Received], side: Mapping[str, Tensor] | None) -> dict[str, Output]:
    """Outputs by receiver; only a bound is given the side information."""
    tasks = len(next(iter(received.values())).symbols)
    with torch.inference_mode():
        made = scheme.decode(received, tuple(scheme.plan.blocks), side if scheme.card.kind == "bound" else None)
    return check_output(scheme.card, scheme.plan, made, tasks=tasks)


def _rows(sent: Sent, start: int, count: int) -> Mapping[str, Tensor] | None:
    """Side information of some tasks."""
    return None if sent.side is None else {name: value[start : start + count] for name, value in sent.side.items()}


def _assert_close(found: Tensor, expected: Tensor, what: str) -> None:
    if not expected.is_floating_point() and not expected.is_complex():
        assert torch.equal(found, expected), f"{what}: differs"
        return
    worst = float((found - expected).abs().max()) if expected.numel() else 0.0
    allowed = TOLERANCE * max(1.0, float(expected.abs().max()) if expected.numel() else 0.0)
    assert worst <= allowed, f"{what}: differs by {worst:.3g}, more than {allowed:.3g}"


def _assert_same(found: Mapping[str, Output], expected: Mapping[str, Output], what: str) -> None:
    for name, output in expected.items():
        for part, value in vars(output).items():
            assert torch.equal(getattr(found[name], part), value), f"{what}: {type(output).__name__}.{part} differs"


def _assert_finite(outputs: Mapping[str, Output], what: str) -> None:
    for output in outputs.values():
        for part, value in vars(output).items():
            assert bool(torch.isfinite(value).all()), f"{what}: {type(output).__name__}.{part} is not finite"


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Torch's global generator at `seed`, and afterwards as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


def _state(scheme: Scheme) -> dict[str, Any]:
    """All that a network holds, and whether it is training."""
    if not isinstance(scheme, nn.Module):
        return {}
    modes = {f"training of {name}": module.training for name, module in scheme.named_modules()}
    return {**{name: value.clone() for name, value in scheme.state_dict().items()}, **modes}


def _assert_state(before: Mapping[str, Any], scheme: Scheme, who: str) -> None:
    for name, value in _state(scheme).items():
        same = torch.equal(value, before[name]) if isinstance(value, Tensor) else value == before[name]
        assert same, f"{who} changed '{name}' of the scheme"


def _fixture(function: F) -> F:
    """The fixture of pytest where that is installed; `hil schemes test` asks the suite without."""
    if importlib.util.find_spec("pytest") is None:
        return function
    made: F = importlib.import_module("pytest").fixture(function)
    return made


def noise_views(scheme: Scheme) -> Tensor:
    """Views of noise in colours, float32 [task, tx, C, H, W] in 0…1, at the scheme's own size."""
    size, channels = scheme.card.image_size or (32, 32), scheme.card.channels or 3
    return torch.rand(TASKS, scheme.plan.transmitters, channels, *size, generator=torch.Generator().manual_seed(11))


class SchemeContract:
    """Inherit, and define the fixture `scheme`."""

    @_fixture
    def scheme(self) -> Scheme:
        """The scheme, ready to use; define it in the subclass."""
        raise NotImplementedError("define the fixture 'scheme' in the subclass")

    @_fixture
    def views(self, scheme: Scheme) -> Tensor:
        """At least two tasks' views, float32 [task, tx, C, H, W] in 0…1; noise in colours if not defined in the subclass."""
        return noise_views(scheme)

    def test_card_and_plan_are_whole(self, scheme: Scheme) -> None:
        """It has all that a scheme has; blocks lie inside the uses; what it puts out is one of the four kinds."""
        missing = [part for part in ("card", "plan", "encode", "decode") if not hasattr(scheme, part)]
        assert not missing, f"a scheme must have {', '.join(missing)} (hil.models.contract.Scheme)"
        assert isinstance(scheme.card, Card), f"card must be hil.models.contract.Card, not {type(scheme.card).__name__}"
        assert isinstance(scheme.plan, Plan), f"plan must be hil.models.contract.Plan, not {type(scheme.plan).__name__}"
        assert scheme.card.name, "card.name must say what the scheme is called"
        assert scheme.card.outputs in OUTPUTS, f"card.outputs must be one of {', '.join(OUTPUTS)}, not '{scheme.card.outputs}'"
        assert scheme.plan.transmitters >= 1, "plan.occupied must have a row for each transmitter, at least one"
        for name, block in scheme.plan.blocks.items():
            start, stop, step = block.indices(scheme.plan.uses)
            assert step == 1, f"block '{name}' must be a whole stretch of uses"
            assert start < stop or not scheme.plan.uses, f"block '{name}' has no use"

    def test_symbols_are_as_planned(self, scheme: Scheme, views: Tensor) -> None:
        """Shape, type, zeros where unoccupied or beyond the length, power by the plan's normalisation."""
        sent = _encode(scheme, views)
        for name, value in (sent.side or {}).items():
            assert len(value) == len(views), f"side['{name}'] must be [task, …] with {len(views)} rows, not {len(value)}"

    def test_the_same_views_give_the_same_bits(self, scheme: Scheme, views: Tensor) -> None:
        """Nothing random, nothing remembered: a replay must encode the same. The views are left as they were."""
        kept, before = views.clone(), _state(scheme)
        with _seeded(1):
            first = _encode(scheme, views)
            _encode(scheme, views.flip(0))
        with _seeded(2):
            again = _encode(scheme, views)
        assert torch.equal(first.symbols, again.symbols), "encode gave other symbols for the same views"
        assert torch.equal(views, kept), "encode changed the views in place"
        _assert_state(before, scheme, "encode")

    def test_symbols_do_not_hang_on_other_tasks(self, scheme: Scheme, views: Tensor) -> None:
        """A task alone is encoded as among others; of a scheme normalised by batch, up to its scale."""
        whole = _encode(scheme, views).symbols
        for row in range(len(views)):
            alone = _encode(scheme, views[row : row + 1]).symbols[:, 0]
            among = whole[:, row]
            if scheme.plan.normalisation == "per_batch":
                norms = [torch.linalg.vector_norm(one, dim=-1, keepdim=True).clamp_min(1e-12) for one in (alone, among)]
                alone, among = alone / norms[0], among / norms[1]
            _assert_close(alone, among, f"symbols of task {row}, alone and among {len(views)}")

    def test_output_is_what_the_card_says(self, scheme: Scheme, views: Tensor) -> None:
        """Kind, shapes, types and range, with and without noise; without, no task is given up."""
        sent = _encode(scheme, views)
        for noise_var in (1e-9, 0.1, 100.0):
            made = _decode(scheme, received_for(scheme.plan, sent, noise_var=noise_var), sent.side)
            _assert_finite(made, f"at noise {noise_var}")
            for output in made.values():
                if isinstance(output, Images):
                    low, high = float(output.images.min()), float(output.images.max())
                    assert low >= 0, f"Images must lie in 0…1, not from {low:.3g}; clamp them"
                    assert high <= 1, f"Images must lie in 0…1, not up to {high:.3g}; clamp them"
                if noise_var < 1e-6:
                    assert not bool(output.erased.any()), "the decoder gave tasks up that came without noise"

    def test_the_same_reception_gives_the_same_bits(self, scheme: Scheme, views: Tensor) -> None:
        """The decoder knows what was received, and nothing of what was encoded last; it leaves its input as it was."""
        sent = _encode(scheme, views)
        received, before = received_for(scheme.plan, sent, noise_var=0.1), _state(scheme)
        kept = {name: one.symbols.clone() for name, one in received.items()}
        with _seeded(1):
            first = _decode(scheme, received, sent.side)
            _encode(scheme, views.flip(0))
        with _seeded(2):
            _assert_same(_decode(scheme, received, sent.side), first, "decode of the same symbols")
        for name, one in received.items():
            assert torch.equal(one.symbols, kept[name]), "decode changed the received symbols in place"
        _assert_state(before, scheme, "decode")

    def test_output_does_not_hang_on_other_tasks(self, scheme: Scheme, views: Tensor) -> None:
        """A task alone, and in a batch filled up with zeros, is decoded as among others."""
        sent = _encode(scheme, views)
        received = received_for(scheme.plan, sent, noise_var=0.1)
        whole = _decode(scheme, received, sent.side)
        for padded in (1, 4) if scheme.plan.uses else (1,):
            rows = range(len(views))
            alone = [
                _decode(scheme, {name: one.rows(row, 1, padded) for name, one in received.items()}, _rows(sent, row, 1))
                for row in rows
            ]
            for name, output in whole.items():
                parts = [type(output)(**{part: value[:1] for part, value in vars(one[name]).items()}) for one in alone]
                both = stacked([output, *parts])
                for part, value in vars(both).items():
                    what = f"{type(output).__name__}.{part} of tasks alone and among {len(views)}"
                    _assert_close(value[len(views) :], value[: len(views)], what)

    def test_nothing_received_is_finite_and_given_up(self, scheme: Scheme, views: Tensor) -> None:
        """Zeros for all uses give an output all the same, and a task of which nothing is valid is marked erased."""
        if not scheme.plan.uses:
            return
        sent = _encode(scheme, views)
        valid = scheme.plan.occupied.any(0).expand(sent.symbols.shape[1:]).clone()
        valid[::2] = False
        made = _decode(scheme, received_for(scheme.plan, sent, noise_var=0.1, valid=valid), sent.side)
        _assert_finite(made, "with nothing received")
        for output in made.values():
            assert bool(output.erased[::2].all()), "a task of which no use is valid must be marked erased (~valid.any(1))"

    def test_side_information_is_read_by_bounds_only(self, scheme: Scheme, views: Tensor) -> None:
        """A measured scheme is decoded from what was received alone."""
        if scheme.card.kind == "bound":
            return
        sent = _encode(scheme, views)
        with torch.inference_mode():
            scheme.decode(received_for(scheme.plan, sent, noise_var=0.1), tuple(scheme.plan.blocks), _Unreadable())

    def test_embed_gives_a_feature_for_each_view_and_image(self, scheme: Scheme, views: Tensor) -> None:
        """Of a scheme that embeds: shape and type, finite, for both galleries; an image is embedded alike among others."""
        if not isinstance(scheme, Embeds):
            return
        images, sent = views[:, 0], _encode(scheme, views)
        length = next(iter(_decode(scheme, received_for(scheme.plan, sent), sent.side).values()))
        for mode in ("reconstructed", "raw"):
            with torch.inference_mode():
                whole = scheme.embed(images, mode)
                some = scheme.embed(images[:2], mode)
            wanted = (scheme.plan.transmitters, len(images))
            assert whole.dtype == torch.float32, f"embed must give float32, not {whole.dtype}"
            assert tuple(whole.shape[:2]) == wanted, (
                f"embed must give [view, image, p] = {list(wanted)}, not {list(whole.shape)}"
            )
            assert bool(torch.isfinite(whole).all()), "embed must give finite features"
            features = getattr(length, "features", whole)
            assert whole.shape[2] == features.shape[2], "embed and decode must give features of one length"
            _assert_close(some, whole[:, :2], f"gallery = '{mode}': features of two images, alone and among {len(images)}")

    def test_embed_changes_nothing(self, scheme: Scheme, views: Tensor) -> None:
        """Of a scheme that embeds: symbols before and after are the same, and so is all that it holds."""
        if not isinstance(scheme, Embeds):
            return
        first, before = _encode(scheme, views), _state(scheme)
        with torch.inference_mode():
            scheme.embed(views[:, 0], "reconstructed")
        _assert_state(before, scheme, "embed")
        assert torch.equal(_encode(scheme, views).symbols, first.symbols), "after embed, encode gave other symbols"
