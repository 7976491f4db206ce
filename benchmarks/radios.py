"""Real-time rates through the vendors' own libraries, on virtual radios: ramps that must arrive whole.

Per protocol: receive 5 MS/s and duplex 2 MS/s, three runs each of which two must lose nothing, and once two links through the
full air at 1 MS/s. A run with more than 5 % of foreign load is void and repeated, six tries at most. HIL_BENCH_SECONDS (60) is
a run's length, HIL_BENCH_PROTOCOLS (pluto,uhd,soapy) what is measured. A whole measurement (60 s, all protocols) as JSON is
kept in benchmarks/results/radios-DATE.json.
"""

from __future__ import annotations

import contextlib
import math
import os
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.benches import PROTOCOLS, make_bench
from benchmarks.load import ForeignLoad
from benchmarks.machine import describe
from benchmarks.record import keep
from benchmarks.rows import quiet_stdout, row, show
from hil.errors import DriverMissingError, HilError
from hil.radios.contract import Radio, Reception
from hil.radios.session import Bench
from hil.radios.virtual.process import Served, serve
from hil.radios.virtual.ramp import ramp_positions

__all__ = ["main"]

_CASES = (("receive", 5e6, 3, 2), ("duplex", 2e6, 3, 2), ("air, two links", 1e6, 1, 1))
"""Name, rate (samples/s), runs, and how many of them must lose nothing."""
_TRIES, _FOREIGN = 6, 0.05
_PIECE_S, _WHOLE_S = 0.05, 60.0
_WARM_S = 1.0  # until the transmitters are heard, at most
_SENT = 0.98  # of the time that a transmitter must fill
_HEARD = 10.0  # rms, in codes, of a tone that is heard


def main(json: bool) -> None:
    """Measure and print."""
    seconds = float(os.environ.get("HIL_BENCH_SECONDS", "60"))
    wanted = os.environ.get("HIL_BENCH_PROTOCOLS", ",".join(PROTOCOLS)).split(",")
    rows: list[dict[str, Any]] = []
    machine, begin = describe(), time.monotonic()
    with quiet_stdout() if json else contextlib.nullcontext():
        for protocol in wanted:
            for name, rate, runs, good in _CASES:
                rows.append(_measure(protocol, name, rate, runs, good, seconds))
                if not json:
                    show(rows[-1:], as_json=False)
                else:
                    print(f"{rows[-1]['name']}: {rows[-1]['value']} {rows[-1]['note']}", file=sys.stderr, flush=True)
    if json:
        show(rows, as_json=True)
        if seconds >= _WHOLE_S and set(wanted) == set(PROTOCOLS):
            keep("radios", rows, machine=machine, seconds=time.monotonic() - begin)


def _measure(protocol: str, name: str, rate: float, wanted: int, good: int, seconds: float) -> dict[str, Any]:
    label = f"{protocol}: {name} at {rate / 1e6:g} MS/s, clean runs of {wanted}"
    runs: list[dict[str, Any]] = []
    void: list[dict[str, Any]] = []
    while len(runs) < wanted and len(runs) + len(void) < _TRIES:
        try:
            run = _run(protocol, name, rate, seconds)
        except DriverMissingError as err:
            return row(label, None, "runs", note=str(err))
        except HilError as err:
            run = {"lost": None, "foreign_load": 0.0, "error": str(err)}
        (void if run["foreign_load"] > _FOREIGN else runs).append(run)
    clean = sum(run["lost"] == 0 for run in runs)
    loads = ", ".join(f"{run['foreign_load']:.1%}" for run in runs + void)
    valid = len(runs) == wanted
    note = f"foreign load {loads}" + ("" if valid else f": only {len(runs)} of {_TRIES} runs were under {_FOREIGN:.0%}")
    return row(label, clean, "runs", target=good, runs=runs, void=void, note=note) | ({} if valid else {"met": None})


