"""Alignment of superposed transmitters on the N210 pair against the air's own truth, and on the Pluto trio by what is heard."""

from __future__ import annotations

import math
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.benches import twin_of
from benchmarks.rows import row, show
from hil.calibration.alignment import relative_to_first
from hil.calibration.gate import GateConfig
from hil.captures import CaptureWriter
from hil.errors import CalibrationError, DriverMissingError, RadioError
from hil.models.contract import Sent
from hil.phy.receive import FrameReception, Receiver
from hil.points.aligning import Aligner
from hil.points.on_air import AirRun, OnAir
from hil.points.rounds import FLAGS
from hil.points.spec import PointSpec, Reception, frame_for, receiver_for
from hil.radios.bench import BenchConfig, find_bench
from hil.radios.session import Bench
from hil.radios.virtual.process import serve

__all__ = ["heard_rows", "pair_rows", "rows", "superposed_point", "trio_rows"]

PAIR_DB = (-6.0, 0.0, 6.0, 15.0)
ROUNDS = 24
FRAMES = 24
HEARD_DB = 6.0
HEARD_FRAMES = 16
TRIO_DB = 15.0
TRIO_FRAMES = 40
TRIO_SOUNDING = 4
PREFIX = 10.0
"""Samples that transmitters may be apart: the prefix of 16 less the receiver's advance of 4 and the echoes."""


def superposed_point(bench: Bench, snr_db: float, *, frames: int, rounds: int, **frame: Any) -> PointSpec:
    """Two transmitters on 64 uses of a task, so many frames in so many rounds."""
    receiver = receiver_for(bench.true_config)
    form = frame_for(receiver, snr_db, given=frame)
    return PointSpec(
        scheme="x", power=(1.0, 1.0), snr_db_target=snr_db, occupied=((True,) * 64,) * 2, tasks=frames * form.tasks_per_frame,
        distinct_tasks=frames * form.tasks_per_frame, first_frame=1000, frame=form, alignments=rounds, gate=GateConfig(),
        seeded=True, receptions=tuple(
            Reception(name=name, full_scale=scale, receiver=receiver) for name, scale in bench.full_scales.items()
        ),
    )  # fmt: skip


def measured(air: AirRun, spec: PointSpec) -> OnAir:
    """The point with noise-like symbols on the air."""
    shape = (2, spec.tasks, 64)
    symbols = torch.randn(*shape, dtype=torch.complex64, generator=torch.Generator().manual_seed(4))
    return air.measure(spec, Sent(symbols=symbols), {}, air.levels_for(spec.snr_db_target), lambda steps: None)


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
    assert made.precoders is not None
    for weights in made.precoders:
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
            note = f"{len(values)} alignments, the first {abs(values[0]):.3g}, worst {np.abs(values).max():.3g}"
            rows.append(
                row(
                    f"N210 pair: {name} after alignment at {snr_db:g} dB", float(np.sqrt(np.mean(values**2))), unit,
                    better="lower", target=target, note=note,
                )
            )  # fmt: skip
    return rows


def heard_rows(bench_config: BenchConfig, name: str) -> list[dict[str, Any]]:
    """Alignment as frames hear it, over the vendors' protocol: what they are off by, and how many were refused."""
    with Bench(bench_config) as bench, tempfile.TemporaryDirectory() as folder, opened(bench, folder) as writer:
        air = AirRun(bench, writer, dict.fromkeys(bench.receivers, receiver_for(bench.true_config)))
        spec = superposed_point(bench, HEARD_DB, frames=HEARD_FRAMES, rounds=HEARD_FRAMES)
        air.calibrate(spec.frame)
        found = next(iter(measured(air, spec).collections.values()))
    seen = found.alignment or {}
    note = (
        f"{seen.get('alignments')} alignments, {found.frames}, each frame just after its alignment; with its sounding's noise"
    )
    bounds = (("phase_deg", "° rms", 5.0), ("delay_samples", "samples", 0.03), ("power_db", "dB", 0.25))
    return [
        row(
            f"{name}: {key.partition('_')[0]} at {HEARD_DB:g} dB as frames hear it", seen.get(key), unit, better="lower",
            target=target, note=note,
        )
        for key, unit, target in bounds
    ]  # fmt: skip


def trio_rows(bench_config: BenchConfig, name: str) -> list[dict[str, Any]]:
    """The Must-hold lines about the Pluto trio, by what is heard.

    Delays are by each frame's own sounding; channel errors by what received symbols are off Σ h x beyond the noise in silence.
    """
    apart: list[tuple[float, float]] = []
    with Bench(bench_config) as bench, tempfile.TemporaryDirectory() as folder, opened(bench, folder) as writer:
        receiver = receiver_for(bench.true_config)
        air = AirRun(bench, writer, dict.fromkeys(bench.receivers, receiver))
        spec = superposed_point(bench, TRIO_DB, frames=TRIO_FRAMES, rounds=1, sounding_symbols=TRIO_SOUNDING)
        spec = spec.model_copy(update={"match_clocks": True, "alignments": None, "gate": None})
        air.calibrate(spec.frame)
        heard = Receiver.receive

        def noting(self: Receiver, *given: Any, **more: Any) -> list[FrameReception]:
            found = heard(self, *given, **more)
            for frame in found:
                if frame.number is not None and frame.number >= spec.first_frame:
                    (one,) = relative_to_first(frame.response, spec.frame.numerology)
                    apart.append((one.delay_samples, float(frame.cfo_hz[1] - frame.cfo_hz[0])))
            return found

        Receiver.receive = noting  # type: ignore[method-assign]
        try:
            made = measured(air, spec)
        finally:
            Receiver.receive = heard  # type: ignore[method-assign]
    found = next(iter(made.collections.values()))
    delays = np.array([one[0] for one in apart])
    offsets = np.array([one[1] for one in apart]) / (bench_config.sample_rate_hz / spec.frame.numerology.fft_size)
    inside = float((np.abs(delays) <= PREFIX).sum()) / spec.frames
    excess = 10 ** (-found.snr_eff_db / 10) - 10 ** (-found.snr.mean_db / 10)
    error_db = 10 * math.log10(max(excess / 2, 1e-6))
    note = f"SNRs {', '.join(f'{value:.1f}' for value in found.snr_db)} dB, effective {found.snr_eff_db:.2f} dB, {found.frames}"
    return [
        row(f"{name}: both transmitters inside the prefix", inside, "share", target=0.95,
            note=f"{len(delays)} of {spec.frames} frames heard, farthest apart {np.abs(delays).max():.2f} samples"),
        row(f"{name}: carriers apart, rms", float(np.sqrt(np.mean(offsets**2))), "carriers", better="lower", target=0.05),
        row(f"{name}: channel error a use", error_db, "dB", better="lower", target=-20.0, note=note),
    ]  # fmt: skip


def rows() -> list[dict[str, Any]]:
    """All of them; a protocol whose library is missing, or whose radios failed, has rows without a value."""
    pair, trio = find_bench("virtual-n210-pair"), find_bench("virtual-pluto-trio")
    found = pair_rows(twin_of(pair)) + trio_rows(twin_of(trio), "Pluto trio, simulated")
    for bench, make, name in ((pair, heard_rows, "N210 pair"), (trio, trio_rows, "Pluto trio")):
        try:
            with serve(bench) as served:
                found += make(served.bench, name)
        except (DriverMissingError, RadioError, CalibrationError) as err:
            found.append(row(f"{name}: alignment over its protocol", None, "", target=0.0, note=str(err)))
    return found


if __name__ == "__main__":
    show(rows(), as_json=False)
