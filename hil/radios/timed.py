"""Bursts by the radios' own clocks: which time is common, and handing over bursts that start together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from hil.errors import RadioError
from hil.radios.bench import BenchConfig
from hil.radios.contract import Radio, StreamEvent

__all__ = ["into_one_fade", "start_times", "transmit_at"]

_FADE_EDGE = 64  # samples of delay and filter that belong to a burst
_GOOD_S = 0.001  # a comparison of clocks by the host that is good enough
_LOOKS = 10
_APART_S = 0.05  # that radios on one clock may seem to differ; half of a burst's notice


def start_times(config: BenchConfig, radios: Mapping[str, Radio], names: Iterable[str]) -> tuple[dict[str, int], int, int]:
    """What each transmitter's clock shows when the receiver's shows the second value, and how well that is known (samples).

    Clocks that nothing ties together are compared by the host, between two looks at the receiver's.

    Args:
        config: of the bench; on a shared clock radios must show one time.
        radios: all of them.
        names: of those that are to send.

    Raises:
        RadioError: radios on one clock show different times.
    """
    sink = config.receiver.radio
    if config.clock != "shared":
        leads, doubts = {}, [0]
        for name in names:
            leads[name], doubt = _compare(radios[name], radios[sink], int(_GOOD_S * config.sample_rate_hz))
            doubts.append(doubt)
        base = radios[sink].now()
        return {name: base + lead for name, lead in leads.items()}, base, max(doubts)
    base = radios[sink].now()
    times = {name: radios[name].now() for name in names}
    limit = _APART_S * config.sample_rate_hz
    for name, now in times.items():
        if abs(now - base) <= limit:
            continue
        ahead, doubt = _compare(radios[name], radios[sink], int(limit))  # the host may only have paused between two looks
        if abs(ahead) - doubt > limit:
            apart_s = ahead / config.sample_rate_hz
            raise RadioError(
                f"radio '{name}': its time is {apart_s:+.3g} s from that of '{sink}', and bursts go by time: connect a pulse "
                "per second and set time_source in the bench file",
                radio=name,
            )
        base = radios[sink].now()
    return dict.fromkeys(times, base), base, 0


def _compare(radio: Radio, other: Radio, good: int) -> tuple[int, int]:
    """By how much a radio's time is ahead of another's, and by how much that may be wrong (device samples)."""
    best: tuple[int, int] | None = None
    for _ in range(_LOOKS):
        before, mine, after = other.now(), radio.now(), other.now()
        doubt = (after - before + 1) // 2
        if best is None or doubt < best[1]:
            best = mine - (before + after) // 2, doubt
        if best[1] <= good:
            break
    return best or (0, 0)


def transmit_at(
    radios: Mapping[str, Radio], blocks: Mapping[str, NDArray[np.complex64]], times: Mapping[str, int], *, side_by_side: bool
) -> list[StreamEvent]:
    """Hand every radio its burst [channel, n]; `side_by_side`, as a device takes a long one only while it plays it."""
    if len(blocks) == 1 or not side_by_side:
        return [event for name, block in blocks.items() for event in radios[name].transmit(block, at=times[name])]
    with ThreadPoolExecutor(len(blocks)) as pool:
        jobs = [pool.submit(radios[name].transmit, block, at=times[name]) for name, block in blocks.items()]
        return [event for job in jobs for event in job.result()]


def into_one_fade(config: BenchConfig, start: int, n: int, draw: np.random.Generator) -> int:
    """How much later a burst must start to lie inside one block of the links' block fading, where it is short enough."""
    blocks = {round(link.fading_block_s * config.sample_rate_hz) for link in config.links if link.fading != "none"}
    if len(blocks) != 1:
        return 0
    block = blocks.pop()
    room = block - n - 2 * _FADE_EDGE
    if room <= 0 or start // block == (start + n + _FADE_EDGE) // block:
        return 0
    return (start // block + 1) * block + _FADE_EDGE + int(draw.integers(0, room)) - start
