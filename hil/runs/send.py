"""A stranger's symbols over any bench: no scheme, no images. Symbols in, `Received` out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from hil.calibration.links import LinkCalibration
from hil.captures import CaptureWriter, check_disk
from hil.errors import CalibrationError, ConfigError, RadioTimeoutError, ShapeError
from hil.models.contract import Sent, access
from hil.points.aligning import ALIGNMENT_TRIES
from hil.points.flight import OnAir
from hil.points.kinds import Fading
from hil.points.needs import capture_needs
from hil.points.on_air import AirRun
from hil.points.receive import combined_sha256
from hil.points.rounds import FLAGS
from hil.points.spec import PointSpec, Reception, frame_for, receiver_for
from hil.points.spread import check_spreading
from hil.provenance import provenance
from hil.radios.bench import BenchConfig
from hil.radios.session import Bench
from hil.runs.config import SendConfig, alignment_settings
from hil.runs.progress import Progress, Report
from hil.runs.sent import errors_of, frame_arrays, simulated, stacked
from hil.runs.unaligned import superposed_on_free_oscillators

__all__ = ["normalised", "occupied_uses", "send_symbols"]

PAYLOAD_USES = 112 * 48
"""Payload uses that a frame should have, about."""
FIRST_FRAME = 1000
INAUDIBLE = 1e-30
"""Share of the largest amplitude below which float32 has no digits left."""


def occupied_uses(symbols: NDArray[np.complexfloating[Any, Any]]) -> NDArray[np.bool_]:
    """Uses that each transmitter sends on, bool [tx, use]: those that are not zero in all tasks.

    Raises:
        ShapeError: a transmitter sends nothing.
    """
    occupied: NDArray[np.bool_] = (symbols != 0).any(1)
    silent = [tx for tx, row in enumerate(occupied) if not row.any()]
    if silent:
        raise ShapeError(f"transmitter {silent[0]} sends nothing: its symbols are all zero; leave it out")
    return occupied


def normalised(symbols: NDArray[np.complexfloating[Any, Any]], *, force: bool) -> tuple[NDArray[np.complex64], list[float]]:
    """Symbols of mean power 1 on each transmitter's occupied uses, and the amplitudes they were divided by.

    Args:
        symbols: finite complex [tx, task, use] of any magnitude; a use that is zero in all tasks is not occupied, nor is one
            600 dB below the transmitter's largest.
        force: scale whatever the power is; else only a power within 1 % of 1 is accepted, and nothing is changed.

    Raises:
        ShapeError: the power is not 1, and `force` is off; or a transmitter sends nothing.
    """
    wide = np.array(symbols, np.complex128)
    occupied_uses(wide)
    peak = np.maximum(np.abs(wide.real), np.abs(wide.imag)).max((1, 2))  # of the parts, as |x| itself may overflow
    shape = wide / peak[:, None, None]
    shape[np.abs(shape) < INAUDIBLE] = 0
    occupied = occupied_uses(shape)
    rms = [float(np.sqrt((np.abs(row[:, used]) ** 2).mean())) for row, used in zip(shape, occupied, strict=True)]
    scale = [largest * own for largest, own in zip(peak.tolist(), rms, strict=True)]
    if force:
        if not all(map(math.isfinite, scale)):
            raise ShapeError("symbols must have an rms amplitude that a float64 can hold (1.8e308); scale them down")
        return (shape / np.array(rms)[:, None, None]).astype(np.complex64), scale
    wrong = [f"{own * own:.3g}" for own in scale if not abs(own * own - 1) <= 0.01]
    if wrong:
        raise ShapeError(
            f"mean |x|² over occupied uses must be 1 for every transmitter, not {', '.join(wrong)}; "
            "scale the symbols, or let --normalize do it"
        )
    return wide.astype(np.complex64), [1.0] * len(scale)


def send_symbols(
    symbols: NDArray[np.complex64],
    config: SendConfig,
    bench_config: BenchConfig,
    *,
    capture: Path,
    report: Report,
    transmit: bool = False,
    scale: Sequence[float] = (),
) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Put symbols on the air at one SNR after the other.

    Args:
        symbols: complex64 [tx, task, use], mean |x|² = 1 on occupied uses.
        config: SNR, frame and receiver settings.
        bench_config: on which radios.
        capture: file that keeps every sample.
        report: told how far it is.
        transmit: the operator allows real transmitters to send.
        scale: amplitude that each transmitter's symbols were divided by, for the record.

    Returns:
        arrays by name (see `_arrays` and `hil.runs.sent`; of several SNRs each with an axis for them in front), and what is to
        be said about them.
    """
    transmitters, tasks, uses = symbols.shape
    if transmitters > len(bench_config.transmitters):
        raise ConfigError(
            f"the symbols need {transmitters} transmitters, bench '{bench_config.name}' has {len(bench_config.transmitters)}"
        )
    occupied = torch.from_numpy(occupied_uses(symbols))
    with Bench(bench_config, transmit=transmit) as bench:
        bench_config = bench.true_config
        specs = _specs(config, bench_config, occupied, tasks, bench.full_scales)
        ends = {"transmitters": len(bench_config.transmitters), "receivers": len(bench_config.receivers)}
        needs = capture_needs(specs, bench_config.sample_rate_hz, **ends)
        word, frames = access(occupied), sum(spec.frames for spec in specs)
        report.say(f"plan: {tasks} tasks of {uses} uses ({word}), {frames} frames, {needs}")
        check_disk(needs, capture)
        with _writer(capture, config, bench_config, symbols.shape) as writer:
            receivers = _receptions(config, bench_config, bench.full_scales)
            air = AirRun(bench, writer, {one.name: one.receiver for one in receivers})
            lowest = min(specs, key=lambda spec: spec.snr_db_target)
            links = air.calibrate(lowest.frame, fading=lowest.fading == "air")
            made, abouts = [], []
            with report.stage("on the air", frames) as progress:
                for spec in specs:
                    made.append(_measured(air, spec, symbols, progress))
                    abouts.append(_about(made[-1], spec, bench_config, tasks, word))
                    abouts[-1]["warnings"] = _warnings(spec, bench_config, links)
                    _finish(writer, made[-1], spec, abouts[-1], alone=len(specs) == 1)
            if not any(_heard(one) for one in made):
                raise CalibrationError(f"none of the {frames} frames was received at any of {len(specs)} SNRs")
            said = abouts[0] if len(abouts) == 1 else {"points": abouts}
            writer.finish(said | {"links": [asdict(link) for link in links]})
    found = []
    for spec, one, about in zip(specs, made, abouts, strict=True):
        arrays = _arrays(one, symbols, scale) | frame_arrays(capture, one.index, spec, one.collections, tasks)
        found.append((arrays | _beside(arrays, about, config), about))
    return found[0] if len(found) == 1 else stacked(found, [spec.snr_db_target for spec in specs])


