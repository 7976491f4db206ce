"""Right and wrong classes counted over tasks: macro F1, recall and precision of a class.

Tasks are given as their true class and the predicted one, `NOTHING` where a task was lost: an error of its true class, and a
prediction of none.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import torch
from torch import Tensor

from hil.goals.contract import Metric

__all__ = ["MACRO_F1", "NOTHING", "class_metrics"]

NOTHING = -1
"""The predicted class of a task that was lost."""


def _counts(values: Mapping[str, Tensor], weights: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Tasks of each class, predicted as each class, and both; float64 [..., class] each."""
    truth, predicted = values["truth"], values["predicted"]
    classes = int(torch.cat([truth, predicted]).max()) + 1
    flat = weights.reshape(-1, weights.shape[-1])

    def total(classed: Tensor, counted: Tensor) -> Tensor:
        found = torch.zeros(len(flat), classes, dtype=torch.float64).index_add_(1, classed[counted], flat[:, counted])
        return found.view(*weights.shape[:-1], classes)

    everyone = torch.ones_like(truth, dtype=torch.bool)
    return total(truth, everyone), total(predicted, predicted != NOTHING), total(truth, truth == predicted)


def _macro_f1(values: Mapping[str, Tensor], weights: Tensor) -> Tensor:
    true, predicted, both = _counts(values, weights)
    occurs = true + predicted > 0
    f1 = torch.where(occurs, 2 * both / (true + predicted).clamp_min(1e-12), 0.0)
    return f1.sum(-1) / occurs.sum(-1)


def _recall(number: int, values: Mapping[str, Tensor], weights: Tensor) -> Tensor:
    own = values["truth"] == number
    right = own & (values["predicted"] == number)
    return (weights @ right.double()) / (weights @ own.double())


def _precision(number: int, values: Mapping[str, Tensor], weights: Tensor) -> Tensor:
    claimed = values["predicted"] == number
    right = claimed & (values["truth"] == number)
    return (weights @ right.double()) / (weights @ claimed.double()).clamp_min(1e-12)


MACRO_F1 = Metric(name="macro_f1", unit="share", better="higher", worst=0.0, title="macro F1", aggregate=_macro_f1)
"""Mean F1 of the classes that occur among true or predicted ones. F1 = 2·right/(true + predicted).

Source: Sokolova and Lapalme, A systematic analysis of performance measures for classification tasks, 2009 (macro average of F1,
as scikit-learn and torchmetrics have it; not F1 of the mean precision and recall).
"""


def class_metrics(names: tuple[str, ...]) -> tuple[Metric, ...]:
    """Recall and precision of each class.

    Recall is NaN where no task is of the class; precision is 0 where no task was taken for it (scikit-learn's rule).

    Args:
        names: of the classes, in the order of their numbers.
    """
    keys = ["_".join(name.split()) for name in names]
    if len(set(keys)) != len(keys) or "" in keys:
        keys = [str(number) for number in range(len(names))]
    return tuple(
        Metric(
            name=f"{what}_{key}",
            unit="share",
            better="higher",
            worst=0.0,
            title=f"{what} of {name}",
            aggregate=partial(aggregate, number),
        )
        for number, (key, name) in enumerate(zip(keys, names, strict=True))
        for what, aggregate in (("recall", _recall), ("precision", _precision))
    )
