"""A campaign of `hil calibrate`, resumable: random benches, four targets each, what is stated against the air's own truth.

Fifty benches, 26 simulated and 8 a protocol on virtual radios in real time, each a link with its own path gain (over 40 dB),
noise figure, echoes, pipeline delay (0 … 2,000 samples), oscillators (±20 ppm each where they are not shared), DC offsets and
I/Q imbalance on both sides, and gain steps. After `hil calibrate --snr T` the true SNR at the gain and back-off of the record
(the air's own link gain × payload power / in-band noise, by the bench's simulated twin) must be T; or the command refuses, and
the twin says that it had to. Rows are appended to benchmarks/results/calibration.jsonl, so that a broken campaign goes on where
it was. HIL_CALIBRATION_BENCHES (sim:26,pluto:8,uhd:8,soapy:8) is how many of each. Alignment of superposed transmitters
(benchmarks/alignment.py) is measured anew each time.
"""

from __future__ import annotations

import contextlib
import json as jsonlib
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks import alignment
from benchmarks.benches import make_bench, twin_of
from benchmarks.record import RESULTS
from benchmarks.rows import quiet_stdout, row, show
from hil.calibration.levels import MOST_BACK_OFF_DB
from hil.errors import CalibrationError, DriverMissingError, TooStrongError
from hil.phy.frame import FrameConfig, FrameFormat
from hil.radios.bench import BenchConfig
from hil.radios.session import Bench
from hil.radios.virtual.process import serve
from hil.runs.calibrate import calibrate_bench
from hil.runs.config import CalibrateConfig
from hil.runs.progress import Silent

__all__ = ["TARGETS_DB", "case", "main", "random_bench", "twin_of"]

KEPT = RESULTS / "calibration.jsonl"
TARGETS_DB = (-6.0, 0.0, 6.0, 15.0)
KINDS = "sim:26,pluto:8,uhd:8,soapy:8"
RATE_HZ = 1e6
_LOSS_DB = {"sim": (48.0, 88.0), "pluto": (48.0, 88.0), "soapy": (48.0, 88.0), "uhd": (64.0, 104.0)}
"""A path gain range of 40 dB; a tenth of the highest target is out of reach."""


def random_bench(kind: str, number: int) -> BenchConfig:
    """Bench `number` of a kind: "sim" or a protocol of virtual radios."""
    draw = np.random.default_rng([0xCA11B, number, *kind.encode()])
    shared = kind == "uhd" or (kind != "pluto" and bool(draw.integers(2)))
    base = make_bench(kind if kind != "sim" else "pluto", rate=RATE_HZ).model_dump(mode="json")
    table = base | {
        "name": f"random-{kind}-{number}",
        "center_freq_hz": 2.45e9,
        "clock": "shared" if shared else "independent",
        "seed": int(draw.integers(1, 1 << 30)),
        "links": [_link(draw, kind)],
    }
    for name in ("tx0", "rx"):
        radio = dict(base["radios"][name]["virtual"]) if kind != "sim" else {}
        radio |= _faults(draw, shared=shared) | {"noise_figure_db": float(draw.uniform(3, 10))}
        if kind != "uhd":
            radio["gain_step_db"] = float(draw.choice([0.25, 0.5, 1.0]))
        table["radios"][name] = {"driver": "sim", **radio} if kind == "sim" else table["radios"][name] | {"virtual": radio}
    return BenchConfig.model_validate(table)


def _link(draw: np.random.Generator, kind: str) -> dict[str, Any]:
    taps = [
        {
            "delay_s": float(draw.uniform(0.2e-6, 5e-6)),
            "gain_db": float(draw.uniform(-25, -5)),
            "phase_deg": float(draw.uniform(0, 360)),
        }
        for _ in range(int(draw.integers(0, 4)))
    ]
    return {
        "transmitter": 0,
        "path_loss_db": float(draw.uniform(*_LOSS_DB[kind])),
        "delay_s": float(draw.uniform(0, 2000) / RATE_HZ),
        "taps": taps,
    }


