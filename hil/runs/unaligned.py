"""A word to whoever superposes symbols on oscillators that nothing ties together."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from hil.calibration.links import LinkCalibration
from hil.points.spec import PointSpec
from hil.radios.bench import BenchConfig

__all__ = ["carrier_spacing_hz", "superposed_on_free_oscillators"]


def superposed_on_free_oscillators(
    what: str, occupied: Tensor, rx_csi: str, bench: BenchConfig, links: Sequence[LinkCalibration], carrier_hz: float
) -> str | None:
    """What is to be said where transmitters share uses on free oscillators; None where they do not.

    Only what takes h = 1 for granted is in danger: a decoder without channel knowledge. One that is told each use's channel
    loses by carriers that interfere, not by phases.

    Args:
        what: is sent, as the sentence's subject.
        occupied: bool [tx, use].
        rx_csi: what the decoder is told; "channel": each use's h.
        bench: on which radios.
        links: as calibrated; those to the first receiver, by transmitter, tell how far the carriers are apart.
        carrier_hz: spacing of the carriers.
    """
    shared = (occupied.sum(0) > 1).any()
    if bench.clock == "shared" or not bool(shared):
        return None
    sending = torch.nonzero(occupied.any(1)).flatten().tolist()
    offsets = [link.cfo_hz for link in links if link.receiver == bench.receivers[0].name and link.tx in sending]
    apart = max(offsets, default=0.0) - min(offsets, default=0.0)
    apart_words = f"{apart:,.0f} Hz ({apart / carrier_hz:.2f} carriers) apart"
    words = (
        f"{what} superposed on the free oscillators of bench '{bench.name}', {apart_words}: "
        "nothing keeps the transmitters' phases together, so what arrives is Σ h_k x_k and not Σ x_k"
    )
    if rx_csi == "channel":
        return f"{words}; its receiver is told each h_k"
    return f"{words}; a decoder must know h ('channel'), or the bench needs a shared reference"


def carrier_spacing_hz(spec: PointSpec) -> float:
    """Of a point's OFDM symbols."""
    return spec.receptions[0].receiver.sample_rate_hz / spec.frame.numerology.fft_size
