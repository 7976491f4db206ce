"""A campaign of injected faults, resumable: each kind many times a protocol, and what a run made of it.

Every trial is a short run (one point, five frames, one capture) through the vendor's library, with one fault armed after the
first frame. It must end as `FAULTS` says, with a result in which most frames are received, or with that error; every receive
must keep its deadline; the capture must verify, say in its events what happened, and give the same bits in replay; every frame
it calls received must hold what was sent and lie where the air says it was; and no transmitter may be left on. Rows are
appended to benchmarks/results/faults.jsonl, so that a broken campaign goes on where it was. HIL_FAULT_TRIALS (100) is how many
of each, HIL_BENCH_PROTOCOLS (pluto,uhd,soapy) and HIL_FAULT_KINDS (all) what is tried.
"""

from __future__ import annotations

import contextlib
import json as jsonlib
import os
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.benches import PROTOCOLS, make_bench
from benchmarks.record import RESULTS
from benchmarks.rows import quiet_stdout, row, show
from hil.calibration.levels import Level
from hil.captures import Capture, CaptureWriter
from hil.captures.verify import verify
from hil.errors import DriverMissingError, HilError
from hil.models.contract import Sent
from hil.points.on_air import LEAD_SAMPLES, AirRun
from hil.points.spec import PointSpec, Reception, frame_for, receiver_for
from hil.provenance import provenance
from hil.radios.bench import BenchConfig, LinkConfig
from hil.radios.contract import Radio
from hil.radios.session import Bench
from hil.radios.virtual.process import Served, serve
from hil.runs.replay import collect_point

__all__ = ["FAULTS", "fault_bench", "main", "trial"]

KEPT = RESULTS / "faults.jsonl"
FRAMES, TASKS, USES = 5, 12, 96
SNR_DB = 25.0  # about: what the links of `fault_bench` have at the gains they start with
HEARD_DB = 8.0  # effective SNR above which a frame holds what was sent
OVERRUN_S = 1.0  # of a receive beyond its deadline: threads wake late on a busy machine
TRIAL_S = 30.0
_AN_AIR = 20  # trials on one air
LEAST = 3  # frames of a run with a result that must be received: a fault spoils one, or two that are close


@dataclass(frozen=True, kw_only=True)
class Expected:
    """What a fault should come to.

    Attributes:
        radio: that has it.
        events: one of them must be in the capture; none: what the device buffers is not lost.
        ends: "result", or the class of the error.
    """

    radio: str
    events: frozenset[str]
    ends: frozenset[str]


def _expect(radio: str, events: Iterable[str], *ends: str) -> Expected:
    return Expected(radio=radio, events=frozenset(events), ends=frozenset(ends or {"result"}))


_LOSS, _LOST = ("overflow", "gap"), "ConnectionLostError"
FAULTS: dict[str, dict[str, Expected]] = {
    "pluto": {
        "drop": _expect("rx", _LOSS),
        "overflow": _expect("rx", _LOSS),
        "underflow": _expect("tx0", ["underflow"]),
        "disconnect": _expect("rx", ["disconnect"], _LOST),
        "slow": _expect("rx", []),
    },  # a Pluto has no timed commands and no reference input: nothing to be late for, nothing to unlock
}
FAULTS["soapy"] = FAULTS["pluto"] | {
    "late": _expect("tx0", ["late"]),
    "unlock": _expect("rx", ["unlock"], "ReferenceLostError"),
}
# UHD gives a device up that does not answer for long; 0.6 s can be long enough on a busy machine
FAULTS["uhd"] = FAULTS["soapy"] | {"slow": _expect("rx", [*_LOSS, "timeout", "disconnect"], "result", _LOST)}


def fault_bench(protocol: str) -> BenchConfig:
    """One link at about `SNR_DB`; radios with hardware time share the air's: no wait for pulses at every opening."""
    bench = make_bench(protocol, rate=1e6)
    loss_db = 80.0 if protocol == "uhd" else 60.0
    return bench.model_copy(update={"time_source": None, "links": (LinkConfig(transmitter=0, path_loss_db=loss_db),)})


