"""Whether a receiver says when it is wrong: faults of front ends, oscillators, channels and neighbours, through a run's code.

Each case is a point of several frames that `hil.points.receive.Collector` receives, as a run does. It is *corrected* if the
error of its symbols is within 1 dB of the clean point's, *marked* if the point is `impaired`, *lost* if most of its frames were
not received, else *silent*: the one thing that a measurement may not be.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.rows import Row, row
from benchmarks.runframes import FREE, SHARED, plan_format, windows
from benchmarks.truth_cases import Case, cases, receiver_truth
from hil.phy.estimate import delay_basis
from hil.phy.receive import FrameReception, Receiver
from hil.phy.transmit import FrameBuilder
from hil.points.receive import Collection, Collector
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
_CARRIER_HZ = 12300.0
Access = Literal["single", "noma"]
ACCESSES: tuple[Access, ...] = ("single", "noma")
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


@lru_cache(maxsize=32)
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
    """Mean signal over the error, both at the receiver's input: a channel that fades some carriers is no fault."""
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


def measure(chosen: Iterable[Case], snrs_db: Sequence[float] = SNRS_DB, accesses: Sequence[Access] = ACCESSES) -> list[Outcome]:
    """Judge cases at several SNRs, in single and superposed frames."""
    return [judge(case, access, snr_db) for case in chosen for snr_db in snrs_db for access in accesses]


def false_alarms(points: int) -> tuple[int, list[str]]:
    """Of so many clean points, at −6…30 dB, delayed by fractions of a sample, how many are called impaired, and as what."""
    rng = np.random.default_rng(5)
    setups = [
        (access, snr_db, free) for access in ACCESSES for snr_db in (-6.0, 0.0, 6.0, 15.0, 20.0, 30.0) for free in (False, True)
    ]
    found = []
    for index in range(points):
        access, snr_db, free = setups[index % len(setups)]
        delay, turn = rng.random() - 0.5, rng.random()

        def delayed(y: NDArray[Any], _: Any, delay: float = delay, turn: float = turn) -> NDArray[Any]:
            shift = np.exp(-2j * np.pi * (np.fft.fftfreq(len(y)) * delay - turn))
            return np.asarray(np.fft.ifft(np.fft.fft(y) * shift))

        suspect = collect(access, snr_db, free=free, hurt=delayed, seed=index + 1).verdict.suspect
        if suspect is not None:
            found.append(f"{suspect}: {access}, {snr_db:g} dB, {'free' if free else 'shared'}")
    return len(found), found


def left_over(frames: int = 80) -> dict[str, float]:
    """What front ends leave after correction at 30 dB (dB of the signal), and a clean CFO's error at 10 dB over its bound."""
    gain, angle = 10 ** (2 / 40), math.radians(10)
    turned = complex(math.cos(angle), -math.sin(angle)) / gain  # I times the gain, Q turned towards I and weaker
    kappa = (gain - turned) / (gain + turned)
    bent = _heard(
        30.0, frames, lambda x: x.real * gain + 1j * (x.imag * math.cos(angle) + x.real * math.sin(angle)) / gain + 0.3
    )
    clean = _heard(10.0, frames, lambda x: x)
    dc = float(np.mean([abs(frame.front.dc - 0.3) ** 2 for frame in bent]))
    image = float(np.mean([abs(frame.front.image - kappa) ** 2 for frame in bent]))
    offset = math.sqrt(float(np.mean([(float(frame.cfo_hz[0]) - _CARRIER_HZ) ** 2 for frame in clean])))
    spec = _waves("single", 10.0, True)[0]
    bound = _cfo_bound(Receiver(spec.format(), spec.receptions[0].receiver), 0.1)
    return {"dc": 10 * math.log10(dc), "image": 10 * math.log10(image), "cfo": offset / bound}


def _heard(snr_db: float, frames: int, hurt: Any) -> list[FrameReception]:
    """Single frames with a carrier offset, carriers of power 1 at the input, through a front end."""
    spec, _, waves = _waves("single", snr_db, True)
    form, rng, sigma = spec.format(), np.random.default_rng(11), 10 ** (-snr_db / 20) / math.sqrt(2)
    receiver, out = Receiver(form, spec.receptions[0].receiver), []
    for index in range(frames):
        x = np.concatenate([np.zeros(200), waves[index % FRAMES] / form.sample_amplitude, np.zeros(64)])
        x = x * np.exp(2j * np.pi * _CARRIER_HZ / 1e6 * np.arange(x.size))
        x = x + sigma * (rng.standard_normal(x.size) + 1j * rng.standard_normal(x.size))
        out += list(receiver.receive(torch.from_numpy(hurt(x).astype(np.complex64))))
    return out


