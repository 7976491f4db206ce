"""Captures: one HDF5 file a run, written burst by burst, readable after a kill.

The only place but for the reader of features (`hil.datasets.features`) that imports h5py.
"""

from hil.captures.continued import ContinuedWriter, RecordedExchange
from hil.captures.entries import BurstKind, HeardSamples
from hil.captures.keep import keep, manifest_problem, read_manifest
from hil.captures.plan import CapturePlan, check_disk, plan_capture
from hil.captures.reader import Capture
from hil.captures.records import Burst, Exchange, PointRecord
from hil.captures.rows import sha256_array
from hil.captures.schema import BURSTS, EVENTS, VERSION, FrameKind, FrameStatus, ledger_dtype
from hil.captures.sources import SourceFile
from hil.captures.tail import Tail, TailPoint
from hil.captures.verify import Report, verify
from hil.captures.writer import CaptureWriter

__all__ = [
    "CaptureWriter",
    "ContinuedWriter",
    "RecordedExchange",
    "HeardSamples",
    "BurstKind",
    "SourceFile",
    "Tail",
    "TailPoint",
    "Capture",
    "PointRecord",
    "Exchange",
    "Burst",
    "CapturePlan",
    "plan_capture",
    "check_disk",
    "verify",
    "Report",
    "keep",
    "manifest_problem",
    "read_manifest",
    "sha256_array",
    "FrameKind",
    "FrameStatus",
    "BURSTS",
    "EVENTS",
    "ledger_dtype",
    "VERSION",
]
