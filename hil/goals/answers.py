"""What every judge does with an output first: is it of the right kind, and what of a lost task is looked at (nothing)."""

from __future__ import annotations

from typing import TypeVar

from torch import Tensor

from hil.errors import ConfigError, ModelError
from hil.goals.contract import Tasks
from hil.models.contract import Output

__all__ = ["blanked", "expected", "sent_images"]

K = TypeVar("K", bound=Output)


def expected(output: Output, kind: type[K], goal: str) -> K:
    """The output, if it is of this kind.

    Raises:
        ModelError: it is not.
    """
    if not isinstance(output, kind):
        raise ModelError(f"{goal} needs {kind.__name__} (hil.models.contract), the decoder gave {type(output).__name__}")
    return output


def blanked(value: Tensor, lost: Tensor) -> Tensor:
    """The rows of tasks that were lost set to zero, whatever they hold; any type, [task, …].

    Raises:
        ModelError: there is another number of rows.
    """
    if len(value) != len(lost):
        raise ModelError(f"the decoder must give one row a task ({len(lost)}), not {list(value.shape)}")
    return value.masked_fill(lost.view(-1, *[1] * (value.ndim - 1)), 0)


def sent_images(tasks: Tasks, views: int) -> Tensor:
    """Index of the images that so many transmitters send, int64 [distinct task, view].

    Raises:
        ConfigError: the tasks have fewer views.
    """
    if tasks.views.shape[1] < views:
        raise ConfigError(f"the scheme has {views} transmitters, and the tasks have {tasks.views.shape[1]} views each")
    return tasks.views[:, :views]