def _cfo_bound(receiver: Receiver, noise: float) -> float:
    """Cramér-Rao bound (Hz) of a carrier offset from all known cells of a frame of unit power carriers, channel unknown.

    Without noise a cell at time t is exp(j ω t) Σ b h, with b the receiver's delay basis at its carrier and h complex numbers
    that nobody knows. What h can imitate of the derivative j t exp(j ω t) Σ b h says nothing of ω: pilots of a few carriers are
    compared with what the sounding says of these few. The same over a flat channel of which only the phase is unknown would be
    81 % of it in the demo's frames, which no receiver can reach that does not know that the channel is flat.

    Source: Kay, Estimation Theory, 1993, ch. 15 (complex parameters as nuisance).
    """
    tables, numerology, config = receiver.tables, receiver.form.numerology, receiver.config
    counts = tables.observed_symbols.numpy()
    everywhere, pilots = np.arange(numerology.active), np.array(numerology.pilot_positions)
    on = [everywhere if count >= len(everywhere) else pilots[:count] for count in counts]
    time = np.repeat(tables.offsets[:-1], [len(carriers) for carriers in on]) / config.sample_rate_hz
    basis = delay_basis(numerology, -config.taps_before, config.taps).numpy()[np.concatenate(on)]
    slope = (time - time.mean()).astype(complex)
    left = slope - basis @ np.linalg.lstsq(basis, slope, rcond=None)[0]
    return math.sqrt(noise / 2 / float(np.vdot(left, left).real)) / (2 * math.pi)


def speed_ratio(rounds: int) -> dict[str, float]:
    """CPU time without corrections over that with them, window by window, of run frames."""
    out = {}
    for access, free in (("single", False), ("noma", False), ("single", True)):
        config = FREE if free else SHARED
        form = plan_format(access, 9.0, config)
        heard = windows(form, 16, 15.0, cfo=(0.012, -0.01) if free else (0.0, 0.0))
        times: list[list[float]] = [[], []]
        receivers = [Receiver(form, config.model_copy(update={"mixer": mixer})) for mixer in ("auto", None)]
        for _ in range(rounds):
            for receiver, spent in zip(receivers, times, strict=True):
                begin = time.process_time()
                for window in heard:
                    receiver.receive(window, full_scale=2048)
                spent.append(time.process_time() - begin)
        out[f"{access}, {'free' if free else 'shared'} clocks"] = min(times[1]) / min(times[0])
    return out


def rows(quick: bool) -> tuple[list[Row], dict[str, Any]]:
    """All rows; nobody to compare with."""
    chosen = [case for case in cases() if not quick or case.name in receiver_truth()]
    found = measure(chosen)
    count = Counter(one.verdict for one in found)
    wrong = [f"{one.name}: {one.suspect}" for one in found if one.verdict == "marked" and not one.right]
    silent = [f"{one.name}: {one.worse_db:.2f} dB worse" for one in found if one.verdict == "silent"]
    out = [row(f"cases {verdict}, of {len(found)}", count[verdict], "cases") for verdict in ("corrected", "marked", "lost")]
    out.append(row("cases silent", count["silent"], "cases", better="lower", target=0, cases=silent))
    out.append(row("marked with a wrong suspect", len(wrong), "cases", better="lower", target=0, cases=wrong))
    points = 100 if quick else 2000
    alarms, named = false_alarms(points)
    out.append(
        row(f"false alarms of {points} clean points", 100 * alarms / points, "%", better="lower", target=1.0, cases=named)
    )
    left = left_over()
    out.append(row("DC left after correction, 30 dB, carrier 12.3 kHz off", left["dc"], "dB", better="lower", target=-50))
    out.append(row("image left after correction, 2 dB and 10°, 30 dB", left["image"], "dB", better="lower", target=-50))
    out.append(
        row(
            "CFO RMSE / bound of all known cells and a channel unknown, run frames, 10 dB",
            left["cfo"],
            "",
            better="lower",
            target=1.3,
        )
    )
    for name, value in speed_ratio(5 if quick else 25).items():
        out.append(row(f"receive rate with all corrections / without, {name}", value, "", target=0.85))
    return out, {}
