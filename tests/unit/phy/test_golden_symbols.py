"""Captures of earlier versions, received again by the modem alone: the symbols that were stored come out again."""

from pathlib import Path

import pytest
import torch

from hil.captures import Capture, FrameKind
from hil.phy.receive import Receiver
from hil.points.spec import PointSpec

GOLDEN = Path(__file__).resolve().parents[2] / "golden" / "v1"
TOLERANCE = 1e-4


@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize("name", ["single", "oma", "noma"])
def test_stored_symbols_come_out_again(name, fast):
    if fast:
        pytest.importorskip("numba")
    with Capture.open(GOLDEN / name / "capture.h5") as capture:
        (point,) = [point for point in capture.points if point.attrs.get("kind") == "point"]
        spec = PointSpec.model_validate(point.attrs["spec"])
        form, (reception,) = spec.format(), spec.receptions
        receiver = Receiver(form, reception.receiver, fast=fast)
        seen = 0
        for burst in capture.bursts(point.index):
            assert burst.kind == FrameKind.FRAME
            number = int(burst.frame_numbers[0])
            (frame,) = receiver.receive(burst.samples, full_scale=reception.full_scale)
            assert frame.number == number
            first = (number - spec.first_frame) * form.tasks
            stored = torch.from_numpy(point.received[0, first : first + form.tasks])
            assert float((frame.symbols - stored).abs().max()) < TOLERANCE
            row = capture.ledger(point.index)[seen]
            measured = 10 * torch.log10(frame.snr)
            assert measured.tolist() == pytest.approx(row["snr_db"][: form.transmitters].tolist(), abs=1e-4)
            seen += 1
        assert seen == 2
