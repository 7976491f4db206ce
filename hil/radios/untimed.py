"""Bursts of transmitters that have neither time nor a stream: repeated, or sent as soon as the device can."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from hil.radios.burst import BurstReception
from hil.radios.contract import Reception, StreamEvent
from hil.radios.rack import Rack
from hil.radios.timed import timed_listening, went_whole

__all__ = ["listen", "untimed_burst"]

_BEHIND_S = 0.02  # what is read on with may be so old
_READS = 10


def untimed_burst(
    rack: Rack, blocks: Mapping[str, NDArray[np.complex64]], n: int, lead: int, tail: int, *, search: bool = False
) -> BurstReception:
    """Send now, repeating where every transmitter can, and receive for as much longer as the start is uncertain.

    Args:
        rack: its receivers are on one radio.
        blocks: waveforms [channel, n] of every radio that sends.
        n: length of the burst.
        lead: samples to receive before it, where the receiver's stream allows.
        tail: samples to receive after it, at least.
        search: receive for longer yet, for a burst of unknown delay; see `hil.radios.windows`.
    """
    infos = [rack.radios[name].info for name in blocks]
    cyclic = all(info.cyclic_transmit for info in infos)
    jitter = int(max((info.start_jitter_s for info in infos), default=0.0) * rack.rate_hz)
    windows = rack.windows(blocks, tail + jitter, search=search)
    late = max(windows.shifts[name] + length for name, length in windows.lengths.items())
    length = (2 if cyclic else 1) * n + late  # of a repeated burst a whole repetition lies inside
    events: list[StreamEvent] = []
    before = _present(rack, max(lead, 1)) if lead or rack.paced else None
    try:
        for name, block in blocks.items():
            events += rack.radios[name].transmit(block, cyclic=cyclic)
        got = rack.sink.receive(length, timeout_s=rack.deadline_s(lead + length))
        for name in blocks:
            events += rack.radios[name].settle()
    finally:
        rack.each(lambda radio: radio.stop())
    whole = went_whole(events, got.events)
    if before is not None and before.start + before.samples.shape[1] == got.start:
        events += before.events
        got = Reception(samples=np.concatenate([before.samples, got.samples], axis=1), start=before.start, events=got.events)
    return BurstReception(
        heard=rack.heard({rack.sinks[0]: got}),
        events=(*events, *got.events),
        sent_at=(None,) * len(rack.config.transmitters),
        whole=whole,
    )


def listen(rack: Rack, n: int) -> dict[str, Reception]:
    """The next n samples of every receiving radio, none from before the last setting."""
    if all(rack.radios[name].info.hardware_time for name in rack.sinks):
        return timed_listening(rack, n)
    begin = rack.sink.fresh()
    return {rack.sinks[0]: rack.sink.receive(n, at=begin, timeout_s=rack.deadline_s(begin - rack.sink.now() + n))}


def _present(rack: Rack, n: int) -> Reception:
    """The latest n samples of a stream that is read on: what a receiver had kept from before is passed over."""
    got = rack.sink.receive(n, timeout_s=rack.deadline_s(n))
    for _ in range(_READS if rack.paced else 0):
        behind = rack.sink.now() - (got.start + got.samples.shape[1])
        if behind <= _BEHIND_S * rack.rate_hz:
            break
        kept = rack.sink.receive(max(n, behind), timeout_s=rack.deadline_s(max(n, behind)))
        skip = max(kept.samples.shape[1] - n, 0)
        got = Reception(samples=kept.samples[:, skip:], start=kept.start + skip, events=kept.events)
    return got