def _measured(air: AirRun, spec: PointSpec, symbols: NDArray[np.complex64], progress: Progress) -> OnAir:
    """Symbols on the air at one SNR."""
    every = Sent(symbols=torch.from_numpy(symbols)[:, spec.task_index()])
    levels = air.levels_for(spec.snr_db_target)
    return air.measure(air.known(spec, levels, tell_snr=False), every, {}, levels, progress)


def _beside(arrays: dict[str, NDArray[Any]], about: dict[str, Any], config: SendConfig) -> dict[str, NDArray[Any]]:
    """What a simulation makes of the same symbols; the errors of both are noted in `about`."""
    valid = arrays["valid"]
    about |= errors_of(arrays["symbols"], (arrays["channel"] * arrays["sent"]).sum(0), valid)
    if config.simulate == "none" or not valid.any():
        return {}
    made = simulated(arrays, config.simulate, about["snr_db"], config.seed)
    target = made.pop("simulated_target")
    about["simulated"] = {"channel": config.simulate, **errors_of(made["simulated"], target, valid)}
    return made


def _heard(made: OnAir) -> bool:
    return any(one.frames["scored"] for one in made.collections.values())


def _writer(capture: Path, config: SendConfig, bench: BenchConfig, shape: tuple[int, ...]) -> CaptureWriter:
    return CaptureWriter.create(
        capture,
        config={
            "symbols": list(shape),
            "send": config.model_dump(mode="json"),
            "bench": bench.model_dump(mode="json"),
        },
        provenance=provenance(),
        models={},
        receivers=[one.name for one in bench.receivers],
        transmitters=len(bench.transmitters),
        flags=FLAGS,
    )


def _receptions(config: SendConfig, bench: BenchConfig, full_scales: dict[str, float]) -> tuple[Reception, ...]:
    receiver = receiver_for(bench, config.receiver)
    return tuple(Reception(name=one.name, full_scale=full_scales[one.name], receiver=receiver) for one in bench.receivers)


