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

from hil.captures import CaptureWriter, check_disk
from hil.captures.symbol_files import write_received
from hil.collect import PointSpec
from hil.errors import CalibrationError, ConfigError, RadioTimeoutError, ShapeError
from hil.models.contract import Access
from hil.onair import AirRun, capture_needs, frame_for, receiver_for, versions
from hil.outcome import Report
from hil.radios.bench import BenchConfig
from hil.radios.session import Bench

__all__ = ["access_of", "normalised", "send"]

PAYLOAD_SYMBOLS = 112
"""OFDM symbols of payload that a frame should have, about."""


def access_of(occupied: NDArray[np.bool_]) -> Access:
    """How transmitters share the uses, from bool [tx, use]: single, OMA (no use shared) or NOMA.

    Raises:
        ShapeError: a transmitter sends nothing.
    """
    silent = [tx for tx, row in enumerate(occupied) if not row.any()]
    if silent:
        raise ShapeError(f"transmitter {silent[0]} sends nothing: its symbols are all zero; leave it out")
    if len(occupied) == 1:
        return "single"
    return "oma" if occupied.sum(0).max() == 1 else "noma"


def normalised(symbols: NDArray[np.complex64], *, force: bool) -> tuple[NDArray[np.complex64], list[float]]:
    """Symbols of mean power 1 on each transmitter's occupied uses, and the amplitudes they were divided by.

    Args:
        symbols: complex64 [tx, task, use]; a use that is zero in all tasks is not occupied.
        force: scale whatever the power is; else only a power within 1 % of 1 is accepted, and nothing is changed.

    Raises:
        ShapeError: the power is not 1, and `force` is off.
    """
    occupied = (symbols != 0).any(1)
    power = [float((np.abs(row[:, used]) ** 2).mean()) for row, used in zip(symbols, occupied, strict=True)]
    if not force:
        wrong = [f"{value:.3g}" for value in power if abs(value - 1) > 0.01]
        if wrong:
            raise ShapeError(
                f"mean |x|² over occupied uses must be 1 for every transmitter, not {', '.join(wrong)}; "
                "scale the symbols, or let --normalize do it"
            )
        return symbols, [1.0] * len(power)
    scale = np.sqrt(np.maximum(power, 1e-30))
    return (symbols / scale[:, None, None]).astype(np.complex64), scale.tolist()


def send(
    symbols: NDArray[np.complex64],
    bench_config: BenchConfig,
    *,
    snr_db: float,
    out: Path,
    capture: Path,
    report: Report,
    transmit: bool = False,
    interleave: bool = True,
    scale: Sequence[float] = (),
) -> dict[str, Any]:
    """Put symbols on the air at one SNR and write what was received.

    Args:
        symbols: complex64 [tx, task, use], mean |x|² = 1 on occupied uses.
        bench_config: on which radios.
        snr_db: target of each link (dB).
        out: ``.h5`` to write.
        capture: file that keeps every sample.
        report: told how far it is.
        transmit: the operator allows real transmitters to send.
        interleave: spread a task's uses over carriers.
        scale: amplitude that each transmitter's symbols were divided by, for the record.

    Returns:
        what is also stored in `out` as ``about``.
    """
    transmitters, tasks, uses = symbols.shape
    if not -20 <= snr_db <= 60:  # also refuses NaN
        raise ConfigError(f"Argument 'snr_db' must lie in -20…60 dB, not {snr_db}.")
    if transmitters > len(bench_config.transmitters):
        raise ConfigError(
            f"the symbols need {transmitters} transmitters, bench '{bench_config.name}' has {len(bench_config.transmitters)}"
        )
    occupied = (symbols != 0).any(1)
    access = access_of(occupied)
    receiver = receiver_for(bench_config)
    per_frame = max(1, min(tasks, PAYLOAD_SYMBOLS * 48 // max(1, int(occupied.any(0).sum()))))
    with Bench(bench_config, transmit=transmit) as bench:
        frame = frame_for(receiver, snr_db, tasks_per_frame=per_frame, interleave=interleave)
        padded = math.ceil(tasks / per_frame) * per_frame
        spec = PointSpec(
            scheme="symbols",
            access=access,
            power=(1.0,) * transmitters,
            snr_db_target=snr_db,
            occupied=tuple(tuple(bool(use) for use in row) for row in occupied),
            tasks=padded,
            distinct_tasks=tasks,
            first_frame=1000,
            frame=frame,
            receiver=receiver.model_copy(update={"aligned": access != "noma" or receiver.aligned}),
            rx_csi="channel",
            full_scale=bench.full_scale,
        )
        needs = capture_needs([spec], bench_config.sample_rate_hz)
        report.say(f"plan: {tasks} tasks of {uses} uses ({access}), {spec.frames} frames, {needs}")
        check_disk(needs, capture)
        settings = {"symbols": list(symbols.shape), "bench": bench_config.model_dump(mode="json")}
        with CaptureWriter.create(capture, config=settings, versions=versions(), models={}, overwrite=True) as writer:
            air = AirRun(bench, writer, receiver)
            links = air.calibrate(frame)
            with report.stage("on the air", spec.frames) as progress:
                collection, more = air.measure(spec, torch.from_numpy(symbols), {}, links, progress)
            about = {
                "snr_db": collection.snr_db,
                "snr_eff_db": collection.snr_eff_db,
                "frames": collection.frames,
                "cfo_hz": collection.cfo_hz,
                "access": access,
                "bench": bench_config.name,
                "received_sha256": collection.sha256,
                "tasks": tasks,
                "capture": str(capture),
                **more,
            }
            received = collection.received.symbols.contiguous().numpy()
            writer.finish_point(
                more["point"], results=about, received_sha256=collection.sha256, received=received, valid=more["ended"] is None
            )
            if more["ended"] is not None:
                done = f"{collection.frames['sent']} of {spec.frames} frames"
                raise RadioTimeoutError(f"ended after {done}: {more['ended']}; what came is in {capture}")
            if not collection.frames["scored"]:
                raise CalibrationError(
                    f"none of the {spec.frames} frames was received at {snr_db:g} dB; the samples are in {capture}"
                )
            writer.finish(about | {"links": [asdict(link) for link in links]})
    write_received(
        out,
        {
            "symbols": received[:tasks],
            "valid": collection.received.valid.numpy()[:tasks],
            "noise_var": collection.noise_var.numpy()[:tasks],
            "channel": collection.channel.numpy()[:, :tasks],
            "scale": np.asarray(scale or [1.0] * transmitters, np.float32),
            "sent": symbols,
        },
        about,
    )
    return about
