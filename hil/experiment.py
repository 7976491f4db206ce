"""Plan -> air -> capture -> score: one run."""

from __future__ import annotations

import hashlib
import math
import platform
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from pydantic import Field, field_validator
from torch import Tensor

from hil import __version__
from hil.calibration.links import LinkCalibration, Sounder, calibrate_links
from hil.calibration.precode import Precoder, align
from hil.captures.plan import CapturePlan, check_disk, plan_capture
from hil.captures.writer import CaptureWriter
from hil.collect import Collection, Collector, Energy, PointSpec, to_complex
from hil.config import Config
from hil.errors import CalibrationError, ConfigError
from hil.outcome import Progress, Report, air_row, finish_results
from hil.phy.frame import FrameConfig, FrameFormat, sounding_symbols_for
from hil.phy.header import repetitions_for
from hil.phy.receive import ReceiverConfig
from hil.phy.transmit import build_frame
from hil.radios.bench import BenchConfig
from hil.radios.session import Bench
from hil.units import db_to_power, power_to_db
from hil.workload import Workload

__all__ = ["ExperimentConfig", "frame_for", "plan_points", "run_air", "transmit_power"]

LEAD_SAMPLES = 400
"""The frame starts at most so far into a burst's window (the session draws where); the receiver is not told."""
TAIL_SAMPLES = 64
CALIBRATION_FRAMES = 64
"""Most frames that the first calibration takes (planning)."""
ALIGNMENT_SOUNDING = 64
"""Sounding symbols a transmitter with which superposed transmitters are aligned."""


class ExperimentConfig(Config):
    """What is measured.

    Attributes:
        bench: name of the bench; dataset: its spec; schemes: names, in the order in which they take turns.
        snr_db: targets for a unit-power transmitter (dB).
        tasks: tasks sent per scheme and SNR (rounded up to whole frames); distinct_tasks: distinct ones among them.
        tasks_per_frame: tasks in one frame.
        interleave: spread tasks over carriers.
        energy: how transmit power is counted.
        gallery: which features stand for a gallery image.
        seed: of task choice, frames and simulation.
        draws: noise draws of a simulation.
    """

    bench: str = "builtin"
    dataset: str = "synthetic"
    schemes: tuple[str, ...] = Field(("jscc-single", "jscc-oma", "jscc-noma"), min_length=1)
    snr_db: tuple[float, ...] = Field((-6.0, -3.0, 0.0, 3.0, 6.0, 9.0, 12.0, 15.0), min_length=1)
    tasks: int = Field(2016, ge=1)
    distinct_tasks: int = Field(1008, ge=1)
    tasks_per_frame: int = Field(84, ge=1, le=4096)
    interleave: bool = True
    energy: Energy = "per_use"
    gallery: Literal["reconstructed", "raw"] = "reconstructed"
    seed: int = Field(1, ge=0)
    draws: int = Field(20, ge=1)

    @field_validator("snr_db")
    @classmethod
    def _in_range(cls, values: tuple[float, ...]) -> tuple[float, ...]:
        if any(not -20 <= value <= 60 for value in values):
            raise ValueError("each SNR must lie in −20…60 dB")
        return values


def transmit_power(occupied: Tensor, energy: Energy) -> tuple[float, ...]:
    """Power of each transmitter's occupied uses, relative to a unit-power transmitter (papers/README: Power).

    per_use: 1. per_device: ‖x_i‖² = q, so q/n_i. per_task: Σ ‖x_i‖² = q, so q/Σ n_i.
    """
    counts = [int(count) for count in occupied.sum(1)]
    uses = occupied.shape[1]
    if energy == "per_use":
        return tuple(1.0 for _ in counts)
    if energy == "per_device":
        return tuple(uses / count for count in counts)
    return tuple(uses / sum(counts) for _ in counts)


def frame_for(config: ExperimentConfig, receiver: ReceiverConfig, lowest_snr_db: float) -> FrameConfig:
    """Frames that still work at the lowest SNR of the plan: preamble, sounding and header sized for it."""
    base = FrameConfig(interleave=config.interleave, tasks_per_frame=config.tasks_per_frame)
    # The matched-filter bound is −7 dB for 240 samples; 3 dB of margin keep misses below 1e-6.
    preamble = 240 * max(1, math.ceil(db_to_power(-7.0 + 3.0 - lowest_snr_db) - 0.05))
    sounding = sounding_symbols_for(lowest_snr_db, taps=receiver.taps, active=base.numerology.active)
    return base.model_copy(
        update={
            "preamble_samples": preamble,
            "sounding_symbols": sounding,
            "header_repetitions": repetitions_for(lowest_snr_db),
        }
    )


