"""What the links of an air are like at this moment: the truth that a measurement over its radios is held against."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from hil.channel.multipath import frequency_response
from hil.radios.converters import full_scale_power
from hil.radios.virtual.world import World
from hil.units import db_to_amplitude

__all__ = ["link_responses"]


def link_responses(world: World, freqs_hz: Sequence[float]) -> list[dict[str, Any]]:
    """Response of every link, in received digital units per sent digital unit, phases of the tuning included.

    Fading and what oscillators do in time are not in it.

    Args:
        world: the air.
        freqs_hz: baseband frequencies.

    Returns:
        for each link between virtual radios `transmitter` (index), `receiver` (name), and `re` and `im` [frequency].
    """
    bench, found = world.bench, []
    for config in bench.links:
        source, sink = bench.transmitters[config.transmitter], bench.receiver_named(config.receiver)
        if source.radio not in world.radios or sink.radio not in world.radios:
            continue
        sender, receiver = world.radios[source.radio], world.radios[sink.radio]
        ports = sender.ports["tx"][source.channel], receiver.ports["rx"][sink.channel]
        sent = full_scale_power(sender.config, sender.gain_db("tx", source.channel))
        gain_db = receiver.gain_db("rx", sink.channel) - receiver.config.rx_full_scale_dbm
        scale = sent**0.5 * db_to_amplitude(gain_db) * np.exp(1j * (ports[0].phase - ports[1].phase))
        response = scale * frequency_response(world.air.links[ports].paths, np.asarray(freqs_hz, np.float64))
        parts = {"re": response.real.tolist(), "im": response.imag.tolist()}
        found.append({"transmitter": config.transmitter, "receiver": sink.name} | parts)
    return found