def main(json: bool) -> None:
    """Do what is missing of the campaign, and print it all."""
    trials = int(os.environ.get("HIL_FAULT_TRIALS", "100"))
    wanted = os.environ.get("HIL_BENCH_PROTOCOLS", ",".join(PROTOCOLS)).split(",")
    kinds = os.environ.get("HIL_FAULT_KINDS", ",".join(FAULTS["soapy"])).split(",")
    KEPT.parent.mkdir(exist_ok=True)
    rows: list[dict[str, Any]] = []
    with quiet_stdout() if json else contextlib.nullcontext():
        for protocol in wanted:
            for kind in filter(kinds.__contains__, FAULTS[protocol]):
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
    known = [jsonlib.loads(line) for line in KEPT.read_text().splitlines()] if KEPT.exists() else []
    done = {result["number"]: result for result in known if (result["protocol"], result["kind"]) == (protocol, kind)}
    missing = [number for number in range(trials) if number not in done]
    for first in range(0, len(missing), _AN_AIR):
        with serve(fault_bench(protocol)) as served, tempfile.TemporaryDirectory() as folder:
            for number in missing[first : first + _AN_AIR]:
                done[number] = trial(served, protocol, kind, number, Path(folder))
                with KEPT.open("a", encoding="utf-8") as file:
                    file.write(jsonlib.dumps(done[number]) + "\n")
    return [done[number] for number in range(trials)]


def trial(
    served: Served, protocol: str, kind: str, number: int, folder: Path, spoil: Callable[[Bench], None] | None = None
) -> dict[str, Any]:
    """One short run with one fault; what became of it, and in `wrong` what should not have.

    Args:
        served: an air of `fault_bench`.
        protocol, kind: what is tried.
        number: of the trial, a seed.
        folder: for the capture.
        spoil: makes a session worse, to see whether it is noticed.
    """
    expected = FAULTS[protocol][kind]
    radio = expected.radio
    path = folder / "capture.h5"
    path.unlink(missing_ok=True)
    before = _counters(served, radio)
    began, error, end, overruns = time.monotonic(), "", "result", [0.0]

    def arm(frame: int) -> None:
        if frame == 1:
            served.fault(radio, kind, samples=4000, duration_s=0.6)

    try:
        with Bench(served.bench) as bench, _timed_receives(bench.radios["rx"], overruns):
            if spoil is not None:
                spoil(bench)
            _run(bench, path, number, arm)
    except DriverMissingError:
        raise
    except HilError as err:
        error, end = str(err), type(err).__name__
    seconds = time.monotonic() - began
    wrong = []
    if _counters(served, radio)[f"fault_{kind}"] == before[f"fault_{kind}"]:
        wrong.append("the fault did not act")
    if left_on := _left_on(served):
        wrong.append(f"left on: {left_on}")
    if max(overruns) > OVERRUN_S or seconds > TRIAL_S:
        wrong.append(f"a receive ended {max(overruns):.1f} s after its deadline; the run took {seconds:.1f} s")
    seen = _look(path, protocol, served)
    wrong += seen.pop("wrong")
    if expected.events and not expected.events & set(seen["events"]):
        wrong.append(f"the capture does not show it: {seen['events']}")
    if end not in expected.ends:
        wrong.append(f"ended with {end}, not {' or '.join(sorted(expected.ends))}")
    if end == "result" and (seen["frames"] != FRAMES or seen["scored"] < LEAST):
        wrong.append(f"of {FRAMES} frames {seen['frames']} are in the ledger and {seen['scored']} received")
    return {
        "protocol": protocol,
        "kind": kind,
        "number": number,
        "ok": not wrong,
        "wrong": wrong,
        "end": end,
        "error": error,
        **seen,
        "seconds": round(seconds, 2),
        "overrun_s": round(max(overruns), 3),
    }