def plan_points(config: ExperimentConfig, work: Workload, receiver: ReceiverConfig, full_scale: float) -> list[PointSpec]:
    """All points of a run, in the order in which they are measured: at each SNR the schemes take turns."""
    powers = {name: transmit_power(scorer.plan.occupied, config.energy) for name, scorer in work.scorers.items()}
    lowest = min(config.snr_db) + power_to_db(min(min(power) for power in powers.values()))
    frame = frame_for(config, receiver, lowest)
    frames = math.ceil(config.tasks / frame.tasks_per_frame)
    points = []
    number = CALIBRATION_FRAMES
    for target in config.snr_db:
        for name, scorer in work.scorers.items():
            aligned = scorer.plan.access != "noma" or receiver.aligned
            points.append(
                PointSpec(
                    scheme=name,
                    access=scorer.plan.access,
                    energy=config.energy,
                    power=powers[name],
                    snr_db_target=target,
                    occupied=tuple(tuple(bool(use) for use in row) for row in scorer.plan.occupied),
                    tasks=frames * frame.tasks_per_frame,
                    distinct_tasks=len(work.tasks),
                    first_frame=number + 1,
                    frame=frame,
                    receiver=receiver.model_copy(update={"aligned": aligned}),
                    rx_csi=scorer.plan.rx_csi,
                    full_scale=full_scale,
                )
            )
            number += frames + 1  # one frame ahead of each point for sounding
    return points


def capture_needs(points: Sequence[PointSpec], rate_hz: float) -> CapturePlan:
    """Samples, bytes and time of a run."""
    samples = frames = symbols = received = 0
    for point in points:
        form = point.format()
        window = LEAD_SAMPLES + TAIL_SAMPLES
        samples += point.frames * (form.samples + window) + 2 * ALIGNMENT_SOUNDING * 80 * (point.access == "noma")
        frames += point.frames + 1
        symbols += form.transmitters * point.tasks * form.occupied.shape[1]
        received += point.tasks * form.occupied.shape[1]
    extra = CALIBRATION_FRAMES * 8000
    return plan_capture(
        samples=samples + extra,
        sample_rate_hz=rate_hz,
        frames=frames + CALIBRATION_FRAMES,
        bursts=frames + CALIBRATION_FRAMES,
        symbols=symbols,
        received=received,
        other_bytes=sum(point.tasks * 24 for point in points),
    )


def versions() -> dict[str, Any]:
    """What the bits of a result depend on."""
    return {
        "hil": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "platform": platform.platform(),
        "cpu": _cpu(),
        "torch_threads": torch.get_num_threads(),
        "torch_capability": torch.backends.cpu.get_cpu_capability(),
        "argv": sys.argv,
    }


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    wanted = ("model name", "cpu family", "model\t")
    return "; ".join(dict.fromkeys(line.split(":", 1)[1].strip() for line in lines if line.startswith(wanted)))


