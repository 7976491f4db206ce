"""What `hil send` says beside the symbols that were received: gain of every use, SNR of every frame, errors, a simulation."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hil.captures import Capture, FrameKind, FrameStatus
from hil.points.receive import Collection
from hil.points.simulate import seed_of
from hil.points.spec import PointSpec
from hil.runs.config import Simulate
from hil.units import db_to_power, power_to_db

__all__ = ["errors_of", "frame_arrays", "simulated", "stacked"]

Arrays = dict[str, NDArray[Any]]


def frame_arrays(capture: Path, point: int, spec: PointSpec, found: Mapping[str, Collection], tasks: int) -> Arrays:
    """By the ledger: SNR of every frame, the frame of every task, and |Ḡ| of every use.

    Args:
        capture: closed.
        point: its index there.
        spec: what it is.
        found: by receiver; arrays of further ones have their name in front, as ``RECEIVER/frame_snr_db``.
        tasks: distinct ones.

    Returns:
        `frame_snr_db` float32 [frame, tx] and `frame_noise` float32 [frame] (full scale² a carrier), NaN where it was
        lost; `task_frame` int64 [task]; `gain` float32 [task, use], |Ḡ| by which y was divided, over full scale, NaN where
        nothing was received.
    """
    arrays: Arrays = {}
    first = np.arange(tasks) * spec.fragments // spec.frame.tasks_per_frame
    with Capture.open(capture) as opened:
        for index, (name, one) in enumerate(found.items()):
            ledger = opened.ledger(point, name)
            scored = ledger[(ledger["kind"] == FrameKind.FRAME) & (ledger["status"] == FrameStatus.SCORED)]
            place = scored["frame"] - spec.first_frame
            snr = np.full((spec.frames, len(spec.occupied)), np.nan, np.float32)
            noise = np.full(spec.frames, np.nan, np.float32)
            snr[place], noise[place] = scored["snr_db"][:, : len(spec.occupied)], scored["noise"]
            free = spec.receptions[index].receiver.max_cfo_hz > 0  # noise variances are each frame's own there
            level = noise[first][:, None] if free else np.float32(np.nanmean(noise) if len(scored) else np.nan)
            with np.errstate(divide="ignore", invalid="ignore"):
                gain = np.where(one.valid.numpy()[:tasks], np.sqrt(level / one.noise_var.numpy()[:tasks]), np.float32(np.nan))
            front = f"{name}/" if index else ""
            arrays |= {f"{front}frame_snr_db": snr, f"{front}frame_noise": noise, f"{front}gain": gain.astype(np.float32)}
    return arrays | {"task_frame": first}


def errors_of(symbols: NDArray[np.complex64], target: NDArray[np.complex64], valid: NDArray[np.bool_]) -> dict[str, float]:
    """Mean squared error over what was received, and against the mean power of what should be there (EVM, dB)."""
    if not valid.any():
        return {"mse": math.nan, "evm_db": math.nan}
    mse = float(np.mean(np.abs(symbols[valid].astype(np.complex128) - target[valid]) ** 2))
    power = float(np.mean(np.abs(target[valid].astype(np.complex128)) ** 2))
    return {"mse": mse, "evm_db": power_to_db(mse / power) if mse > 0 and power > 0 else math.nan}


def simulated(arrays: Mapping[str, NDArray[Any]], how: Simulate, snr_db: Sequence[float], seed: int) -> Arrays:
    """The same symbols through a mathematical channel: `simulated` complex64 [task, use], and `simulated_target` without noise.

    Args:
        arrays: received: `sent`, `channel`, `noise_var`, `valid`.
        how: ``awgn``: Σ x + n at the mean of the measured SNRs; ``channel``: Σ h x + n with the measured h and noise.
        snr_db: measured, of each transmitter.
        seed: of the noise.
    """
    sent, valid = arrays["sent"], arrays["valid"]
    draw = np.random.Generator(np.random.Philox(key=seed_of(seed, "send", how, *map(float, snr_db))))
    if how == "channel":
        target = (arrays["channel"] * sent).sum(0)
        variance = np.where(valid, arrays["noise_var"], 0)
    else:
        target = sent.sum(0)
        variance = np.full(valid.shape, 1 / db_to_power(power_to_db(float(np.mean(db_to_power(np.array(snr_db)))))))
    noise = draw.normal(size=(2, *valid.shape)) * np.sqrt(variance / 2)
    made = np.where(valid, target + noise[0] + 1j * noise[1], 0).astype(np.complex64)
    return {"simulated": made, "simulated_target": target.astype(np.complex64)}


def stacked(found: Sequence[tuple[Arrays, dict[str, Any]]], snr_db: Sequence[float]) -> tuple[Arrays, dict[str, Any]]:
    """Several SNRs as one: arrays get an axis [snr] in front, but for `sent` and `scale`.

    Args:
        found: of each SNR its arrays and what is said of it.
        snr_db: targets.
    """
    same = ("sent", "scale")
    arrays = {name: values for name, values in found[0][0].items() if name in same}
    for name in found[0][0]:
        if name not in same:
            arrays[name] = _even([each[name] for each, _ in found])
    arrays["snr_db_target"] = np.array(snr_db, np.float64)
    common = {key: found[0][1][key] for key in ("access", "bench", "tasks")}
    warnings = list(dict.fromkeys(text for _, about in found for text in about.get("warnings", ())))
    points = [{"snr_db_target": target, **about} for target, (_, about) in zip(snr_db, found, strict=True)]
    return arrays, {**common, "snr_db_target": list(snr_db), "points": points, "warnings": warnings}


def _even(parts: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """Arrays one behind the other; shorter ones are filled up with NaN along their first axis."""
    longest = max(len(one) for one in parts)
    if all(len(one) == longest for one in parts):
        return np.stack(parts)
    return np.stack([np.concatenate([one, np.full((longest - len(one), *one.shape[1:]), np.nan, one.dtype)]) for one in parts])