def _faults(draw: np.random.Generator, *, shared: bool) -> dict[str, Any]:
    """Of one radio, both directions: the one that it does not use is not heard."""
    return {
        "ppm": 0.0 if shared else float(draw.uniform(-20, 20)),
        "iq_gain_db": float(draw.uniform(-1, 1)),
        "iq_phase_deg": float(draw.uniform(-5, 5)),
        "tx_iq_gain_db": float(draw.uniform(-1, 1)),
        "tx_iq_phase_deg": float(draw.uniform(-5, 5)),
        "dc_offset": [float(value) for value in draw.uniform(-0.02, 0.02, 2)],
        "tx_dc_offset": [float(value) for value in draw.uniform(-0.01, 0.01, 2)],
    }


def main(json: bool) -> None:
    """Do what is missing of the campaign, and print it all."""
    wanted = dict(part.split(":") for part in os.environ.get("HIL_CALIBRATION_BENCHES", KINDS).split(","))
    KEPT.parent.mkdir(exist_ok=True)
    rows: list[dict[str, Any]] = []
    with quiet_stdout() if json else contextlib.nullcontext():
        done: list[dict[str, Any]] = []
        for kind, count in wanted.items():
            try:
                done += _campaign(kind, int(count))
            except DriverMissingError as err:
                rows.append(row(f"{kind}: cases", None, "cases", note=str(err)))
        rows += _summary(done)
        rows += alignment.rows()
    show(rows, as_json=json)


def _campaign(kind: str, count: int) -> list[dict[str, Any]]:
    """All cases of a kind, those that were done before among them."""
    known = [jsonlib.loads(line) for line in KEPT.read_text().splitlines()] if KEPT.exists() else []
    done = {(one["number"], one["target_db"]): one for one in known if one["kind"] == kind}
    for number in range(count):
        missing = [target for target in TARGETS_DB if (number, target) not in done]
        if not missing:
            continue
        with _on_air(random_bench(kind, number)) as bench:
            for target in missing:
                done[number, target] = {"kind": kind, "number": number, **case(bench, target)}
                with KEPT.open("a", encoding="utf-8") as file:
                    file.write(jsonlib.dumps(done[number, target]) + "\n")
    return [done[number, target] for number in range(count) for target in TARGETS_DB]


@contextlib.contextmanager
def _on_air(bench: BenchConfig) -> Iterator[BenchConfig]:
    """The bench as it is to be opened; virtual radios are served meanwhile."""
    if not bench.virtual_radios:
        yield bench
        return
    with serve(bench) as served:
        yield served.bench


def case(bench: BenchConfig, target_db: float) -> dict[str, Any]:
    """Calibrate a bench to one target, and compare with the truth."""
    began = time.monotonic()
    config = CalibrateConfig(snr_db=target_db)
    with tempfile.TemporaryDirectory() as folder:
        try:
            record = calibrate_bench(config, bench, Path(folder), report=Silent()).record.links[0]
        except CalibrationError as err:
            low, high = _reach(bench)
            strong = isinstance(err, TooStrongError)
            agreed = low > target_db if strong else high < target_db
            return {
                "target_db": target_db,
                "refused": type(err).__name__,
                "agreed": agreed,
                "reach_db": [round(low, 2), round(high, 2)],
                "error": str(err),
                "seconds": round(time.monotonic() - began, 2),
            }
    truth, cfo_hz, delay = _truth(bench, record.tx_gain_db, record.back_off_db)
    return {
        "target_db": target_db,
        "refused": None,
        "true_db": round(truth, 4),
        "stated_db": record.snr_db,
        "ci_db": list(record.snr_db_ci),
        "held": record.snr_db_ci[0] <= truth <= record.snr_db_ci[1],
        "cfo_error_hz": round(record.cfo_hz - cfo_hz, 3),
        "delay_error": None if record.delay_samples is None else round(record.delay_samples - delay, 4),
        "tx_gain_db": record.tx_gain_db,
        "back_off_db": record.back_off_db,
        "warnings": list(record.warnings),
        "link_seconds": record.seconds,
        "seconds": round(time.monotonic() - began, 2),
    }


