"""Chains that delay what passes through them: a run measures at the SNR that is there, however late its frames come."""

from pathlib import Path

import numpy as np
import pytest

from hil.captures import Capture
from hil.radios.bench import find_bench
from hil.runs.config import SendConfig
from hil.runs.progress import Silent
from hil.runs.send import send_symbols
from tests.conftest import ROOT


@pytest.mark.parametrize("delays", [(165, 165), (0, 165), (1999, 20), (20_000, 19_990)])
def test_a_late_link_neither_ends_a_run_nor_bends_its_snr(delays: tuple[int, int], tmp_path: Path) -> None:
    """165 samples: a B210's loopback at rate = master clock; 0 and 165: one late link beside one that is not."""
    config = find_bench(ROOT / "radios" / "builtin.toml")
    links = [link.model_copy(update={"delay_s": late * 1e-6}) for link, late in zip(config.links, delays, strict=True)]
    config = config.model_copy(update={"links": tuple(links)})
    symbols = np.exp(2j * np.pi * np.random.default_rng(2).random((2, 480, 32))).astype(np.complex64)
    symbols[0, :, 16:], symbols[1, :, :16] = 0, 0
    arrays, about = send_symbols(
        symbols, SendConfig(snr_db=10.0, frame={"tasks_per_frame": 12}), config, capture=tmp_path / "c.h5", report=Silent()
    )
    assert about["frames"]["lost"] == 0
    assert arrays["valid"].all()
    assert about["snr_db"] == pytest.approx([10.0, 10.0], abs=0.6)
    with Capture.open(tmp_path / "c.h5") as capture:
        assert not [event for event in capture.events() if event["kind"] != b"clip"]
