"""Alignment of superposed transmitters against the air's own truth, simulated, over UHD and Soapy; the Pluto trio as heard."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.benches import twin_of
from benchmarks.rows import row, show
from hil.calibration.alignment import relative_to_first
from hil.calibration.gate import GateConfig
from hil.captures import Capture, CaptureWriter, FrameKind
from hil.errors import CalibrationError, DriverMissingError, RadioError
from hil.models.contract import Sent
from hil.phy.receive import FrameReception, Receiver
from hil.points.aligning import Aligner
from hil.points.on_air import AirRun, OnAir
from hil.points.rounds import FLAGS
from hil.points.spec import PointSpec, Reception, frame_for, receiver_for
from hil.radios.bench import BenchConfig, find_bench
from hil.radios.session import Bench
from hil.radios.virtual.process import Served, serve
from hil.units import db_to_amplitude

__all__ = [
    "Pair",
    "of_served",
    "of_twin",
    "pair_rows",
    "pair_truth",
    "rows",
    "soapy_rows",
    "superposed_point",
    "trio_rows",
    "wire_rows",
]

PAIR_DB = (-6.0, 0.0, 6.0, 15.0)
ROUNDS = 24
FRAMES = 24
WIRE_FRAMES, WIRE_ROUNDS = 48, 24
SOAPY_DB = 6.0
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


@dataclass(frozen=True, kw_only=True)
class Pair:
    """What every alignment of a point left, by the air's own responses.

    Attributes:
        phase: ° rms over the active carriers; delay: samples; power: dB; float64 [alignment] each.
        interval_s: longest time from the sounding that an alignment rests on to the end of the last frame sent with it.
        frames: how many were sent, scored, refused by the gate, ….
        heard: the same as frames hear it, root mean square, the noise of their own soundings included.
    """

    phase: NDArray[np.float64]
    delay: NDArray[np.float64]
    power: NDArray[np.float64]
    interval_s: float
    frames: dict[str, int]
    heard: dict[str, Any]


Responses = Callable[[Bench, NDArray[np.float64]], NDArray[np.complex128]]
"""What the links of a bench are like now at baseband frequencies (Hz), complex128 [tx, frequency]."""


def of_twin(bench: Bench, freqs_hz: NDArray[np.float64]) -> NDArray[np.complex128]:
    """Of a bench simulated in this process."""
    truth = bench.truth()
    return np.stack([truth.response(tx, freqs_hz) for tx in range(2)])


def of_served(served: Served) -> Responses:
    """Of a bench whose radios an air serves, by that air's word."""

    def responses(_: Bench, freqs_hz: NDArray[np.float64]) -> NDArray[np.complex128]:
        links = served.ask("links", freqs_hz=freqs_hz.tolist())["links"]
        return np.stack([np.array(one["re"]) + 1j * np.array(one["im"]) for one in links])

    return responses


def pair_truth(bench_config: BenchConfig, snr_db: float, responses: Responses, *, frames: int, rounds: int) -> Pair:
    """Align a pair for a point's frames in so many rounds, and look at what is left."""
    with tempfile.TemporaryDirectory() as folder:
        with Bench(bench_config) as bench, opened(bench, folder) as writer:
            receiver = receiver_for(bench.true_config)
            air = AirRun(bench, writer, dict.fromkeys(bench.receivers, receiver))
            spec = superposed_point(bench, snr_db, frames=frames, rounds=rounds)
            air.calibrate(spec.frame)
            air.aligner = Aligner()
            made = measured(air, spec)
            numerology = spec.frame.numerology
            true = responses(bench, np.array(numerology.carriers) * bench.sample_rate_hz / numerology.fft_size)
            true *= db_to_amplitude(-np.array([[level.back_off_db] for level in air.levels]))
            rate_hz = bench.sample_rate_hz
        interval_s = _interval(Path(folder) / "c.h5", made.index) / rate_hz
    assert made.precoders is not None
    left = []
    for weights in made.precoders:
        arrived = true * weights
        (found,) = relative_to_first(torch.from_numpy(arrived), numerology)
        phase = math.degrees(float(np.sqrt(np.mean(np.angle(arrived[1] * arrived[0].conj()) ** 2))))
        left.append((phase, found.delay_samples, found.power_db))
    phases, delays, powers = np.array(left).T
    heard = next(iter(made.collections.values()))
    return Pair(
        phase=phases, delay=delays, power=powers, interval_s=interval_s, frames=heard.frames, heard=heard.alignment or {}
    )


