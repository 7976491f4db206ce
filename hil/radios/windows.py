"""When transmitters start and where receivers listen: by the delays of their links, or long enough to find a late burst.

A chain of radios delays what passes through it by a constant number of samples, up to 20 ms of them (filters, buffers, a B210's
165 samples at rate = master clock). Whoever measures it says so (`Bench.set_delay`); then transmitters whose links delay less
start as much later, so that all arrive at the first receiver together, and the windows go where the burst is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from hil.radios.bench import BenchConfig

__all__ = ["EARLIEST", "LATEST_S", "SEARCH_S", "Delays", "Windows", "plan_windows", "start_offsets"]

Delays = Mapping[tuple[int, str], int]
"""(transmitter, receiver) -> samples that their link delays; 0 where there is none."""

SEARCH_S = 0.02
"""A search finds a burst that comes so much late."""
LATEST_S = 0.05
"""The longest delay that a link can be given."""
EARLIEST = -256
"""The shortest, in samples: a chain may count its own delay twice."""


@dataclass(frozen=True, kw_only=True)
class Windows:
    """The windows of one burst.

    Attributes:
        shifts: receiver -> samples by which its window begins later than without any delay.
        lengths: receiver -> samples in it.
        first: radio -> the least shift of its receivers.
        length: samples that every radio receives from there on.
    """

    shifts: Mapping[str, int]
    lengths: Mapping[str, int]
    first: Mapping[str, int]
    length: int


def start_offsets(config: BenchConfig, delays: Delays, sending: Iterable[int]) -> dict[int, int]:
    """Samples by which each transmitter starts later than the one whose link to the first receiver delays most."""
    own = {tx: delays.get((tx, config.receiver.name), 0) for tx in sending}
    return {tx: max(own.values()) - delay for tx, delay in own.items()}


def plan_windows(config: BenchConfig, delays: Delays, sending: Iterable[int], length: int, *, late: int = 0) -> Windows:
    """The windows of a burst whose transmitters start as `start_offsets` says.

    Args:
        config: of the bench.
        delays: of the links.
        sending: the transmitters that send.
        length: samples in a window where all transmitters arrive together.
        late: samples by which the burst may come late. With it delays are as if they were not known, and all start together.
    """
    offsets = start_offsets(config, delays, sending)
    shifts, lengths = {}, {}
    for end in config.receivers:
        own = [0 if late else delays.get((tx, end.name), 0) + offset for tx, offset in offsets.items()] or [0]
        shifts[end.name] = min(own)
        lengths[end.name] = length + max(own) - min(own) + late
    first: dict[str, int] = {}
    for end in config.receivers:
        first[end.radio] = min(first.get(end.radio, shifts[end.name]), shifts[end.name])
    reach = max(shifts[end.name] + lengths[end.name] - first[end.radio] for end in config.receivers)
    return Windows(shifts=shifts, lengths=lengths, first=first, length=reach)
