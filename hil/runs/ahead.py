"""What is computed beside a run, where no radio waits for the processor.

Points that were measured are simulated while further ones are on the air; what needs no channel is scored while the last points
are simulated.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Self

from hil.models.contract import Sent
from hil.points.contender import Contender
from hil.points.kinds import UNALIGNED_NAME
from hil.runs.beside import Compared, compared_with, heard
from hil.runs.config import RunConfig
from hil.runs.steps import Measured, References, references
from hil.runs.work import Work
from hil.timing import timed

__all__ = ["Ahead"]


class _StoppedError(Exception):
    """The run ended before its simulations."""


class Ahead:
    """One thread that simulates points in the order in which they were measured, and then scores what needs no channel.

    Only hil's own networks are called from it: nobody knows whether a stranger's scheme can encode while it decodes.

    Args:
        config: draws and seed.
    """

    def __init__(self, config: RunConfig) -> None:
        self._config = config
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="simulation")
        self._begun: dict[int, Future[Compared]] = {}
        self._references: Future[References] | None = None
        self._stopped = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, err: BaseException | None, trace: TracebackType | None) -> None:
        self._stopped = True
        self._pool.shutdown(cancel_futures=True)

    def begin(self, point: Measured) -> None:
        """Simulate a point that was measured as a whole, as soon as those before it are done."""
        drawn = point.spec.fading != "air" and not point.spec.scheme.endswith(UNALIGNED_NAME)
        if drawn and heard(point) and _is_ours(point.contender):
            self._begun[point.spec.first_frame] = self._pool.submit(compared_with, point, self._config, self._go_on, workers=1)

    def begin_references(self, work: Work, sent: Mapping[str, Sent]) -> None:
        """Score what needs no channel, as soon as the points before it are done."""
        if all(_is_ours(one) for one in work.contenders.values()):
            self._references = self._pool.submit(references, work, sent)

    @property
    def references(self) -> References | None:
        """What needs no channel, once that is scored; None if it was not begun."""
        if self._references is None:
            return None
        with timed("references"):  # the wait for them is their time on the clock
            return self._references.result()

    def of(self, point: Measured) -> Compared | None:
        """What was simulated of a point, once that is done; None if it was not begun."""
        begun = self._begun.pop(point.spec.first_frame, None)
        if begun is None:
            return None
        with timed("simulation"):
            return begun.result()

    def _go_on(self, steps: int) -> None:
        """Told of draws that were done."""
        if self._stopped:
            raise _StoppedError


def _is_ours(contender: Contender) -> bool:
    used = (contender.scheme, *contender.judges.values())
    return all(type(one).__module__.partition(".")[0] == "hil" for one in used)
