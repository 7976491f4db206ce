"""Measured SNRs against a truth: of a closed model of frames, and of the simulated air."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch

from hil.phy.frame import FrameConfig
from hil.phy.transmit import build_frame
from hil.points.fragments import cut
from hil.points.link import LinkRecord, LinkSnr
from hil.points.noise import Silence, pool_noise
from hil.points.receive import Collector
from hil.points.spec import PointSpec, Reception, frame_for, receiver_for
from hil.radios.bench import BenchConfig, find_bench
from hil.radios.session import Bench

__all__ = ["air_points", "measured_links", "simulated_links"]

ACTIVE, SOUNDING, USES, WINDOWS, POINTS = 52, 8, 2000, 4, 6
GAINS_DB = (-48.0, -42.0, -34.0)
FRAMES = 8

Trial = Callable[[np.random.Generator], Mapping[str, list[bool]]]


def simulated_links(frames: int) -> Trial:
    """Six points of one run, at −6…9 dB: frames whose looks at channel, noise and error are drawn from their distributions."""

    def trial(rng: np.random.Generator) -> Mapping[str, list[bool]]:
        records = {snr_db: _record(rng, 10 ** (snr_db / 10), frames) for snr_db in np.linspace(-6, 9, POINTS)}
        pooled = pool_noise([record.silences for record in records.values()], ACTIVE)
        found = {snr_db: record.snr(level) for (snr_db, record), level in zip(records.items(), pooled.levels, strict=True)}
        return {
            "SNR": [_held(one.snr_db_ci[0], snr_db) for snr_db, one in found.items()],
            "effective SNR": [_held(one.eff_db_ci, snr_db - 0.3) for snr_db, one in found.items()],
            "receiver loss": [_held(one.loss_db_ci, 0.3) for one in found.values()],
        }

    return trial


def _record(rng: np.random.Generator, snr: float, frames: int) -> LinkRecord:
    """Signal of power `snr` under noise of power 1; the error is 0.3 dB more than the noise over the signal."""
    shape = (frames, SOUNDING, ACTIVE)
    looks = np.sqrt(snr) + (rng.standard_normal(shape) + 1j * rng.standard_normal(shape)) / np.sqrt(2)
    coherent = np.abs(looks.sum(1)) ** 2 - (np.abs(looks) ** 2).sum(1)
    signal = coherent.mean(1) / (SOUNDING * (SOUNDING - 1))
    error = rng.gamma(USES, 1 / USES, frames) * 10**0.03 / snr
    silences = tuple(
        Silence(
            at=int(rng.integers(1 << 40)), symbol=float(rng.gamma(ACTIVE, 1 / ACTIVE)), windows=WINDOWS,
            lead=float(rng.gamma(ACTIVE * WINDOWS, 1 / (ACTIVE * WINDOWS))),
        )
        for _ in range(frames)
    )  # fmt: skip
    return LinkRecord(
        signal=signal[:, None], error=error, blocks=np.arange(frames), whole_error=float(error.mean()), silences=silences,
        active=ACTIVE, sounding=SOUNDING, uses=USES * frames, fading=False,
    )  # fmt: skip


def _held(ends: tuple[float, float], truth: float) -> bool:
    return ends[0] <= truth <= ends[1]


def measured_links() -> Trial:
    """The built-in bench, another air each time: three points of its first transmitter, noise pooled over them."""
    config = find_bench("builtin")

    def trial(rng: np.random.Generator) -> Mapping[str, list[bool]]:
        found, truths = air_points(config.model_copy(update={"seed": int(rng.integers(1 << 30))}))
        return {"SNR": [_held(one.snr_db_ci[0], truth) for one, truth in zip(found, truths, strict=True)]}

    return trial


def air_points(config: BenchConfig, *, frames: int = FRAMES) -> tuple[list[LinkSnr], list[float]]:
    """SNRs of three points at three gains, as a run measures them, and what the air says they are (dB)."""
    receiver = receiver_for(config)
    frame = frame_for(receiver, -6.0, given={"tasks_per_frame": 4})
    records, truths = [], []
    with Bench(config) as bench:
        spec = _spec(frame, Reception(name="rx", full_scale=bench.full_scale, receiver=receiver), frames)
        symbols = torch.randn(1, spec.tasks, 64, dtype=torch.complex64, generator=torch.Generator().manual_seed(1))
        form = spec.format()
        frequencies = np.array(form.numerology.carriers) * config.sample_rate_hz / form.numerology.fft_size
        for gain_db in GAINS_DB:
            bench.set_tx_gain(0, gain_db)
            collector = Collector(spec, symbols)
            for index in range(frames):
                own = cut(symbols, spec.cut())[:, index * form.tasks : (index + 1) * form.tasks]
                waves = torch.zeros((bench.transmitters, form.samples), dtype=torch.complex64)
                waves[:1] = build_frame(own, index, form)
                got = bench.burst(waves.numpy(), lead=400, tail=64)
                collector.add(got.samples, index, got.start)
            records.append(collector.finish().record)
            truths.append(bench.truth().snr_db(0, form.sample_amplitude**2, frequencies))
    levels = pool_noise([record.silences for record in records], ACTIVE).levels
    return [record.snr(level) for record, level in zip(records, levels, strict=True)], list(truths)


def _spec(frame: FrameConfig, reception: Reception, frames: int) -> PointSpec:
    return PointSpec(
        scheme="x", power=(1.0,), snr_db_target=0.0, occupied=((True,) * 64,), tasks=4 * frames, distinct_tasks=4 * frames,
        first_frame=0, frame=frame, receptions=(reception,),
    )  # fmt: skip
