"""Alignment of superposed transmitters on the N210 pair against the air's own truth, and on the Pluto trio by what is heard."""

from __future__ import annotations

import math
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.rows import row
from hil.calibration.alignment import relative_to_first
from hil.calibration.gate import GateConfig
from hil.captures import CaptureWriter
from hil.models.contract import Sent
from hil.points.aligning import Aligner
from hil.points.on_air import AirRun, OnAir
from hil.points.rounds import FLAGS
from hil.points.spec import PointSpec, Reception, frame_for, receiver_for
from hil.radios.bench import BenchConfig, find_bench
from hil.radios.session import Bench

__all__ = ["pair_rows", "superposed_point"]

PAIR_DB = (-6.0, 0.0, 6.0, 15.0)
ROUNDS = 8
FRAMES = 16


def superposed_point(bench: Bench, snr_db: float, *, frames: int, rounds: int, **frame: Any) -> PointSpec:
    """Two transmitters on 64 uses of a task, so many frames in so many rounds."""
    receiver = receiver_for(bench.true_config)
    form = frame_for(receiver, snr_db, given=frame)
    return PointSpec(
        scheme="x", power=(1.0, 1.0), snr_db_target=snr_db, occupied=((True,) * 64,) * 2, tasks=frames * form.tasks_per_frame,
        distinct_tasks=frames * form.tasks_per_frame, first_frame=1000, frame=form, alignments=rounds, gate=GateConfig(),
        receptions=tuple(
            Reception(name=name, full_scale=scale, receiver=receiver) for name, scale in bench.full_scales.items()
        ),
    )  # fmt: skip


def measured(air: AirRun, spec: PointSpec) -> OnAir:
    """The point with noise-like symbols on the air."""
    shape = (2, spec.tasks, 64)
    symbols = torch.randn(*shape, dtype=torch.complex64, generator=torch.Generator().manual_seed(4))
    return air.measure(spec, Sent(symbols=symbols), {}, air.gains_for(spec.snr_db_target), lambda steps: None)


def opened(bench: Bench, folder: str) -> CaptureWriter:
    """A capture for it."""
    return CaptureWriter.create(
        Path(folder) / "c.h5", config={}, provenance={}, models={}, receivers=list(bench.receivers),
        transmitters=bench.transmitters, flags=FLAGS, overwrite=True,
    )  # fmt: skip


def pair_truth(bench_config: BenchConfig, snr_db: float) -> dict[str, list[float]]:
    """What every alignment of a point left, by the air's own responses: phase (° rms), delay (samples), power (dB)."""
    left: dict[str, list[float]] = {"phase": [], "delay": [], "power": []}
    with Bench(bench_config) as bench, tempfile.TemporaryDirectory() as folder, opened(bench, folder) as writer:
        receiver = receiver_for(bench.true_config)
        air = AirRun(bench, writer, dict.fromkeys(bench.receivers, receiver))
        spec = superposed_point(bench, snr_db, frames=FRAMES, rounds=ROUNDS)
        air.calibrate(spec.frame)
        air.aligner = Aligner()
        made = measured(air, spec)
        numerology = spec.frame.numerology
        freqs_hz = np.array(numerology.carriers) * bench.sample_rate_hz / numerology.fft_size
        truth = bench.truth()
        responses = np.stack([truth.response(tx, freqs_hz) for tx in range(2)])
    for weights in made.arrays["precoders"]:
        arrived = responses * weights
        (found,) = relative_to_first(torch.from_numpy(arrived), numerology)
        left["phase"].append(math.degrees(float(np.sqrt(np.mean(np.angle(arrived[1] * arrived[0].conj()) ** 2)))))
        left["delay"].append(found.delay_samples)
        left["power"].append(found.power_db)
    return left


def pair_rows(twin: BenchConfig) -> list[dict[str, Any]]:
    """The Must-hold lines about NOMA on the N210 pair: root mean square over the alignments of a point, at each SNR."""
    rows = []
    for snr_db in PAIR_DB:
        left = pair_truth(twin, snr_db)
        for name, unit, target in (("phase", "° rms", 5.0), ("delay", "samples", 0.03), ("power", "dB", 0.25)):
            values = np.array(left[name])
            rows.append(
                row(
                    f"N210 pair: {name} after alignment at {snr_db:g} dB", float(np.sqrt(np.mean(values**2))), unit,
                    better="lower", target=target, note=f"worst of {len(values)} alignments {np.abs(values).max():.3g}",
                )
            )  # fmt: skip
    return rows


if __name__ == "__main__":
    from benchmarks.calibration import twin_of
    from benchmarks.rows import show

    show(pair_rows(twin_of(find_bench("virtual-n210-pair"))), as_json=False)