def _truth(bench: BenchConfig, gain_db: float, back_off_db: float) -> tuple[float, float, float]:
    """True SNR (dB), carrier offset (Hz) and power-weighted mean delay (samples)."""
    frame = FrameFormat(FrameConfig(), torch.ones((1, 1), dtype=torch.bool))
    numerology = frame.numerology
    freqs_hz = np.array(numerology.carriers) * RATE_HZ / numerology.fft_size
    with Bench(twin_of(bench)) as twin:
        twin.set_tx_gain(0, gain_db)
        truth = twin.truth()
        snr_db = truth.snr_db(0, frame.sample_amplitude**2 * 10 ** (-back_off_db / 10), freqs_hz)
        response = truth.response(0, freqs_hz)
        steps = np.diff(numerology.carriers) == 1
        slope = np.angle(np.vdot(response[:-1][steps], response[1:][steps] * np.exp(2j * np.pi * _direct(bench) / 64)))
        return snr_db, truth.cfo_hz(0), _direct(bench) - float(slope) * 64 / (2 * np.pi)


def _direct(bench: BenchConfig) -> float:
    return bench.links[0].delay_s * RATE_HZ


def _reach(bench: BenchConfig) -> tuple[float, float]:
    """True SNR at the lowest level, and at the greatest gain (dB)."""
    with Bench(twin_of(bench)) as twin:
        gains = twin.tx_gain_range(0)
    return _truth(bench, gains.low, MOST_BACK_OFF_DB)[0], _truth(bench, gains.nearest(gains.high), 0.0)[0]


def _summary(done: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The campaign in rows."""
    if not done:
        return []
    met = [one for one in done if not one["refused"]]
    off = [abs(one["true_db"] - one["target_db"]) for one in met]
    refused = [one for one in done if one["refused"]]
    virtual = [(one["link_seconds"], one["seconds"]) for one in met if one["kind"] != "sim"]
    delays = [abs(one["delay_error"]) for one in met if one["delay_error"] is not None and one["kind"] == "uhd"]
    held = sum(one["held"] for one in met) / max(len(met), 1)
    worst = max(met, key=lambda one: abs(one["true_db"] - one["target_db"]), default=None)
    named = f"{worst['kind']} {worst['number']} at {worst['target_db']:g} dB" if worst else ""
    rows = [
        row("calibration: cases done", len(done), "cases", target=200),
        row(
            "true SNR within 0.5 dB of the target", sum(value <= 0.5 for value in off) / max(len(off), 1), "share", target=0.95
        ),
        row("farthest from the target", max(off, default=0.0), "dB", better="lower", target=1.0, note=named),
        row("root mean square from the target", float(np.sqrt(np.mean(np.square(off)))) if off else None, "dB", better="lower"),
        row("refused", len(refused) / len(done), "share", better="lower", target=0.1),
        row("refused though it was in reach", sum(not one["agreed"] for one in refused), "cases", better="lower", target=0),
        row("95 % intervals that hold the truth", held, "share", target=0.9, met=0.9 <= held <= 0.99),
        row(
            "carrier offset, largest error",
            max((abs(one["cfo_error_hz"]) for one in met), default=None),
            "Hz",
            better="lower",
        ),
    ]
    if delays:
        rows.append(row("delay on one clock, median error", statistics.median(delays), "samples", better="lower", target=0.05))
    if virtual:
        links, whole = (statistics.median(values) for values in zip(*virtual, strict=True))
        rows.append(row("time a link on virtual radios, median", links, "s", better="lower", target=10.0))
        rows.append(row("the same with opening and closing the bench", whole, "s", better="lower"))
    return rows
