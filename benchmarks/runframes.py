"""The frames that runs really send: how fast they are made, and received from int16 windows to symbols in their place.

A run of the demo plans for −6 dB; plans for 9 dB alone have shorter preambles and soundings. So many tasks of 64 uses ride in a
frame as 2,016 of them at one SNR need for little overhead (84 to 252; a point's first frame, which sounds longer, is left out),
and a burst's window is up to 400 samples longer ahead of the frame and 64 behind it. A run, and its replay, receive window by
window, since each frame is told the shape of G by the one before; windows together are for captures without that. Timed are the
modem alone (`Receiver`, with symbols, channel and noise put in place), and all that a run does with a burst (`Collector`: EVM,
clips and ledger row too).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.rows import Row, row
from benchmarks.streams import cpu_time
from hil.channel.gaussian import complex_gaussian
from hil.phy.frame import FrameFormat
from hil.phy.receive import FrameReception, Receiver, ReceiverConfig
from hil.phy.transmit import FrameBuilder
from hil.points.receive import Burst, Collector
from hil.points.sizing import economical
from hil.points.spec import PointSpec, Reception, frame_for, receiver_for
from hil.radios.bench import find_bench
from hil.runs.config import RunConfig

__all__ = ["ACCESS", "Access", "plan_format", "rows", "windows"]

Access = Literal["single", "oma", "noma"]
ACCESS: tuple[Access, ...] = ("single", "oma", "noma")
LEAD, TAIL = 400, 64
FULL_SCALE = 2048
TOGETHER = 16
"""Windows handed over together."""
TASKS = 2016
"""Of a point, by default."""
SHARED = receiver_for(find_bench("builtin"))
"""Radios on a shared reference."""
FREE = receiver_for(find_bench("independent"))
"""Oscillators of 20 ppm each at 2.45 GHz that nothing ties together."""
Samples = NDArray[np.int16]


def occupied(access: Access, uses: int = 64) -> torch.Tensor:
    """Which transmitter sends in which use, bool [tx, use]."""
    if access == "single":
        return torch.ones(1, uses, dtype=torch.bool)
    both = torch.ones(2, uses, dtype=torch.bool)
    if access == "oma":
        both[0, uses // 2 :] = both[1, : uses // 2] = False
    return both


def plan_format(access: Access, lowest_snr_db: float, config: ReceiverConfig = SHARED) -> FrameFormat:
    """The frames of a plan, sized as runs do it."""
    return plan_spec(access, lowest_snr_db, 1, config).format()


def plan_spec(access: Access, lowest_snr_db: float, frames: int, config: ReceiverConfig = SHARED) -> PointSpec:
    """A point of so many of these frames, as its receiver knows it."""
    senders = occupied(access)
    spec = PointSpec(
        scheme=access, power=(1.0,) * len(senders), snr_db_target=lowest_snr_db, tasks=TASKS, distinct_tasks=TASKS,
        occupied=tuple(map(tuple, senders.tolist())), first_frame=0, frame=frame_for(config, lowest_snr_db),
        receptions=(Reception(full_scale=FULL_SCALE, receiver=config),),
    )  # fmt: skip
    spec = economical(spec, lowest_snr_db, longest=RunConfig().max_frame_uses // senders.shape[1])
    tasks = frames * spec.frame.tasks_per_frame
    return spec.model_copy(update={"tasks": tasks, "distinct_tasks": tasks, "opening_symbols": None})


def payload(form: FrameFormat, frames: int, seed: int = 1) -> torch.Tensor:
    """Gaussian symbols of unit power in occupied uses, complex64 [frame, tx, task, use]."""
    shape = (frames, form.transmitters, form.tasks, form.occupied.shape[1])
    flat = complex_gaussian(seed, "payload", 0, math.prod(shape))
    return torch.from_numpy(flat).view(shape) * form.occupied[:, None]


def windows(
    form: FrameFormat, frames: int, snr_db: float, *, cfo: tuple[float, ...] = (0.0, 0.0), seed: int = 1
) -> list[Samples]:
    """A window for each frame, int16 [n, 2], as a radio of 12 bits gives it.

    Args:
        form: the frames; frames: how many.
        snr_db: of each transmitter.
        cfo: carrier offset of each transmitter, cycles a sample.
        seed: of payload, leads and noise.
    """
    waves = FrameBuilder(form).build(payload(form, frames, seed), range(frames))
    time = torch.arange(form.samples, dtype=torch.float64)
    turns = torch.exp(2j * math.pi * torch.tensor(cfo[: form.transmitters], dtype=torch.float64)[:, None] * time)
    heard = (waves * turns.to(torch.complex64)).sum(1)
    leads = np.random.default_rng(seed).integers(0, LEAD + 1, frames)
    out = []
    for index, lead in enumerate(leads):
        samples = np.zeros(LEAD + TAIL + form.samples, np.complex64)
        samples[lead : lead + form.samples] = heard[index]
        power = form.sample_amplitude**2 * 10 ** (-snr_db / 10)
        samples += complex_gaussian(seed, "noise", index * samples.size, samples.size, power)
        out.append((samples.view(np.float32).reshape(-1, 2) * (FULL_SCALE / 2)).round().astype(np.int16))
    return out


class _Place:
    """Where a point's frames are put, as a collector does it."""

    def __init__(self, form: FrameFormat, frames: int) -> None:
        tasks, uses = frames * form.tasks, form.occupied.shape[1]
        self._tasks = form.tasks
        self.symbols = torch.zeros((tasks, uses), dtype=torch.complex64)
        self.channel = torch.zeros((form.transmitters, tasks, uses), dtype=torch.complex64)
        self.noise_var = torch.zeros((tasks, uses))

    def place(self, frame: FrameReception, index: int) -> None:
        """Put one frame's tasks in their place."""
        if frame.number != index:
            raise RuntimeError(f"frame {index} was received as {frame.number}")
        part = slice(index * self._tasks, (index + 1) * self._tasks)
        self.symbols[part] = frame.symbols
        self.channel[:, part] = frame.channel
        self.noise_var[part] = frame.noise_var


