"""A word to whoever superposes symbols on oscillators that nothing ties together."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from hil.calibration.links import LinkCalibration
from hil.points.spec import PointSpec
from hil.radios.bench import BenchConfig

__all__ = ["superposed_on_free_oscillators"]


def superposed_on_free_oscillators(
    what: str, spec: PointSpec, bench: BenchConfig, links: Sequence[LinkCalibration], *, told: bool
) -> str | None:
    """What is to be said where transmitters share uses on free oscillators; None where they do not.

    Only what takes h = 1 for granted is in danger: a decoder without channel knowledge. One that is told each use's channel
    loses by carriers that interfere, not by phases.

    Args:
        what: is sent, as the sentence's subject.
        spec: the point.
        bench: on which radios.
        links: as calibrated; those to the first receiver, by transmitter, tell how far the carriers are apart.
        told: the decoder is told each use's h.
    """
    if bench.clock == "shared" or not spec.superposed:
        return None
    sending = torch.nonzero(spec.occupancy.any(1)).flatten().tolist()
    offsets = [link.cfo_hz for link in links if link.receiver == bench.receivers[0].name and link.tx in sending]
    apart = max(offsets, default=0.0) - min(offsets, default=0.0)
    spacing = spec.receptions[0].receiver.sample_rate_hz / spec.frame.numerology.fft_size
    far = f"{apart:,.0f} Hz ({apart / spacing:.2f} carriers) apart"
    out = "; that is taken out before sending, but" if spec.match_clocks else ", and"
    words = (
        f"{what} superposed on the free oscillators of bench '{bench.name}', {far}{out} nothing keeps the transmitters' phases "
        "together: what arrives is Σ h_k x_k and not Σ x_k"
    )
    if told:
        return f"{words}; the receiver is told each h_k"
    return f"{words}; a decoder must know h ('channel'), or the bench needs a shared reference"