class _AirRun:
    """One pass over the air; holds the bench, the capture and what calibration found."""

    def __init__(self, bench: Bench, writer: CaptureWriter, config: ExperimentConfig, receiver: ReceiverConfig) -> None:
        self.bench, self.writer, self.config, self.receiver = bench, writer, config, receiver
        self._calibration = -1

    def burst(self, waveforms: Tensor) -> tuple[Any, int, list[dict[str, Any]]]:
        """Send and receive; samples int16 [n, 2], device index of the first, stream events as capture rows."""
        if waveforms.shape[0] < self.bench.transmitters:
            rest = self.bench.transmitters - waveforms.shape[0]
            waveforms = torch.cat([waveforms, waveforms.new_zeros(rest, waveforms.shape[1])])
        reception = self.bench.burst(waveforms.numpy(), lead=LEAD_SAMPLES, tail=TAIL_SAMPLES)
        events = [
            {
                "kind": event.kind,
                "radio": event.radio,
                "channel": event.channel,
                "sample": event.position,
                "count": event.count,
            }
            for event in reception.events
        ]
        return reception.samples, reception.start, events

    def exchange(self, waveforms: Tensor, number: int) -> Tensor:
        """A sounding burst: kept in the capture, its samples given back as complex64."""
        samples, start, events = self.burst(waveforms)
        row = {"frame": number, "status": "decoded", "detected": True}
        self.writer.append_burst(
            self._calibration, samples, start=start, kind="sounding", frame_numbers=[number], ledger=[row], events=events
        )
        return to_complex(samples, self.bench.full_scale)

    def sounder(self, spec: FrameConfig, symbols: int) -> Sounder:
        """Sounds all transmitters of the bench with frames like the run's."""
        return Sounder(self.bench.transmitters, spec, self.receiver, self.exchange, symbols=symbols)

    def calibrate(self, frame: FrameConfig) -> list[LinkCalibration]:
        """The first calibration: gain against SNR of each link."""
        self._calibration = self.writer.add_point(
            "calibration",
            attrs={"kind": "calibration", "radios": self.bench.describe()},
            symbols=np.zeros((self.bench.transmitters, 0, 1), np.complex64),
            labels={},
        )
        return calibrate_links(
            self.sounder(frame, max(8, frame.sounding_symbols)), self.bench.set_tx_gain, self._gain_range
        )

    def _gain_range(self, tx: int) -> tuple[float, float]:
        limits = self.bench.tx_gain_range(tx)
        return limits.low, limits.high

    def set_gains(self, links: Sequence[LinkCalibration], snr_db: float) -> list[float]:
        """Set every link to a target SNR; the gains applied.

        Raises:
            CalibrationError: a gain is out of the radio's range.
        """
        applied = []
        for link in links:
            gain, (low, high) = link.gain_for(snr_db), self._gain_range(link.tx)
            if not low - 0.5 <= gain <= high + 0.5:
                raise CalibrationError(
                    f"{snr_db:g} dB on link {link.tx} needs a transmit gain of {gain:.1f} dB, the radio gives "
                    f"{low:g}…{high:g} dB; change the receive gain or the attenuation, or ask for SNRs in "
                    f"{link.snr_db + low - link.gain_db:.0f}…{link.snr_db + high - link.gain_db:.0f} dB"
                )
            applied.append(self.bench.set_tx_gain(link.tx, min(max(gain, low), high)))
        return applied

    def precoder(self, spec: PointSpec, noise_dbfs: float) -> Precoder:
        """Sound every transmitter alone and align them (SIGNALS.md, "NOMA with h = 1 over the air")."""
        sounder = self.sounder(spec.frame, ALIGNMENT_SOUNDING)
        for _ in range(3):
            heard = sounder.sound(spec.first_frame - 1)
            if heard is not None:
                return align(heard.response, db_to_power(noise_dbfs), db_to_power(spec.snr_db_target))
        raise CalibrationError(f"three sounding frames in a row were lost at {spec.snr_db_target:g} dB; look at the ledger")

    def measure(
        self, spec: PointSpec, sent: Tensor, labels: dict[str, Any], links: Sequence[LinkCalibration], progress: Progress
    ) -> tuple[Collection, dict[str, Any]]:
        """Measure one point: set gains, align if superposed, store what is sent, send it, receive it."""
        gains = self.set_gains(links, spec.snr_db_target)
        superposed = spec.access == "noma" and spec.receiver.aligned
        precoder = self.precoder(spec, links[0].noise_dbfs) if superposed else None
        form: FrameFormat = spec.format()
        order = spec.task_index()
        symbols = sent[:, order]
        more = {"tx_gain_db": gains, "precoder_power_db": None}
        extra = {}
        if precoder is not None:
            more["precoder_power_db"] = [power_to_db(float(value)) for value in precoder.power]
            extra["precoder"] = precoder.weights.numpy()
        name = f"{spec.scheme} {spec.snr_db_target:+g} dB {spec.energy}"
        point = self.writer.add_point(
            name,
            attrs={
                "kind": "point",
                "spec": spec.model_dump(mode="json"),
                "calibration": [asdict(link) for link in links],
                "radios": self.bench.describe(),
                **more,
            },
            symbols=symbols.contiguous().numpy(),
            labels=labels,
            extra=extra,
        )
        collector = Collector(spec, symbols)
        scale = torch.tensor(spec.power).sqrt()
        weights = precoder.weights if precoder is not None else None
        for index in range(spec.frames):
            number = spec.first_frame + index
            rows = slice(index * form.tasks, (index + 1) * form.tasks)
            waveforms = build_frame(symbols[:, rows], number, form, precoder=weights, scale=scale)
            samples, start, events = self.burst(waveforms)
            ledger = collector.add(samples, number, start)
            self.writer.append_burst(
                point, samples, start=start, kind="frame", frame_numbers=[number], ledger=[ledger], events=events
            )
            progress(1)
        collection = collector.finish()
        return collection, more | {"point": point}