def _interval(path: Path, point: int) -> float:
    """Longest stretch of samples from a point's sounding to the end of the last frame before the next sounding."""
    with Capture.open(path) as capture:
        bursts = capture.burst_table()
    sounded, longest = None, 0.0
    for burst in bursts:
        if burst["kind"] == FrameKind.SOUNDING:
            sounded = int(burst["start"])
        elif burst["point"] == point and sounded is not None:
            longest = max(longest, float(burst["start"] + burst["count"] - sounded))
    return longest


def pair_rows(
    bench_config: BenchConfig, responses: Responses = of_twin, *, name: str = "N210 pair", frames: int = FRAMES,
    rounds: int = ROUNDS, snrs_db: Sequence[float] = PAIR_DB,
) -> list[dict[str, Any]]:  # fmt: skip
    """The Must-hold lines about NOMA on the N210 pair: root mean square over the alignments of a point, at each SNR."""
    rows = []
    for snr_db in snrs_db:
        left = pair_truth(bench_config, snr_db, responses, frames=frames, rounds=rounds)
        for key, unit, target in (("phase", "° rms", 5.0), ("delay", "samples", 0.03), ("power", "dB", 0.25)):
            values = np.abs(getattr(left, key))
            heard = left.heard.get({"phase": "phase_deg", "delay": "delay_samples", "power": "power_db"}[key])
            note = (
                f"{len(values)} alignments, the first {values[0]:.3g}, worst {values.max():.3g}; up to {left.interval_s:.2g} s "
                f"from sounding to last data; {left.frames['sent']} frames, {left.frames['gated']} gated; as frames hear "
                f"it, with the noise of their soundings: {heard:.3g}"
            )
            rows.append(
                row(
                    f"{name}: {key} after alignment at {snr_db:g} dB", float(np.sqrt(np.mean(values**2))), unit,
                    better="lower", target=target, note=note,
                )
            )  # fmt: skip
    return rows


def wire_rows(served: Served) -> list[dict[str, Any]]:
    """The same over UHD's protocol, in real time: two frames an alignment."""
    return pair_rows(served.bench, of_served(served), name="N210 pair over UHD", frames=WIRE_FRAMES, rounds=WIRE_ROUNDS)


def soapy_rows(served: Served) -> list[dict[str, Any]]:
    """The same of two channels of one device over SoapyRemote's protocol, at one SNR."""
    return pair_rows(
        served.bench, of_served(served), name="Soapy's channels over its protocol", frames=WIRE_FRAMES, rounds=WIRE_ROUNDS,
        snrs_db=(SOAPY_DB,),
    )  # fmt: skip


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


def _trio_on_wire(served: Served) -> list[dict[str, Any]]:
    return trio_rows(served.bench, "Pluto trio")


def rows() -> list[dict[str, Any]]:
    """All of them; a protocol whose library is missing, or whose radios failed, has rows without a value."""
    pair, trio, soapy = (find_bench(f"virtual-{name}") for name in ("n210-pair", "pluto-trio", "soapy"))
    found = pair_rows(twin_of(pair)) + trio_rows(twin_of(trio), "Pluto trio, simulated")
    for bench, make, name in (
        (pair, wire_rows, "N210 pair"),
        (soapy, soapy_rows, "Soapy"),
        (trio, _trio_on_wire, "Pluto trio"),
    ):
        try:
            with serve(bench) as served:
                found += make(served)
        except (DriverMissingError, RadioError, CalibrationError) as err:
            found.append(row(f"{name}: alignment over its protocol", None, "", target=0.0, note=str(err)))
    return found


if __name__ == "__main__":
    show(rows(), as_json=False)