def _run(protocol: str, name: str, rate: float, seconds: float) -> dict[str, Any]:
    source, links = ("air", 2) if name.startswith("air") else ("ramp", 1)
    bench = make_bench(protocol, rate=rate, source=source, transmitters=links)
    with serve(bench) as served, Bench(served.bench) as session:
        receiver = session.radios["rx"]
        senders = [] if name == "receive" else [session.radios[f"tx{k}"] for k in range(links)]
        stop, errors = threading.Event(), list[str]()
        threads = [threading.Thread(target=_send, args=(radio, rate, stop, errors), daemon=True) for radio in senders]
        for thread in threads:
            thread.start()
        time.sleep(0.5 if threads else 0.0)
        load = ForeignLoad(served.pid)
        check: Callable[[Reception], None] = _Ramp(receiver) if source == "ramp" else _Contiguous()
        got = _receive(receiver, rate, seconds, check)
        foreign = load.share()
        if not all(thread.is_alive() for thread in threads):
            errors.append("a transmitter gave up")
        stop.set()
        for thread in threads:
            thread.join(10)
        counters = _counters(served)
    sent = sum(counter.get("tx_samples", 0) for key, counter in counters.items() if key != "rx")
    if sent < _SENT * rate * (seconds - _WARM_S) * len(threads):
        errors.append(f"only {sent} samples were sent")
    if isinstance(check, _Contiguous) and check.rms < _HEARD:
        errors.append(f"only noise was received: {check.rms:.1f} rms")
    underflow = sum(counter.get("underflow", 0) for key, counter in counters.items() if key != "rx") if threads else 0
    lost = check.lost + underflow + sum(1 for error in errors)  # type: ignore[attr-defined]
    return {
        "samples": got,
        "lost": lost,
        "underflow": underflow,
        "foreign_load": round(foreign, 4),
        "errors": errors[:3],
        "sent": sent,
    }


def _counters(served: Served) -> dict[str, dict[str, int]]:
    return {name: radio["counters"] for name, radio in served.ask("status")["radios"].items()}


def _receive(radio: Radio, rate: float, seconds: float, check: Callable[[Reception], None]) -> int:
    piece, total = int(_PIECE_S * rate), 0
    while total < seconds * rate:
        got = radio.receive(piece, timeout_s=_PIECE_S + 2.0)
        check(got)
        total += max(got.samples.shape[1], 1)
    return total


class _Ramp:
    """Counts what is missing from a ramp, and where a hole was not reported."""

    def __init__(self, radio: Radio) -> None:
        self._bits = int(radio.info.rx_full_scale).bit_length()
        self._next: int | None = None
        self.lost = 0

    def __call__(self, got: Reception) -> None:
        positions = ramp_positions(got.samples[0], self._bits)
        if not len(positions):
            return
        modulus = 1 << (2 * self._bits)
        self.lost += int(((np.diff(positions) - 1) % modulus).sum())
        if self._next is not None:
            self.lost += (int(positions[0]) - self._next) % modulus
        self._next = (int(positions[-1]) + 1) % modulus


class _Contiguous:
    """Counts what the driver reports as lost, and keeps the quietest piece's rms."""

    def __init__(self) -> None:
        self.lost, self.rms, self._pieces = 0, math.inf, 0

    def __call__(self, got: Reception) -> None:
        self._pieces += 1
        if got.samples.size and self._pieces * _PIECE_S > _WARM_S:
            self.rms = min(self.rms, float(np.sqrt(np.mean(got.samples[0].astype(np.float32) ** 2))))
        self.lost += sum(event.count for event in got.events if event.kind in ("overflow", "gap"))


def _send(radio: Radio, rate: float, stop: threading.Event, errors: list[str]) -> None:
    """Transmit without a pause: a host-fed stream, or timed bursts that join."""
    n = int(0.1 * rate)
    tone = (0.3 * np.exp(2j * np.pi * 0.05 * np.arange(n))).astype(np.complex64)[np.newaxis]
    try:
        if radio.info.stream_transmit:
            stream = radio.open_stream()
            at = stream.position + int(0.4 * rate)
            while not stop.is_set():
                while at < stream.position + int(0.6 * rate):
                    errors += [event.kind for event in stream.write(tone, at) if event.kind == "late"]
                    at += n
                errors += [event.kind for event in stream.events()]
                time.sleep(0.02)
            return
        at = radio.now() + int(0.3 * rate)
        while not stop.is_set():
            errors += [event.kind for event in radio.transmit(tone, at=at) if event.kind != "clip"]
            at += n
            while at > radio.now() + int(0.5 * rate) and not stop.is_set():
                time.sleep(0.01)
    except Exception as err:  # whatever it is, the run is not a clean one
        errors.append(repr(err))