def _run(bench: Bench, path: Path, number: int, arm: Any) -> None:
    """A run of one point; `arm` is called with the number of frames done."""
    receiver = receiver_for(bench.config)
    spec = PointSpec(
        scheme="symbols",
        power=(1.0,),
        snr_db_target=SNR_DB,
        occupied=((True,) * USES,),
        tasks=FRAMES * TASKS,
        distinct_tasks=FRAMES * TASKS,
        first_frame=100 * number,
        frame=frame_for(receiver, SNR_DB, given={"tasks_per_frame": TASKS}),
        receptions=(Reception(name=bench.receivers[0], receiver=receiver, full_scale=bench.full_scale),),
    )
    symbols = torch.randn(1, spec.tasks, USES, dtype=torch.complex64, generator=torch.Generator().manual_seed(number))
    done = 0

    def progress(steps: int) -> None:
        nonlocal done
        done += steps
        arm(done)

    with CaptureWriter.create(
        path, config={"trial": number}, provenance=provenance(), models={}, receivers=bench.receivers, transmitters=1
    ) as writer:
        run = AirRun(bench, writer, {bench.receivers[0]: receiver})
        made = run.measure(spec, Sent(symbols=symbols), {}, [Level(gain_db=bench.tx_gain(0))], progress)
        collection = made.collections[bench.receivers[0]]
        writer.finish_point(
            made.index,
            results={"ended": made.ended},
            received_sha256=collection.sha256,
            received=collection.symbols[None].contiguous().numpy(),
            valid=made.ended is None,
        )
        writer.finish({})


def _look(path: Path, protocol: str, served: Served) -> dict[str, Any]:
    """What the capture says, and what of it is wrong."""
    wrong = list(verify(path).problems)
    with Capture.open(path) as capture:
        if not capture.points:
            return {"wrong": ["no point was begun"], "events": {}, "frames": 0, "scored": 0}
        point = capture.points[0]
        spec = PointSpec.model_validate(point.attrs["spec"])
        collection = next(iter(collect_point(capture, point, spec)[0].values()))
        if point.received_sha256 not in (None, collection.sha256):
            wrong.append("a replay gives other bits")
        ledger, bursts = capture.ledger(), capture.burst_table()
        events = Counter(bytes(kind).decode() for kind in capture.events()["kind"])
    scored = ledger[ledger["snr_eff_db"] == ledger["snr_eff_db"]]
    if (scored["snr_eff_db"] < HEARD_DB).any():
        wrong.append(f"scored, but not what was sent: effective SNR {scored['snr_eff_db'].round(1).tolist()} dB")
    into = scored["start"] - bursts["start"][scored["burst"]]
    shortest = np.where((scored["overflow"] > 0) & (protocol != "pluto"), 0, LEAD_SAMPLES // 2 - 3)  # a hole may cut the lead
    if ((into < shortest) | (into > LEAD_SAMPLES + 3)).any():
        wrong.append(f"scored frames lie {into.tolist()} samples into their bursts")
    if protocol != "pluto":  # a Pluto's transmitter is one endless stream, and its samples have no time
        sent = {entry["tick"] for entry in served.ask("truth", last=200)["rows"] if entry["event"] == "transmit"}
        if len(scored) > 1 and not _shifted(scored["start"], np.array(sorted(sent))):
            wrong.append(f"frames at {scored['start'].tolist()}, sent at {sorted(sent)[-FRAMES:]}")
    return {"wrong": wrong, "events": dict(events), "frames": len(ledger), "scored": len(scored)}


def _shifted(heard: Any, sent: Any) -> bool:
    """Whether one shift (of the clocks, and the link's delay) puts every frame heard on a sample at which one was sent."""
    shifts = heard[0] - sent
    apart = np.abs(heard[:, None, None] - shifts[None, None, :] - sent[None, :, None]).min(axis=1)
    return bool((apart.max(axis=0) <= 1).any())


@contextlib.contextmanager
def _timed_receives(radio: Radio, overruns: list[float]) -> Iterator[None]:
    """Measure by how much each receive outlasts the deadline that it was given."""
    receive = radio.receive

    def timed(n: int, *, at: int | None = None, timeout_s: float | None = None) -> Any:
        began = time.monotonic()
        try:
            return receive(n, at=at, timeout_s=timeout_s)
        finally:
            if timeout_s is not None:
                overruns.append(time.monotonic() - began - timeout_s)

    radio.receive = timed  # type: ignore[method-assign]
    try:
        yield
    finally:
        del radio.receive


def _counters(served: Served, radio: str) -> Counter[str]:
    return Counter(served.ask("status")["radios"][radio]["counters"])


def _left_on(served: Served) -> list[str]:
    """Transmitters that are still on a second after the run."""
    deadline = time.monotonic() + 1.0
    while True:
        on = [name for name, state in served.ask("status")["radios"].items() if state["transmitting"]]
        if not on or time.monotonic() > deadline:
            return on
        time.sleep(0.02)