def _speeds(
    form: FrameFormat, config: ReceiverConfig, heard: list[Samples], rounds: int, *, fast: bool | None = None
) -> list[float]:
    """MS/s of process CPU time from int16 windows to symbols in place: window by window, and some together."""
    receiver, point = Receiver(form, config, fast=fast), _Place(form, len(heard))

    def one_by_one() -> None:
        for index, window in enumerate(heard):
            (frame,) = receiver.receive(window, full_scale=FULL_SCALE)
            point.place(frame, index)

    def together() -> None:
        for first in range(0, len(heard), TOGETHER):
            part = heard[first : first + TOGETHER]
            for index, (frame,) in enumerate(receiver.receive_windows(part, full_scale=FULL_SCALE), first):
                point.place(frame, index)

    samples = sum(len(window) for window in heard)
    return [samples / cpu_time(run, rounds) / 1e6 for run in (one_by_one, together)]


def _collected(spec: PointSpec, heard: list[Samples], rounds: int) -> list[float]:
    """MS/s of process CPU time of all that a run does with bursts once they are heard: live, and in a replay."""
    sent = payload(spec.format(), len(heard)).transpose(0, 1).flatten(1, 2)
    samples = sum(len(window) for window in heard)

    def live() -> None:
        collector = Collector(spec, sent)
        for number, window in enumerate(heard):
            collector.add(window, number)

    def again() -> None:
        Collector(spec, sent).add_all(Burst(window, number) for number, window in enumerate(heard))

    return [samples / cpu_time(run, rounds) / 1e6 for run in (live, again)]


def _transmit(form: FrameFormat, rounds: int, *, together: bool) -> float:
    """MS/s of process CPU time, symbols to samples of all transmitters: into a buffer that is used again, or frame by frame."""
    builder, frames = FrameBuilder(form), 24
    symbols, numbers = payload(form, frames), list(range(frames))
    out = torch.empty((frames, form.transmitters, form.samples), dtype=torch.complex64)

    def all_at_once() -> None:
        builder.build(symbols, numbers, out=out)

    def one_by_one() -> None:
        for index in numbers:
            builder.build(symbols[index : index + 1], [index])

    run: Callable[[], None] = all_at_once if together else one_by_one

    def several() -> None:
        for _ in range(4):
            run()

    return 4 * out.numel() / cpu_time(several, rounds) / 1e6


def rows(quick: bool, peers: dict[str, Any]) -> list[Row]:
    """Speed on the frames of the demo's plan (−6 dB), of a plan for 9 dB, and on free-running oscillators."""
    liquid = peers.get("liquid", {})
    peer, sent = liquid.get("receive_msps"), liquid.get("transmit_msps")
    label = "liquid-dsp" if peer else None
    rounds, count, out = (3, 16, []) if quick else (9, 48, [])
    for lowest in (-6.0, 9.0):
        for access in ACCESS:
            form = plan_format(access, lowest)
            heard = windows(form, count, lowest + 6)
            name = f"{access} frames of a plan from {lowest:g} dB"
            target = max(60.0 if access == "single" else 45.0, 1.5 * (peer or 0.0))
            values = _speeds(form, SHARED, heard, rounds)
            for how, value in zip(("window by window", f"{TOGETHER} windows together"), values, strict=True):
                out.append(row(f"receive, {name}, {how}", value, "MS/s", target=target, peer=label, peer_value=peer))
            values = _collected(plan_spec(access, lowest, count), heard, rounds)
            for how, value in zip(("in a run", "in a replay"), values, strict=True):
                out.append(row(f"collect, {name}, {how}", value, "MS/s", peer=label, peer_value=peer))
            plain = _speeds(form, SHARED, heard[:16], 3, fast=False)[1]
            out.append(row(f"receive, {name}, {TOGETHER} windows together, without numba", plain, "MS/s", target=12.0))
            made = _transmit(form, rounds, together=True)
            out.append(row(f"transmit, {name}", made, "MS/s", target=sent, peer=label, peer_value=sent))
            made = _transmit(form, rounds, together=False)
            out.append(row(f"transmit, {name}, frame by frame", made, "MS/s", peer=label, peer_value=sent))
    for access in ACCESS:
        form = plan_format(access, -6.0, FREE)
        heard = windows(form, 16, 0.0, cfo=(0.03, -0.05))
        value = _speeds(form, FREE, heard, 3)[1]
        name = f"receive, {access} frames of a plan from -6 dB, oscillators free within ±98 kHz, {TOGETHER} windows together"
        out.append(row(name, value, "MS/s", peer=label, peer_value=peer))
    return out
