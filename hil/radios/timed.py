"""Bursts by the radios' own clocks: which time is common, and sending and receiving side by side."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import numpy as np
from numpy.typing import NDArray

from hil.errors import RadioError
from hil.radios.bench import BenchConfig
from hil.radios.burst import BurstReception
from hil.radios.contract import Radio, Reception, StreamEvent
from hil.radios.rack import Rack
from hil.radios.windows import SEARCH_S

__all__ = ["into_one_fade", "start_times", "timed_burst", "timed_listening", "transmit_at", "went_whole"]

_AHEAD_S = 0.1  # a timed burst where a device's clock runs: the host's lead over it
_MARGIN = 256  # samples between now and the earliest sample of a simulated exchange
_FADE_EDGE = 64  # samples of delay and filter that belong to a burst
_GOOD_S = 0.001  # a comparison of clocks by the host that is good enough
_LOOKS = 10
_APART_S = 0.05  # that radios on one clock may seem to differ; half of a burst's notice
_TURN_S = 0.1  # simulated radios receive in turns: an air forgets what is older than a second


def timed_burst(
    rack: Rack,
    blocks: Mapping[str, NDArray[np.complex64]],
    n: int,
    lead: int,
    tail: int,
    draw: np.random.Generator,
    *,
    search: bool = False,
) -> BurstReception:
    """Send a burst at one time, and receive a window around it on every receiver.

    Args:
        rack: of radios that have hardware time.
        blocks: waveforms [channel, n] of every radio that sends.
        n: length of the burst.
        lead: samples to receive before the burst, at most.
        tail: samples to receive after it, at least.
        draw: of the silence before it, and of its place in the window.
        search: the windows reach far enough for a burst of unknown delay; see `hil.radios.windows`.
    """
    config, rate = rack.config, rack.rate_hz
    ahead = int(_AHEAD_S * rate) if rack.paced else _MARGIN
    wait = ahead + lead + int(draw.uniform(*config.gap_s) * rate)
    before = int(draw.integers(lead // 2, lead + 1))
    if search:  # what was sent before may come as late
        wait += round(SEARCH_S * rate)
    wait += into_one_fade(config, rack.sink.now() + wait, n, draw)
    times, doubt = start_times(config, rack.radios, [*blocks, *rack.sinks])
    slack = 2 * doubt  # without a common clock the burst may come earlier or later
    sent_at = {name: times[name] + wait + slack for name in blocks}
    events = transmit_at(rack.radios, blocks, sent_at, side_by_side=rack.paced)
    windows = rack.windows(blocks, lead + n + tail + 2 * slack, search=search)
    begins = {name: times[name] + wait - before + windows.first[name] for name in rack.sinks}
    latest = wait + max(windows.first.values()) + windows.length + slack
    got = _receive_side_by_side(rack, begins, windows.length, rack.deadline_s(latest))
    for name in blocks:
        events += rack.radios[name].settle()
    received = [event for reception in got.values() for event in reception.events]
    return BurstReception(
        heard=rack.heard_in(windows, got, {name: times[name] + wait + slack for name in rack.sinks}, before + slack),
        events=(*events, *received),
        sent_at=rack.starts({} if search else blocks, sent_at),
        whole=went_whole(events, received),
        one_time=config.clock == "shared",
    )


def timed_listening(rack: Rack, n: int) -> dict[str, Reception]:
    """The next n samples of every receiving radio, from now on: nothing from before the last setting."""
    times, doubt = start_times(rack.config, rack.radios, rack.sinks)
    ahead = int(_AHEAD_S * rack.rate_hz) if rack.paced else 0
    windows = {name: times[name] + ahead for name in rack.sinks}
    return _receive_side_by_side(rack, windows, n, rack.deadline_s(n + ahead + doubt))


def _receive_side_by_side(rack: Rack, windows: Mapping[str, int], n: int, timeout_s: float) -> dict[str, Reception]:
    """Receive n samples on several radios, each from its own device sample on.

    Raises:
        RadioTimeoutError: one did not deliver in time; the others have been waited for.
    """

    def receive(name: str) -> Reception:
        return rack.radios[name].receive(n, at=windows[name], timeout_s=timeout_s)

    if len(windows) == 1:
        return {name: receive(name) for name in windows}
    if not rack.paced:
        return _in_turns(rack, windows, n)
    with ThreadPoolExecutor(len(windows)) as pool:
        try:
            return dict(zip(windows, pool.map(receive, windows), strict=True))
        except BaseException:  # a signal, too: transmitters are not left on until the last receiver has given up
            with suppress(RadioError):
                rack.each(lambda radio: radio.stop())
            raise


def _in_turns(rack: Rack, windows: Mapping[str, int], n: int) -> dict[str, Reception]:
    """As `_receive_side_by_side`, where time stands still while nobody receives: none may come too far ahead of the others."""
    step = max(1, int(_TURN_S * rack.rate_hz))
    parts: dict[str, list[Reception]] = {name: [] for name in windows}
    for done in range(0, n, step):
        for name, start in windows.items():
            parts[name].append(rack.radios[name].receive(min(step, n - done), at=start + done))
    return {name: _joined(those, windows[name]) for name, those in parts.items()}


def _joined(parts: list[Reception], start: int) -> Reception:
    """Receptions one after another as one; it ends where the next part does not follow."""
    if not parts:
        return Reception(samples=np.zeros((1, 0, 2), np.int16), start=start)
    kept, end = [], parts[0].start
    for part in parts:
        if part.start != end:
            break
        kept.append(part.samples)
        end += part.samples.shape[1]
    events = tuple(event for part in parts for event in part.events)
    return Reception(samples=np.concatenate(kept, axis=1), start=parts[0].start, events=events)


def went_whole(sent: Iterable[StreamEvent], received: Iterable[StreamEvent]) -> bool:
    """Whether nobody said that something of a burst was sent late or not at all; drivers tell some of it with a reception."""
    missing = any(event.kind in ("late", "underflow", "gap") for event in sent)
    return not missing and not any(event.kind in ("late", "underflow") for event in received)


def start_times(config: BenchConfig, radios: Mapping[str, Radio], names: Iterable[str]) -> tuple[dict[str, int], int]:
    """What each radio's clock shows at one moment, and how well that is known (samples).

    Clocks that nothing ties together are compared by the host, between two looks at the first receiver's.

    Args:
        config: of the bench; on a shared clock radios must show one time.
        radios: all of them.
        names: of those that are to send or receive.

    Raises:
        RadioError: radios on one clock show different times.
    """
    sink = config.receiver.radio
    others = [name for name in dict.fromkeys(names) if name != sink]
    if config.clock != "shared":
        leads, doubts = {sink: 0}, [0]
        for name in others:
            leads[name], doubt = _compare(radios[name], radios[sink], int(_GOOD_S * config.sample_rate_hz))
            doubts.append(doubt)
        base = radios[sink].now()
        return {name: base + lead for name, lead in leads.items()}, max(doubts)
    base = radios[sink].now()
    times = {name: radios[name].now() for name in others}
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
    return dict.fromkeys([sink, *others], base), 0


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
