"""Faults on demand: armed by the bench file or a control command, taken by the protocol servers when their moment comes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from hil.radios.airconfig import FaultConfig, FaultKind

__all__ = ["Faults"]


class Faults:
    """The faults of one radio.

    Args:
        sample_rate_hz: of the air.
        air_time: reads the air's clock, in air samples.
        note: called with the fault whenever one acts (truth log).
    """

    def __init__(self, sample_rate_hz: float, air_time: Callable[[], int], note: Callable[[FaultConfig], None]) -> None:
        self._rate, self._air_time, self._note = sample_rate_hz, air_time, note
        self._armed: dict[FaultKind, deque[tuple[float, FaultConfig]]] = {}
        self._until: dict[FaultKind, float] = {}

    def arm(self, fault: FaultConfig) -> None:
        """Add a fault; `count` of it queue up, each acting once when asked for."""
        due = fault.at_s * self._rate if fault.at_s else float(self._air_time())
        queue = sorted([*self._armed.get(fault.kind, ()), (due, fault)], key=lambda armed: armed[0])
        self._armed[fault.kind] = deque(queue)

    def take(self, kind: FaultKind) -> FaultConfig | None:
        """One due fault of `kind`, used up by this call; else None. For drop, overflow, underflow, late, disconnect."""
        queue = self._armed.get(kind)
        if not queue:
            return None
        due, fault = queue[0]
        if self._air_time() < due:
            return None
        if fault.count > 1:
            queue[0] = (due, fault.model_copy(update={"count": fault.count - 1}))
        else:
            queue.popleft()
        self._note(fault)
        return fault

    def active(self, kind: FaultKind) -> bool:
        """Whether a lasting fault (unlock, slow) holds now."""
        now = self._air_time()
        queue = self._armed.get(kind)
        while queue and now >= queue[0][0]:
            _, fault = queue.popleft()
            self._until[kind] = max(self._until.get(kind, 0.0), now + fault.duration_s * self._rate)
            self._note(fault)
        return now < self._until.get(kind, 0.0)

    def pending(self) -> dict[str, int]:
        """Faults that have not acted, by kind."""
        return {kind: sum(fault.count for _, fault in queue) for kind, queue in self._armed.items() if queue}
