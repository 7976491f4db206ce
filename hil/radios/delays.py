"""How late what a transmitter sends comes at a receiver, in samples: measured by probes, each transmitter alone."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import median

import numpy as np

from hil.radios.burst import Heard
from hil.radios.probe import PROBE_SAMPLES, find_probe, make_probe
from hil.radios.scaling import from_int16
from hil.radios.session import Bench

__all__ = ["LinkDelay", "measure_delay"]

_EDGE = 512  # samples around a probe
_SHARED_CFO_HZ = 2000.0  # looked for even where radios share a clock: that they do is only said
_PPM = 50e-6


@dataclass(frozen=True, kw_only=True)
class LinkDelay:
    """One link as its probes came in.

    Attributes:
        tx: transmitter.
        receiver: its name.
        samples: median delay of the probes that were heard, with a fraction, against where they would be without any; NaN
            where none was, or where no clock says when it was sent. Where clocks are compared by the host it holds for the
            moment only.
        spread: largest minus smallest of them.
        cfo_hz: carrier offset, median; NaN where none was heard.
        heard: how many probes were.
        tries: of how many.
    """

    tx: int
    receiver: str
    samples: float
    spread: float
    cfo_hz: float
    heard: int
    tries: int


def measure_delay(bench: Bench, tx: int, *, tries: int = 3) -> dict[str, LinkDelay]:
    """Send probes from one transmitter, and find each where it comes in, up to 20 ms late.

    A probe is heard from −2 dB a sample on, at the gains now set: it is 3 dB below full scale.

    Args:
        bench: open.
        tx: transmitter.
        tries: probes.

    Returns:
        the link to each receiver, by name. Nothing is set: hand ``round(samples)`` to `Bench.set_delay`.

    Raises:
        RadioError: no such transmitter, or a radio failed.
    """
    config = bench.true_config
    max_cfo = _SHARED_CFO_HZ if config.clock == "shared" else _PPM * config.center_freq_hz
    places: dict[str, list[float]] = {name: [] for name in bench.receivers}
    offsets: dict[str, list[float]] = {name: [] for name in bench.receivers}
    for number in range(1, tries + 1):
        waveforms = np.zeros((bench.transmitters, PROBE_SAMPLES), np.complex64)
        waveforms[tx] = make_probe(number)
        got = bench.burst(waveforms, lead=_EDGE, tail=_EDGE, search=True)
        for name, heard in got.heard.items():
            found = find_probe(from_int16(heard.samples, bench.full_scales[name]), number, bench.sample_rate_hz, max_cfo)
            if found is not None and got.whole:
                places[name].append(_late(found.position, heard))
                offsets[name].append(found.cfo_hz)
    return {
        name: LinkDelay(
            tx=tx,
            receiver=name,
            samples=median(places[name]) if places[name] else math.nan,
            spread=max(places[name]) - min(places[name]) if places[name] else math.nan,
            cfo_hz=median(offsets[name]) if offsets[name] else math.nan,
            heard=len(places[name]),
            tries=tries,
        )
        for name in bench.receivers
    }


def _late(position: float, heard: Heard) -> float:
    return math.nan if heard.due is None else position - heard.due
