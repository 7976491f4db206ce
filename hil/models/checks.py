"""Does what a scheme gives keep its contract? Asked of every scheme before anything is sent, and of every output."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from hil.errors import ModelError
from hil.models.card import Card
from hil.models.contract import OUTPUTS, Output, Plan, Sent, power_used

__all__ = ["POWER_TOLERANCE", "check_output", "check_sent", "expect_sent"]

POWER_TOLERANCE = 0.01
"""How far mean |x|² may be from 1."""

ROWS: Mapping[str, str] = {
    "features": "float [task, view, p]",
    "images": "float [task, view, C, H, W]",
    "logits": "float [task, class]",
    "boxes": "float [task, n, 4]",
    "scores": "float [task, n]",
    "labels": "int64 [task, n]",
}
"""What the parts of an output must be."""


def expect_sent(name: str, made: Any) -> Sent:
    """What an encoder gave, if it is a `Sent`.

    Raises:
        ModelError: it is not.
    """
    if not isinstance(made, Sent):
        raise ModelError(f"scheme '{name}': encode must give hil.models.contract.Sent, not {_described(made)}")
    return made


def check_sent(name: str, plan: Plan, sent: Any, *, tasks: int) -> None:
    """Shape, type, zeros where nothing may be sent, and power (mean |x|² = 1 over the uses that are used).

    Args:
        name: of the scheme, for messages.
        plan: of the scheme.
        sent: what its encoder gave.
        tasks: how many were encoded.

    Raises:
        ModelError: it is not what the contract asks for.
    """
    sent = expect_sent(name, sent)
    symbols, expected = sent.symbols, (plan.transmitters, tasks, plan.uses)
    if not isinstance(symbols, Tensor) or symbols.dtype != torch.complex64 or tuple(symbols.shape) != expected:
        raise ModelError(
            f"scheme '{name}' must send symbols complex64 {list(expected)} (tx, task, use), not {_described(symbols)}"
        )
    if not bool(torch.isfinite(torch.view_as_real(symbols)).all()):
        raise ModelError(f"scheme '{name}' must send finite symbols; some are NaN or infinite")
    if bool((symbols.abs().sum(1)[~plan.occupied] != 0).any()):
        raise ModelError(f"scheme '{name}' sends on uses that its plan does not occupy")
    if not plan.uses:
        return
    if sent.length is not None:
        _check_length(name, sent.symbols, sent.length, plan)
    if plan.normalisation != "declared":
        _check_power(name, sent, plan)


def _check_power(name: str, sent: Sent, plan: Plan) -> None:
    power = power_used(sent.symbols, plan.occupied, sent.length)
    if plan.normalisation != "per_task":
        power = power.mean(1, keepdim=True)
    worst = float(power.flatten()[(power - 1).abs().argmax()])
    if abs(worst - 1) > POWER_TOLERANCE:
        raise ModelError(
            f"scheme '{name}' sends with mean |x|² = {worst:.3g} over the uses it occupies, not 1 "
            f"({plan.normalisation}); normalise with hil.models.contract.normalize_power"
        )


def _check_length(name: str, symbols: Tensor, length: Tensor, plan: Plan) -> None:
    most = plan.occupied.sum(1)[:, None]
    if length.shape != symbols.shape[:2] or bool(((length < 0) | (length > most)).any()):
        raise ModelError(f"scheme '{name}': 'length' must be [tx, task] within the uses that its plan occupies")
    place = plan.occupied.cumsum(1)[:, None, :]
    if bool((symbols.abs() * (place > length[..., None]) != 0).any()):
        raise ModelError(f"scheme '{name}' sends beyond the 'length' that it states")


def check_output(card: Card, plan: Plan, made: Any, *, tasks: int, name: str = "") -> dict[str, Output]:
    """The output that a decoder gave, by receiver; under "" the one that it made of all receivers together.

    Args:
        card, plan: of the scheme.
        made: what its decoder gave.
        tasks: how many were decoded.
        name: of the scheme, for messages; its card's if empty.

    Raises:
        ModelError: it is not what the card says.
    """
    name = name or card.name
    if not isinstance(made, Mapping):
        _check_one(name, card, made, tasks)
        return {"": made}
    if not made or not set(made) <= set(plan.receivers):
        raise ModelError(
            f"scheme '{name}': decode must give an output, or one for each receiver of {list(plan.receivers)}, "
            f"not for {sorted(map(str, made))}"
        )
    for one in made.values():
        _check_one(name, card, one, tasks)
    return dict(made)


def _check_one(name: str, card: Card, made: Any, tasks: int) -> None:
    kind = OUTPUTS[card.outputs]
    if type(made) is not kind:
        raise ModelError(
            f"scheme '{name}': its card says that it puts out {card.outputs}, so decode must give "
            f"hil.models.contract.{kind.__name__}, not {_described(made)}{_wrapped(card, kind, made)}"
        )
    if not isinstance(made.erased, Tensor) or made.erased.dtype != torch.bool or made.erased.shape != (tasks,):
        raise ModelError(
            f"scheme '{name}': {kind.__name__}.erased must be bool [{tasks}] (task), not {_described(made.erased)}"
        )
    for part, wanted in ROWS.items():
        if not hasattr(made, part):
            continue
        value = getattr(made, part)
        floating = wanted.startswith("float")
        if (
            not isinstance(value, Tensor)
            or value.ndim != wanted.count(",") + 1
            or len(value) != tasks
            or (not value.is_floating_point() if floating else value.dtype != torch.int64)
        ):
            raise ModelError(
                f"scheme '{name}': {kind.__name__}.{part} must be {wanted.replace('task', str(tasks))}, not {_described(value)}"
            )


def _wrapped(card: Card, kind: type[Output], made: Any) -> str:
    """How a bare tensor becomes the output that it was meant to be."""
    if not isinstance(made, Tensor) or card.outputs == "boxes":
        return ""
    return f"; return {kind.__name__}({card.outputs}=…, erased=~received['rx'].valid.any(1))"


def _described(value: Any) -> str:
    if isinstance(value, Tensor):
        return f"a tensor {str(value.dtype).removeprefix('torch.')} {list(value.shape)}"
    return type(value).__name__