def run_air(
    config: ExperimentConfig,
    bench_config: BenchConfig,
    work: Workload,
    *,
    capture: Path,
    report: Report,
    transmit: bool = False,
) -> dict[str, Any]:
    """Measure all points over the air of a bench, keep every sample, score, simulate beside it.

    Args:
        config: what is measured.
        bench_config: on which radios.
        work: data set, tasks and schemes.
        capture: file to make.
        report: told what happens.
        transmit: the operator allows real transmitters to send.
    Returns:
        the results (docs/results.md).
    Raises:
        HilError: what stopped the run; the capture keeps what was measured before.
    """
    if max(scorer.plan.transmitters for scorer in work.scorers.values()) > len(bench_config.transmitters):
        raise ConfigError(
            f"bench '{bench_config.name}' has {len(bench_config.transmitters)} transmitter(s), the schemes need more; "
            "choose --schemes single, or another bench"
        )
    with Bench(bench_config, transmit=transmit) as bench:
        receiver = receiver_for(bench_config)
        points = plan_points(config, work, receiver, bench.full_scale)
        needs = capture_needs(points, bench_config.sample_rate_hz)
        report.say(f"plan: {len(points)} points, {sum(point.frames for point in points)} frames, {needs}")
        check_disk(needs, capture)
        settings = {
            "experiment": config.model_dump(mode="json"),
            "bench": bench_config.model_dump(mode="json"),
            "points": len(points),
            "dataset": {"spec": config.dataset, "fingerprint": work.fingerprint},
        }
        models = {name: scorer.sha256 for name, scorer in work.scorers.items()}
        with CaptureWriter.create(capture, config=settings, versions=versions(), models=models, overwrite=True) as writer:
            air = _AirRun(bench, writer, config, receiver)
            report.say("calibrating: each transmitter alone")
            links = air.calibrate(points[0].frame)
            for link in links:
                report.say(f"  link {link.tx}: {link.snr_db:.2f} ± {2 * link.snr_db_std:.2f} dB at gain {link.gain_db:g} dB")
            rows, kept = [], []
            digest = hashlib.sha256()
            sent = {name: scorer.encode() for name, scorer in work.scorers.items()}
            began = time.monotonic()
            with report.stage("on the air", sum(point.frames for point in points)) as progress:
                for spec in points:
                    scorer = work.scorers[spec.scheme]
                    labels = task_labels(work, spec)
                    collection, more = air.measure(spec, sent[spec.scheme], labels, links, progress)
                    outcome = scorer.score(collection.received, spec.task_index())
                    row = air_row(scorer, spec, collection, outcome, more)
                    symbols = collection.received.symbols.contiguous().numpy()
                    digest.update(symbols.tobytes())
                    writer.finish_point(
                        more["point"],
                        results=row,
                        received_sha256=collection.sha256,
                        received=symbols,
                        arrays={"hit": outcome.hit.numpy(), "ap": outcome.ap.numpy()},
                    )
                    rows.append(row)
                    kept.append((spec, collection, outcome))
                    report.point(row)
            report.say(f"on the air for {time.monotonic() - began:.1f} s")
            results = finish_results(config, work, rows, kept, sent, digest.hexdigest(), report)
            results |= {"capture": capture.name, "versions": versions(), "bench": bench_config.name}
            results["links"] = [asdict(link) for link in links]
            writer.finish(results)
    return results


def receiver_for(bench: BenchConfig) -> ReceiverConfig:
    """The receiver that fits a bench: no CFO search on a shared reference, ±50 ppm each otherwise."""
    shared = bench.clock == "shared"
    return ReceiverConfig(
        sample_rate_hz=bench.sample_rate_hz,
        center_freq_hz=bench.center_freq_hz,
        max_cfo_hz=0.0 if shared else 40e-6 * bench.center_freq_hz,
        phase_walk_rad2=0.0 if shared else 1e-4,
        aligned=shared,
    )


def task_labels(work: Workload, spec: PointSpec) -> dict[str, Any]:
    """Integer labels of each task sent, for the capture."""
    index = spec.task_index()
    tasks = work.tasks
    return {
        "task": index.numpy(),
        "identity": tasks.identities[index].numpy(),
        "view_0": tasks.views[index, 0].numpy(),
        "view_1": tasks.views[index, 1].numpy(),
    }

