"""Captures: one HDF5 file a run, written burst by burst, readable after a kill. The only place that imports h5py."""

from hil.captures.keep import keep, manifest_problem, read_manifest
from hil.captures.plan import CapturePlan, check_disk, plan_capture
from hil.captures.reader import Burst, Capture, PointRecord
from hil.captures.schema import BURSTS, EVENTS, LEDGER, VERSION, FrameKind, FrameStatus, sha256_array
from hil.captures.verify import Report, verify
from hil.captures.writer import CaptureWriter

__all__ = [
    "CaptureWriter",
    "Capture",
    "PointRecord",
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
    "LEDGER",
    "EVENTS",
    "BURSTS",
    "VERSION",
]