def _specs(
    config: SendConfig, bench: BenchConfig, occupied: torch.Tensor, tasks: int, full_scales: dict[str, float]
) -> list[PointSpec]:
    """A point for each SNR, with frame numbers of their own."""
    specs: list[PointSpec] = []
    for snr_db in config.snr_db:
        first = FIRST_FRAME if not specs else specs[-1].first_frame + specs[-1].frames + ALIGNMENT_TRIES
        specs.append(_spec(config, bench, occupied, tasks, full_scales, snr_db=snr_db, first_frame=first))
    return specs


def _spec(
    config: SendConfig,
    bench: BenchConfig,
    occupied: torch.Tensor,
    tasks: int,
    full_scales: dict[str, float],
    *,
    snr_db: float,
    first_frame: int,
) -> PointSpec:
    receiver = receiver_for(bench, config.receiver)
    width = max(1, int(occupied.any(0).sum()))
    fading: Fading = "air" if any(link.fading != "none" for link in bench.links) else "none"
    asked = config.frame.get("tasks_per_frame")
    per_frame = asked or (1 if fading == "air" else max(1, min(tasks, PAYLOAD_USES // width)))
    frame = frame_for(receiver, snr_db, given={**config.frame, "tasks_per_frame": per_frame})
    superposed = bool((occupied.sum(0) > 1).any())
    receptions = tuple(
        one.model_copy(
            update={"receiver": one.receiver.model_copy(update={"aligned": not superposed or (receiver.aligned and not index)})}
        )
        for index, one in enumerate(_receptions(config, bench, full_scales))
    )
    spec = PointSpec(
        scheme="symbols",
        power=(1.0,) * len(occupied),
        fading=fading,
        snr_db_target=snr_db,
        occupied=tuple(tuple(bool(use) for use in row) for row in occupied),
        tasks=math.ceil(tasks / per_frame) * per_frame,
        distinct_tasks=tasks,
        first_frame=first_frame,
        frame=frame,
        receptions=receptions,
        rx_csi="channel",
        **alignment_settings(config, superposed=superposed),
    )
    check_spreading(spec)
    return spec


def _about(made: OnAir, spec: PointSpec, bench: BenchConfig, tasks: int, word: str) -> dict[str, Any]:
    first = next(iter(made.collections.values()))
    about: dict[str, Any] = {
        "snr_db": first.snr_db,
        "snr_eff_db": first.snr_eff_db,
        "frames": first.frames,
        "cfo_hz": first.cfo_hz,
        "access": word,
        "bench": bench.name,
        "received_sha256": first.sha256,
        "tasks": tasks,
        **made.more,
    }
    if len(made.collections) > 1:
        about["receivers"] = {
            name: {"snr_db": one.snr_db, "snr_eff_db": one.snr_eff_db, "frames": one.frames, "cfo_hz": one.cfo_hz}
            for name, one in made.collections.items()
        }
    return about


def _warnings(spec: PointSpec, bench: BenchConfig, links: Sequence[LinkCalibration]) -> list[str]:
    said = superposed_on_free_oscillators("the symbols are", spec, bench, links, told=False)
    return [] if said is None else [said]


def _finish(writer: CaptureWriter, made: OnAir, spec: PointSpec, about: dict[str, Any], *, alone: bool) -> None:
    """Store what came; refuse to go on with a point that was cut short, or of which nothing was received."""
    writer.finish_point(
        made.index,
        results=about,
        received_sha256=combined_sha256(made.collections),
        received=np.stack([one.symbols.contiguous().numpy() for one in made.collections.values()]),
        valid=made.ended is None,
    )
    frames = next(iter(made.collections.values())).frames
    if made.ended is not None:
        raise RadioTimeoutError(f"ended after {frames['sent']} of {spec.frames} frames: {made.ended}")
    if alone and not _heard(made):
        raise CalibrationError(f"none of the {spec.frames} frames was received at {spec.snr_db_target:g} dB")


def _arrays(made: OnAir, symbols: NDArray[np.complex64], scale: Sequence[float]) -> dict[str, NDArray[Any]]:
    """What was received: the first receiver's arrays by name, further receivers' as ``RECEIVER/name``; and what was sent."""
    tasks = symbols.shape[1]
    arrays: dict[str, NDArray[Any]] = {}
    for index, (name, one) in enumerate(made.collections.items()):
        prefix = f"{name}/" if index else ""
        arrays |= {
            f"{prefix}symbols": one.symbols.numpy()[:tasks],
            f"{prefix}valid": one.valid.numpy()[:tasks],
            f"{prefix}noise_var": one.noise_var.numpy()[:tasks],
            f"{prefix}channel": one.channel.numpy()[:, :tasks],
        }
    return arrays | {"scale": np.asarray(list(scale) or [1.0] * len(symbols)), "sent": symbols}
