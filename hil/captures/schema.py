"""Names, dtypes and codes of capture version 2; docs/capture-format.md describes them one by one."""

from __future__ import annotations

from enum import IntEnum
from typing import Any

import numpy as np

__all__ = [
    "BURSTS",
    "COMMITTED",
    "EVENTS",
    "FLAGS_ATTRIBUTE",
    "FLAG_BITS",
    "SAMPLE_ROWS_PER_CHUNK",
    "TABLE_ROWS_PER_CHUNK",
    "TRANSMITTERS_ATTRIBUTE",
    "VERSION",
    "VERSION_ATTRIBUTE",
    "FrameKind",
    "FrameStatus",
    "ledger_dtype",
]

VERSION = 2
VERSION_ATTRIBUTE = "hil_capture_version"
TRANSMITTERS_ATTRIBUTE = "transmitters"  # as many values has a ledger row for what every transmitter has
FLAGS_ATTRIBUTE = "ledger_flags"  # JSON list: names of the bits of the ledger's `flags`, from bit 0 on
FLAG_BITS = 32
SAMPLE_ROWS_PER_CHUNK = 16_384  # 64 KiB: what is written again at most when a burst ends inside a chunk
TABLE_ROWS_PER_CHUNK = 128


class FrameKind(IntEnum):
    """What a burst or a frame was sent for."""

    FRAME = 0
    SOUNDING = 1
    CALIBRATION = 2


class FrameStatus(IntEnum):
    """What became of a frame. Every frame ever sent has one of these."""

    SENT = 0  # nothing else is known
    SCORED = 1  # received and used in the result
    LOST = 2  # not detected, or its header was wrong
    GATED = 3  # received, but refused by a quality gate
    LATE = 4  # its transmitter said that it did not go out whole and in time
    OVERFLOW = 5  # samples of it are missing
    CLIPPED = 6  # a converter clipped, and the plan refuses clipped frames
    DECODED = 7  # received, but not for scoring: sounding, calibration


# Rows that count, by dataset: those beyond are not data.
COMMITTED = np.dtype([(name, "<i8") for name in ("samples", "bursts", "frame_numbers", "ledger", "events")])

BURSTS = np.dtype(
    [
        ("point", "<i4"),
        ("exchange", "<i4"),  # what is sent once and heard by several receivers has one row a receiver, and one number
        ("receiver", "<i4"),  # index into /receivers
        ("kind", "u1"),  # FrameKind
        ("start", "<i8"),  # absolute sample index of the receiving device, -1 if it delivered nothing
        ("sent_at", "<i8"),  # the receiving device's sample at which the burst left transmitter 0, -1 if not known
        ("offset", "<i8"),  # first row in /samples
        ("count", "<i8"),  # rows in /samples
        ("first_number", "<i8"),  # first row in /frame_numbers; the same for all rows of an exchange
        ("numbers", "<i4"),  # rows in /frame_numbers
        ("crc32", "<u4"),  # CRC-32 of the row's samples, little-endian
    ]
)


def ledger_dtype(transmitters: int) -> np.dtype[Any]:
    """Dtype of the ledger of a capture with so many transmitters."""
    return np.dtype(
        [
            ("point", "<i4"),
            ("burst", "<i4"),  # row in /bursts
            ("receiver", "<i4"),  # index into /receivers
            ("frame", "<i8"),
            ("kind", "u1"),  # FrameKind
            ("status", "u1"),  # FrameStatus
            ("sent", "?"),
            ("detected", "?"),
            ("start", "<i8"),  # absolute sample index where the receiver found the frame, -1 if it did not
            ("snr_db", "<f4", (transmitters,)),  # nan where a transmitter is silent, or nothing was measured
            ("cfo_hz", "<f4", (transmitters,)),
            ("delay_samples", "<f4", (transmitters,)),
            ("evm_db", "<f4"),
            ("snr_eff_db", "<f4"),
            ("metric", "<f4"),  # of the detector
            ("noise", "<f4"),  # mean |n|² of a sample as measured in silence, over full scale²
            ("observed_over_stated", "<f4"),  # error power seen on known cells, over the noise stated for them
            ("clipped", "<i4"),  # samples of which I or Q is at full scale
            ("clipped_low", "<i4"),  # values (I and Q apart) at the lower rail
            ("clipped_high", "<i4"),  # values at the upper rail
            ("late", "<i4"),  # events of the radios inside this frame
            ("underflow", "<i4"),
            ("overflow", "<i4"),
            ("flags", "<u4"),  # bits named in the capture's attribute `ledger_flags`
        ]
    )


EVENTS = np.dtype(
    [
        ("point", "<i4"),
        ("exchange", "<i4"),
        ("kind", "S16"),  # overflow, underflow, late, gap, clip; of a failed burst timeout, unlock, disconnect, failure
        ("radio", "S32"),
        ("channel", "<i4"),
        ("sample", "<i8"),  # absolute sample index, -1 if the radio does not say
        ("count", "<i8"),  # samples lost or clipped, where known
        ("detail", "S128"),
    ]
)
