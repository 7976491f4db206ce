"""A campaign of injected faults, resumable: each kind many times a protocol, and what the host made of it.

Every trial is one burst through the vendor's library with one fault armed: it must end with a result or a clear error inside
its deadline, the fault must be in the events (or be the error), and no transmitter may be left on. Rows are appended to
benchmarks/results/faults.jsonl, so that a broken campaign goes on where it was. HIL_FAULT_TRIALS (100) is how many of each,
HIL_BENCH_PROTOCOLS (pluto,uhd,soapy) what is tried.
"""

from __future__ import annotations

import contextlib
import json as jsonlib
import os
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.benches import PROTOCOLS, make_bench
from benchmarks.rows import quiet_stdout, row, show
from hil.errors import DriverMissingError, HilError
from hil.radios.session import Bench
from hil.radios.virtual.process import Served, serve

__all__ = ["FAULTS", "main", "trial"]

RESULTS = Path(__file__).parent / "results" / "faults.jsonl"
DEADLINE_S = 12.0
FAULTS: dict[str, dict[str, tuple[str, set[str]]]] = {
    # kind -> the radio that has it, and the events of which one must be there (an error will do as well)
    "pluto": {
        "drop": ("rx", {"overflow", "gap"}),
        "overflow": ("rx", {"overflow", "gap"}),
        "underflow": ("tx0", {"underflow"}),
        "disconnect": ("rx", set()),
        "slow": ("rx", set()),  # what its buffers hold is not lost
    },  # a Pluto has no timed commands and no reference input: nothing to be late for, nothing to unlock
}
FAULTS["uhd"] = FAULTS["soapy"] = FAULTS["pluto"] | {"late": ("tx0", {"late"}), "unlock": ("rx", set())}


def main(json: bool) -> None:
    """Do what is missing of the campaign, and print it all."""
    trials = int(os.environ.get("HIL_FAULT_TRIALS", "100"))
    wanted = os.environ.get("HIL_BENCH_PROTOCOLS", ",".join(PROTOCOLS)).split(",")
    RESULTS.parent.mkdir(exist_ok=True)
    rows: list[dict[str, Any]] = []
    with quiet_stdout() if json else contextlib.nullcontext():
        for protocol in wanted:
            for kind in FAULTS[protocol]:
                label = f"{protocol}: {kind}, trials that ended well of {trials}"
                try:
                    done = _campaign(protocol, kind, trials)
                except DriverMissingError as err:
                    rows.append(row(label, None, "trials", note=str(err)))
                    continue
                good = sum(result["ok"] for result in done)
                worst = max(result["seconds"] for result in done)
                ends = Counter(result["end"] for result in done)
                note = f"{dict(ends)}, longest {worst:.1f} s"
                rows.append(row(label, good, "trials", target=trials, note=note, longest_s=worst, ends=dict(ends)))
                if not json:
                    show(rows[-1:], as_json=False)
    if json:
        show(rows, as_json=True)


def _campaign(protocol: str, kind: str, trials: int) -> list[dict[str, Any]]:
    known = [jsonlib.loads(line) for line in RESULTS.read_text().splitlines()] if RESULTS.exists() else []
    done = [result for result in known if (result["protocol"], result["kind"]) == (protocol, kind)][:trials]
    while len(done) < trials:
        with serve(make_bench(protocol, rate=1e6)) as served:
            for _ in range(min(20, trials - len(done))):
                done.append(trial(served, protocol, kind, len(done)))
                with RESULTS.open("a", encoding="utf-8") as file:
                    file.write(jsonlib.dumps(done[-1]) + "\n")
    return done


def trial(served: Served, protocol: str, kind: str, number: int) -> dict[str, Any]:
    """One burst with one fault; what became of it."""
    radio, expected = FAULTS[protocol][kind]
    rng = np.random.default_rng(number)
    wave = (0.15 * (rng.normal(size=(1, 3000)) + 1j * rng.normal(size=(1, 3000)))).astype(np.complex64)
    started = time.monotonic()
    kinds: list[str] = []
    error = ""
    matched = None
    try:
        if kind == "unlock":
            served.fault(radio, kind, duration_s=3.0)
        with Bench(served.bench) as bench:
            bench.burst(wave, lead=400, tail=64)
            if kind != "unlock":
                served.fault(radio, kind, samples=4000, duration_s=0.6)
            for _ in range(3):
                got = bench.burst(wave, lead=400, tail=64)
                kinds += [event.kind for event in got.events]
                matched = _starts_at(got.samples, wave[0])
    except DriverMissingError:
        raise
    except HilError as err:
        error = f"{type(err).__name__}: {err}"
    seconds = time.monotonic() - started
    time.sleep(0.2)
    left_on = [name for name, state in served.ask("status")["radios"].items() if state["transmitting"]]
    acted = served.ask("status")["radios"][radio]["counters"].get(f"fault_{kind}", 0) > 0
    shown = bool(error) or bool(expected & set(kinds)) or (not expected and matched is not None)
    right = matched is None or 150 <= matched <= 450  # the last burst is where it is said to be
    return {
        "protocol": protocol,
        "kind": kind,
        "number": number,
        "ok": acted and shown and right and seconds < DEADLINE_S and not left_on,
        "end": "error" if error else "result",
        "error": error,
        "events": dict(Counter(kinds)),
        "acted": acted,
        "burst_at": matched,
        "seconds": round(seconds, 2),
        "left_on": left_on,
    }


def _starts_at(samples: np.ndarray[Any, Any], wave: np.ndarray[Any, Any]) -> int | None:
    heard = samples[:, 0] + 1j * samples[:, 1]
    if len(heard) < len(wave):
        return None
    match = np.abs(np.correlate(heard, wave, "valid"))
    return int(match.argmax()) if match.max() > 10 * np.median(match) else None
