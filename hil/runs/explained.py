"""What simulated points say beside their metrics, of one draw: what schemes that send bits made of uses, and some pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from hil.models.contract import Explains, Sent
from hil.points.contender import Contender
from hil.points.simulate import Medium, awgn_noise, received_once, seed_of
from hil.runs.pictures import pictures_of
from hil.runs.steps import Key

__all__ = ["explained"]


def explained(
    contender: Contender,
    sent: Sent,
    snr_db: Sequence[float],
    power: Sequence[float],
    *,
    seed: int,
    drawn: tuple[float, str],
    index: Tensor | None = None,
    fade: Tensor | None = None,
) -> dict[Key, dict[str, Any]]:
    """Keys of a simulated point's rows, `coding` and `pictures`, of the first of its noise draws.

    Args:
        contender: decodes.
        sent: symbols of the tasks.
        snr_db: of each transmitter, at every receiver.
        power: of each transmitter relative to 1.
        seed: of the run; drawn: SNR target, and basis and energy in one word, by which the point's noise is drawn.
        index: distinct task of each task sent, int64 [task]; None for 0, 1, 2, ….
        fade: complex64 [tx, task] or None.
    """
    tells, shows = isinstance(contender.scheme, Explains), contender.scheme.card.outputs == "images"
    if not (tells or shows):
        return {}
    channel = None if fade is None else fade[..., None].expand_as(sent.symbols)
    medium = Medium(noise_var=awgn_noise(contender.plan, snr_db), channel=channel)
    name = f"{seed_of(seed, contender.name, *drawn)}/0"
    received = received_once(contender.plan, sent, dict.fromkeys(contender.plan.receivers, medium), name, power)
    more = {"coding": dict(contender.scheme.explain(sent, received))} if isinstance(contender.scheme, Explains) else {}
    places = torch.arange(sent.symbols.shape[1]) if index is None else index
    decoded = contender.decode(received, sent.side)
    found: dict[Key, dict[str, Any]] = {}
    for output_name, output in decoded.outputs.items():
        for goal, own in contender.goals.items():
            shown = {}
            if own.needs == "images":
                shown = {"pictures": pictures_of(contender, output, places, decoded.lost[output_name])}
            found[goal, contender.label(output_name)] = {**more, **shown}
    return found
