"""Captures of earlier versions, received again by the modem alone: the symbols that were stored come out again."""

from pathlib import Path

import numpy as np
import pytest
import torch

from hil.captures import Capture, FrameKind
from hil.phy.frame import FrameConfig, FrameFormat
from hil.phy.receive import Receiver, ReceiverConfig

GOLDEN = Path(__file__).resolve().parents[2] / "golden" / "v1"
TOLERANCE = 1e-4


@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize("name", ["single", "oma", "noma"])
def test_stored_symbols_come_out_again(name, fast):
    if fast:
        pytest.importorskip("numba")
    with Capture.open(GOLDEN / name / "capture.h5") as capture:
        (point,) = [point for point in capture.points if point.attrs.get("kind") == "point"]
        spec = point.attrs["spec"]
        form = FrameFormat(FrameConfig.model_validate(spec["frame"]), torch.tensor(spec["occupied"]))
        receiver = Receiver(form, ReceiverConfig.model_validate(spec["receiver"]), fast=fast)
        seen = 0
        for burst in capture.bursts(point.index):
            assert burst.kind == FrameKind.FRAME
            samples = burst.samples.astype(np.float32).view(np.complex64)[:, 0] / np.float32(spec["full_scale"])
            number = int(burst.frame_numbers[0])
            (frame,) = receiver.receive(samples)
            assert frame.number == number
            first = (number - spec["first_frame"]) * form.tasks
            stored = torch.from_numpy(point.received[first : first + form.tasks])
            assert float((frame.symbols - stored).abs().max()) < TOLERANCE
            row = capture.ledger(point.index)[seen]
            measured = 10 * torch.log10(frame.snr)
            assert measured.tolist() == pytest.approx(row["snr_db"][: form.transmitters].tolist(), abs=1e-4)
            seen += 1
        assert seen == 2
