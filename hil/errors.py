"""Every exception that `hil` raises on purpose.

The tree::

    HilError                     one clear line on the command line, exit code 1
    ├── ConfigError              a bench, experiment or recipe file, or an option
    ├── OutputError              a result cannot be written where it was asked for
    ├── ShapeError               an array of the wrong shape, type or range
    ├── DatasetError             a data set that cannot be read
    ├── ModelError               a scheme or its weights
    ├── DriverMissingError       a vendor library is not installed
    ├── RadioError               a radio that is there, but does not do its job
    │   ├── EarlierFailureError  it failed in an earlier session of a run that goes on
    │   ├── RadioNotFoundError   no such device
    │   ├── RadioTimeoutError    the deadline passed
    │   ├── ReferenceLostError   the reference, or an oscillator, is not locked
    │   ├── ConnectionLostError  the device, or the stream to it, is gone
    │   ├── StreamError          samples lost where none may be
    │   └── TransmitRefusedError the bench file's limits forbid it
    ├── CaptureError             a capture that cannot be used
    │   ├── CaptureFormatError   not a capture, damaged or truncated
    │   │   └── UnsupportedVersionError   written by a newer hil
    │   └── DiskFullError        no room for what is planned, or left
    └── CalibrationError         a link that cannot be brought to what was asked
        ├── NotConnectedError    nothing of the transmitter is heard at all
        ├── TooWeakError         heard, but not even the greatest gain allowed reaches the SNR
        ├── TooStrongError       not even the least gain and digital back-off come down to the SNR
        ├── BurstsBrokenError    bursts go out late, or come in with holes
        ├── CarrierOffsetError   heard well, on a carrier beyond the search
        ├── InterferenceError    something else is in the band
        ├── SaturatedError       the receiver's converter is driven to its rails
        ├── TieSlippedError      a stream is not where its probes said
        └── RecordError          a calibration record that does not hold for this bench

A message names the argument, the constraint, the value received and the way out. Anything that is not a `HilError` is a
bug and keeps its traceback.
"""

from typing import ClassVar


class HilError(Exception):
    """Base of all errors that `hil` raises on purpose."""


class ConfigError(HilError):
    """A bench, experiment or recipe file, or a command-line option, is wrong."""


class OutputError(HilError):
    """A result cannot be written where it was asked for, or what lies there would be lost."""


class ShapeError(HilError):
    """An array has the wrong shape, dtype or range."""


class DatasetError(HilError):
    """A data set cannot be read."""


class ModelError(HilError):
    """A scheme cannot be built or its weights cannot be loaded."""


class DriverMissingError(HilError):
    """A vendor library is not installed."""


class RadioError(HilError):
    """A radio does not do what it was asked.

    Args:
        message: what went wrong.
        radio: name of the radio in its bench, where one is to blame.

    Attributes:
        event: what a capture's table of events calls it.
    """

    event: ClassVar[str] = "failure"

    def __init__(self, message: str, *, radio: str = "") -> None:
        super().__init__(message)
        self.radio = radio


class RadioNotFoundError(RadioError):
    """No such device."""


class EarlierFailureError(RadioError):
    """A radio was lost here in an earlier session of a run that is gone on with: what was sent is to be sent again."""


class RadioTimeoutError(RadioError):
    """A radio did not answer in time."""

    event = "timeout"


class ReferenceLostError(RadioError):
    """A radio's reference, or one of its oscillators, is not locked: what it just sent or received cannot be trusted."""

    event = "unlock"


class ConnectionLostError(RadioError):
    """A device does not answer any more, or a stream to or from it broke."""

    event = "disconnect"


class StreamError(RadioError):
    """Samples were lost where none may be."""


class TransmitRefusedError(RadioError):
    """The bench's limits, or the missing consent of the operator, forbid transmitting."""


class CaptureError(HilError):
    """A capture cannot be used."""


class CaptureFormatError(CaptureError):
    """A file is not a capture, or is damaged or truncated."""


class UnsupportedVersionError(CaptureFormatError):
    """A capture was written by a newer version of hil."""


class DiskFullError(CaptureError):
    """There is no room on the disk for what is planned, or none is left."""


class CalibrationError(HilError):
    """A link cannot be brought to what was asked."""


class NotConnectedError(CalibrationError):
    """Nothing of the transmitter is heard, at the greatest gain allowed."""


class TooWeakError(CalibrationError):
    """A link is heard, and the greatest gain allowed does not bring it to the SNR asked for."""


class TooStrongError(CalibrationError):
    """The least gain and all digital back-off leave a link above the SNR asked for."""


class BurstsBrokenError(CalibrationError):
    """Bursts go out late or not whole, or come in with holes."""


class CarrierOffsetError(CalibrationError):
    """A link is heard well, but on a carrier that the receiver does not search."""


class InterferenceError(CalibrationError):
    """Something that the bench does not send is in its band."""


class SaturatedError(CalibrationError):
    """The receiver's converter is driven to its rails."""


class TieSlippedError(CalibrationError):
    """A transmitter's stream is not where its probes said."""


class RecordError(CalibrationError):
    """A calibration record is damaged, stale, or of another bench."""
