"""What frames are off by beyond the noise: how much of it is there, and what it comes from."""

from __future__ import annotations

from collections.abc import Sequence

from hil.calibration.causes import saturated
from hil.calibration.estimates import Snr
from hil.calibration.mixers import Mixers
from hil.calibration.sounding import Look
from hil.units import db_to_power, decibels

__all__ = ["disagreement", "distortion_db"]

_MOST = 0.5
"""Share of the distortion from which on it is put down to the images."""


def distortion_db(snr: Snr) -> float:
    """Error power that silence does not have, relative to the signal, dB: by the payload, or by pilots where that shows none.

    Pilots are few, and each mirrors another one: an image adds up on them.
    """
    seen = snr.data if snr.data < snr.silence else snr.pilots
    return decibels(max(db_to_power(-seen) - db_to_power(-snr.silence), 1e-9))


def disagreement(snr: Snr, mixers: Mixers, looks: Sequence[Look]) -> str:
    """Why the estimates of one SNR disagree, in words; "" where they do not.

    The SNR that is stated is that of silence: distortion is no noise (SIGNALS.md). The mixers' images are known, so that it
    is seen whether they account for it.

    Args:
        snr: of a link at its target.
        mixers: what they add.
        looks: the frames that the SNR rests on.
    """
    if not snr.disagreement:
        return ""
    if min(snr.data, snr.pilots) > snr.silence:
        return f"{snr.disagreement}: there is more noise in silence than in the frames"
    found = distortion_db(snr)
    if saturated(looks):
        why = "the receiver's converter is at its rails"
    elif mixers.power >= _MOST * db_to_power(found):
        why = f'the mixers\' images of {decibels(mixers.power):.1f} dB do that, which runs take off (mixer = "auto")'
    else:
        why = (
            "neither images nor clipping account for that: phase noise, an amplifier that compresses, a link that changes "
            "within a frame, or something else in the band"
        )
    return f"{snr.disagreement}: distortion of {found:.1f} dB against the signal; {why}"
