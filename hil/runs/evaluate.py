"""How well a scheme does without a radio, for the metrics beside its weights: noiseless, and over AWGN."""

from __future__ import annotations

from typing import Any, cast

import torch

from hil.datasets.dataset import Dataset, Split
from hil.datasets.images import picked
from hil.errors import DatasetError
from hil.goals.contract import Goal, GoalOptions, Tasks, headline
from hil.models.contract import CountsBits, Scheme
from hil.models.load import build_network
from hil.models.network import RecipeNetwork
from hil.models.recipe import Recipe
from hil.models.training.examples import Examples
from hil.models.training.train import examples_of
from hil.points.simulate import Medium, awgn_noise, simulate
from hil.runs.plan import drawn_fade, repeated
from hil.runs.work import bind, fitting_goals

__all__ = ["accuracies", "check_served", "evaluate"]

TEST_SNRS_DB: dict[str, tuple[float, ...]] = {
    "features": (-6.0, 0.0, 6.0, 12.0, 15.0),
    "images": (0.0, 5.0, 10.0, 15.0, 20.0),
}
"""By what is put out."""
TEST_TASKS = 2000
NOISE_DRAWS = 4


def evaluate(scheme: Scheme, held_out: Examples, data: Dataset) -> dict[str, Any]:
    """Headline of the first goal that fits, on validation identities and on the test split."""
    found: dict[str, Any] = {"test": accuracies(scheme, data)}
    if held_out.classes > 1:
        found = {"validation": accuracies(scheme, _validation(held_out, data)), **found}
    return found


def check_served(recipe: Recipe, data: Dataset) -> None:
    """Refuse, before it is trained, what could not be evaluated then: the data set is asked what tasks it can serve.

    Raises:
        ConfigError: the images are too small for the recipe's network, or no goal can judge it on this data set.
        DatasetError: the data set, or what is held out of it, has no tasks of so many views, or too little to train on.
    """
    scheme = cast(Scheme, build_network(recipe))
    _, held_out = examples_of(recipe, data)
    _tasks(scheme, data)
    if held_out.classes > 1:
        try:
            _tasks(scheme, _validation(held_out, data))
        except DatasetError as err:
            raise DatasetError(f"{err} Train without validation: --set held_out=0") from err


def _validation(held_out: Examples, data: Dataset) -> Dataset:
    """The identities held out, asked for among themselves."""
    split = Split.people(
        images=picked(held_out.source, held_out.places),
        identities=held_out.identities,
        cameras=held_out.cameras,
        names=[f"held-out {index}" for index in range(len(held_out.labels))],
    )
    return Dataset(name=f"{data.name} (validation)", train=split, query=split, gallery=split, pairing=data.pairing)


def _tasks(scheme: Scheme, data: Dataset) -> tuple[str, Goal, GoalOptions, Tasks]:
    """The first goal that fits, and its tasks."""
    goals, options = fitting_goals((), {scheme.card.name: scheme}, data, {})
    name, goal = next(iter(goals.items()))
    return name, goal, options[name], goal.tasks(data, views=scheme.plan.transmitters, seed=0, limit=TEST_TASKS)


def accuracies(scheme: Scheme, data: Dataset) -> dict[str, Any]:
    """The headline on the tasks of a data set, noiseless and averaged over noise draws at each SNR; shares in percent.

    Of a scheme that sends messages, their mean bits as well. A network that was trained for slow fading meets fades, another
    for every task and draw.
    """
    name, goal, options, tasks = _tasks(scheme, data)
    metric = headline(goal)
    scale = 100 if metric.unit == "share" else 1
    contender = bind(scheme.card.name, scheme, data, tasks, {name: goal}, {name: options})

    def sent_at(snr_db: float) -> Any:
        told = [snr_db] * scheme.plan.transmitters if scheme.plan.tx_csi != "none" else None
        return contender.encode(told)

    snrs = TEST_SNRS_DB.get(scheme.card.outputs, TEST_SNRS_DB["features"])
    sent = sent_at(max(snrs))
    scored = contender.score(contender.noiseless(sent), torch.arange(len(tasks)))
    value = metric.of(next(iter(scored.values())))
    found: dict[str, Any] = {"goal": name, "metric": metric.name, "tasks": len(tasks), "noiseless": round(scale * value, 2)}
    if isinstance(scheme, CountsBits) and sent.side is not None:
        found["bits"] = dict(scheme.counted(sent.side))
    if not scheme.plan.uses:
        return found
    index, gains, draws = torch.arange(len(tasks)), None, NOISE_DRAWS
    if isinstance(scheme, RecipeNetwork) and scheme.recipe.channel.fading == "rayleigh":
        found["fading"] = "rayleigh"
        index, draws = index.repeat(NOISE_DRAWS), 1
        gains = drawn_fade(0, scheme.plan.transmitters, len(index))[..., None]
        sent = repeated(sent, index)
    for snr_db in snrs:
        if scheme.plan.tx_csi != "none":
            sent = repeated(sent_at(snr_db), index)
        channel = None if gains is None else gains.expand_as(sent.symbols)
        medium = Medium(noise_var=awgn_noise(scheme.plan, [snr_db]), channel=channel)
        media = dict.fromkeys(scheme.plan.receivers, medium)
        samples = simulate(contender, sent, media, draws=draws, seed=0, index=index)
        found[f"{snr_db:g} dB"] = round(scale * next(iter(samples.values())).value(metric), 2)
    return found
