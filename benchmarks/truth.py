"""Whether a receiver says when it is wrong: faults of front ends, oscillators, channels and neighbours, through a run's code.

Each case is a point of several frames that `hil.points.receive.Collector` receives, as a run does. It is *corrected* if the
error of its symbols is within 1 dB of the clean point's, *marked* if the point is `impaired`, *lost* if most of its frames were
not received, else *silent*: the one thing that a measurement may not be.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.rows import Row, row
from benchmarks.truth_cases import RMS, Case, cases, receiver_truth
from hil.phy.transmit import FrameBuilder
from hil.points.receive import Burst, Collection, Collector
from hil.points.spec import PointSpec, Reception, frame_for, receiver_for
from hil.radios.bench import find_bench

__all__ = ["FRAMES", "Outcome", "clean_point", "judge", "measure", "rows"]

FRAMES, TASKS, USES = 8, 84, 64
SNRS_DB = (6.0, 20.0, 30.0)
LEAD, TAIL = 400, 64
FULL_SCALE = 32768.0
SCALE = 0.2
"""Head room for DC and neighbours of 10 dB more than the signal; converters of 16 bits."""
WITHIN_DB = 1.0
Access = Literal["single", "noma"]
Verdict = Literal["corrected", "marked", "lost", "silent"]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of a case.

    Attributes:
        name: case, SNR and access; suspect: who was named; right: whether rightly (None: nobody was).
        worse_db: error over the clean point's; observed_db: known cells' error over the symbols'.
    """

    name: str
    verdict: Verdict
    suspect: str | None
    right: bool | None
    worse_db: float
    observed_db: float


def make_spec(access: Access, snr_db: float, *, free: bool = False, frames: int = FRAMES, **receiver: Any) -> PointSpec:
    """A point as a plan for this SNR makes it."""
    config = receiver_for(find_bench("independent" if free else "builtin"), receiver)
    count = 1 if access == "single" else 2
    return PointSpec(
        scheme=access, power=(1.0,) * count, snr_db_target=snr_db, tasks=frames * TASKS, distinct_tasks=frames * TASKS,
        occupied=((True,) * USES,) * count, first_frame=0,
        frame=frame_for(config, snr_db, given={"tasks_per_frame": TASKS}),
        receptions=(Reception(full_scale=FULL_SCALE, receiver=config),),
    )  # fmt: skip


@lru_cache(maxsize=12)
def _waves(access: Access, snr_db: float, free: bool) -> tuple[PointSpec, torch.Tensor, NDArray[np.complex128]]:
    """A point, its symbols [tx, task, use] and the sum of its waveforms [frame, sample]."""
    spec = make_spec(access, snr_db, free=free)
    generator = torch.Generator().manual_seed(3)
    symbols = torch.randn(len(spec.occupied), spec.tasks, USES, dtype=torch.complex64, generator=generator)
    parts = symbols.unflatten(1, (FRAMES, TASKS)).transpose(0, 1).contiguous()
    waves = FrameBuilder(spec.format()).build(parts, range(FRAMES))
    return spec, symbols, waves.sum(1).numpy().astype(np.complex128)


def collect(
    access: Access, snr_db: float, *, free: bool = False, hurt: Any = None, seed: int = 0, **receiver: Any
) -> Collection:
    """Send a point through a fault and receive it as a run does."""
    spec, symbols, waves = _waves(access, snr_db, free)
    spec = spec.with_receiver(receiver)
    rng = np.random.default_rng([seed, 7])
    collector = Collector(spec, symbols)
    sigma = spec.format().sample_amplitude * 10 ** (-snr_db / 20) / math.sqrt(2)
    for number, wave in enumerate(waves):
        lead = int(rng.integers(0, LEAD + 1))
        y = np.zeros(LEAD + TAIL + wave.size, complex)
        y[lead : lead + wave.size] = wave
        y = y * np.exp(2j * np.pi * rng.random()) if free else y
        y = y if hurt is None else hurt(y, rng)
        y = y + sigma * (rng.standard_normal(y.size) + 1j * rng.standard_normal(y.size))
        values = np.stack([y.real, y.imag], 1) * (SCALE * FULL_SCALE)
        collector.add(np.clip(np.rint(values), -FULL_SCALE, FULL_SCALE - 1).astype(np.int16), number)
    return collector.finish()


@lru_cache(maxsize=12)
def clean_point(access: Access, snr_db: float, free: bool) -> Collection:
    """The point without any fault."""
    return collect(access, snr_db, free=free)


def _input_snr_db(found: Collection) -> float:
    """Mean signal over the error that is there, both at the receiver's input: a channel that fades some carriers is no fault."""
    return found.snr.mean_db - 10 * math.log10(found.verdict.true) if found.verdict.true > 0 else math.nan


def judge(case: Case, access: Access, snr_db: float, **receiver: Any) -> Outcome:
    """What becomes of one case."""
    found = collect(access, snr_db, free=case.free, hurt=case.hurt, **receiver)
    worse = _input_snr_db(clean_point(access, snr_db, case.free)) - _input_snr_db(found)
    suspect = found.verdict.suspect
    if found.frames["scored"] < FRAMES / 2:
        verdict: Verdict = "lost"
    elif worse <= WITHIN_DB:
        verdict = "corrected"
    else:
        verdict = "silent" if suspect is None else "marked"
    return Outcome(
        name=f"{case.name}, {snr_db:g} dB, {access}",
        verdict=verdict,
        suspect=suspect,
        right=None if suspect is None else suspect in case.suspects,
        worse_db=worse,
        observed_db=10 * math.log10(max(found.verdict.observed, 1e-9) / max(found.verdict.true, 1e-9)),
    )


def measure(chosen: Iterable[Case], snrs_db: Sequence[float] = SNRS_DB, accesses: Sequence[Access] = ("single", "noma")) -> list[Outcome]:
    """Judge cases at several SNRs, in single and superposed frames."""
    return [judge(case, access, snr_db) for case in chosen for snr_db in snrs_db for access in accesses]


def rows(quick: bool) -> tuple[list[Row], dict[str, Any]]:
    """All rows; nobody to compare with."""
    found = measure(cases())
    count = Counter(one.verdict for one in found)
    wrong = [one.name for one in found if one.verdict == "marked" and not one.right]
    silent = [one.name for one in found if one.verdict == "silent"]
    out = [row(f"cases {verdict}, of {len(found)}", count[verdict], "cases") for verdict in ("corrected", "marked", "lost")]
    out.append(row("cases silent", count["silent"], "cases", better="lower", target=0, cases=silent))
    out.append(row("marked with a wrong suspect", len(wrong), "cases", better="lower", target=0, cases=wrong))
    return out, {}
