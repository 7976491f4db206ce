"""The points of a run: what is sent, in which frames, in which order."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from hil.captures import check_disk
from hil.config import validate
from hil.errors import ConfigError
from hil.models.contract import Plan, Sent
from hil.phy.frame import FrameConfig
from hil.phy.receive import ReceiverConfig
from hil.points.aligning import ALIGNMENT_TRIES
from hil.points.contender import Contender
from hil.points.fragments import fragments_needed
from hil.points.kinds import UNALIGNED_NAME, Fading
from hil.points.needs import capture_needs, longest_burst, sounding_frames
from hil.points.simulate import seed_of
from hil.points.sizing import economical, estimate_costs_db
from hil.points.spec import EMULATED_BACK_OFF_DB, PointSpec, Reception, frame_for, receiver_for, transmit_power
from hil.points.spread import check_spreading
from hil.radios.bench import BenchConfig
from hil.radios.check import Check
from hil.radios.limits import check_burst
from hil.radios.preflight import inspect, preflight
from hil.runs.config import RunConfig, SendConfig, alignment_settings
from hil.units import power_to_db

__all__ = [
    "check_bench",
    "check_plan",
    "check_scorable",
    "drawn_fade",
    "fading_of",
    "look_at",
    "plan_points",
    "receivers_of",
    "repeated",
    "sounding_cost",
]

FADES_AT_ONCE = 1024


def fading_of(config: RunConfig, bench: BenchConfig) -> Fading:
    """Where links fade: in the air of the bench, at the transmitter where that is asked for, or nowhere.

    Raises:
        ConfigError: both.
    """
    in_air = any(link.fading != "none" for link in bench.links)
    if in_air and config.fading != "none":
        raise ConfigError(f"bench '{bench.name}' has fading links already; leave fading = \"{config.fading}\" out")
    return "air" if in_air else config.fading


def receivers_of(bench: BenchConfig, config: RunConfig) -> dict[str, ReceiverConfig]:
    """How each receiver of the bench receives."""
    return {one.name: receiver_for(bench, config.receiver) for one in bench.receivers}


def check_scorable(bench: BenchConfig, contenders: Mapping[str, Contender], fading: Fading) -> None:
    """Refuse what cannot be sent, or would print numbers that mean nothing (SIGNALS.md, "Received").

    Raises:
        ConfigError: a scheme that sends nothing; too few transmitters or receivers; fading links without channel knowledge at
            the receiver; or superposed without alignment.
    """
    for name, contender in contenders.items():
        plan = contender.plan
        if not plan.occupied.any():
            raise ConfigError(
                f"scheme '{name}' sends nothing: it is a reference without a channel, told beside schemes that send; "
                "leave it out, or give --simulate awgn"
            )
        if plan.transmitters > len(bench.transmitters):
            raise ConfigError(
                f"scheme '{name}' needs {plan.transmitters} transmitters, bench '{bench.name}' has {len(bench.transmitters)}; "
                "choose other --schemes, or another bench"
            )
        if len(plan.receivers) > len(bench.receivers):
            raise ConfigError(
                f"scheme '{name}' needs {len(plan.receivers)} receivers, bench '{bench.name}' has {len(bench.receivers)}"
            )
        unaligned = name.endswith(UNALIGNED_NAME)
        if unaligned and not plan.superposed:
            raise ConfigError(f"scheme '{name}' superposes nothing ({plan.access}): leave '{UNALIGNED_NAME}' out")
        if plan.rx_csi == "channel":
            continue
        if fading == "air":
            raise ConfigError(
                f"bench '{bench.name}' has fading links, and scheme '{name}' knows no channel (rx_csi = \"{plan.rx_csi}\"): "
                "its accuracy there would mean nothing; use a bench without fading and --fading emulated, or hil send"
            )
        if plan.superposed and bench.clock != "shared" and not unaligned:
            raise ConfigError(
                f"scheme '{name}' superposes transmitters and needs them aligned (h = 1), which the independent oscillators of "
                f"bench '{bench.name}' do not allow; choose schemes that do not, or a bench on a shared reference; or see "
                f"how it fares there, as '{name}{UNALIGNED_NAME}'"
            )
        if plan.superposed and len(plan.receivers) > 1 and not unaligned:
            raise ConfigError(
                f"scheme '{name}' superposes transmitters for several receivers without channel knowledge; transmitters can be "
                'aligned at one receiver only (give its plan rx_csi = "channel")'
            )


def check_bench(config: RunConfig | SendConfig, bench: BenchConfig, *, transmit: bool) -> None:
    """Refuse, before anything is loaded, what the bench file alone forbids or cannot give (`hil.radios.preflight`)."""
    frame = validate(FrameConfig, config.frame, "frame")
    back_off = EMULATED_BACK_OFF_DB if getattr(config, "fading", "none") == "emulated" else 0.0
    targets = config.snr_db
    preflight(bench, consent=transmit, snr_db=targets, carrier_dbfs=_carrier_dbfs(frame) - back_off)


def look_at(bench: BenchConfig, *, snr_db: Sequence[float], transmit: bool) -> list[Check]:
    """What a run with frames as they are by default would find, one entry for everything that was looked at."""
    return inspect(bench, consent=transmit, snr_db=snr_db, carrier_dbfs=_carrier_dbfs(FrameConfig()))


def _carrier_dbfs(frame: FrameConfig) -> float:
    """Mean power of a payload symbol on an active carrier, relative to full scale."""
    return frame.digital_rms_dbfs + power_to_db(frame.numerology.fft_size / frame.numerology.active)


def check_plan(config: RunConfig, contenders: Mapping[str, Contender], bench: BenchConfig, where: Path) -> None:
    """Refuse, before any radio is opened, what cannot be planned or scored, sent, or kept at `where`.

    Raises:
        ConfigError: see `check_scorable`; or frames that cannot be made.
        TransmitRefusedError: a frame is longer than the bench allows.
        DiskFullError: no room for the capture.
    """
    check_scorable(bench, contenders, fading_of(config, bench))
    points = plan_points(config, contenders, bench, {one.name: 1.0 for one in bench.receivers})
    rate_hz = bench.sample_rate_hz
    check_burst(bench, max(longest_burst(point) for point in points) / rate_hz)
    check_disk(capture_needs(points, rate_hz, transmitters=len(bench.transmitters), receivers=len(bench.receivers)), where)


def plan_points(
    config: RunConfig, contenders: Mapping[str, Contender], bench: BenchConfig, full_scales: Mapping[str, float]
) -> list[PointSpec]:
    """All points of a run, those at one SNR together (`hil.points.order` has the order in which these are sent)."""
    receivers = receivers_of(bench, config)
    fading = fading_of(config, bench)
    powers = {name: transmit_power(one.plan.occupied, config.energy) for name, one in contenders.items()}
    lowest = min(config.snr_db) + power_to_db(min(min(power) for power in powers.values()))
    frame = frame_for(next(iter(receivers.values())), lowest, given=config.frame, fading=fading)
    points = []
    number = sounding_frames(fading=fading == "air")
    for target in config.snr_db:
        for name, contender in contenders.items():
            plan = contender.plan
            fragments, per_frame = _shape(config, plan, fading, frame.tasks_per_frame)
            tasks = math.ceil(config.tasks / per_frame) * per_frame if fragments == 1 else config.tasks
            spec = PointSpec(
                scheme=name,
                energy=config.energy,
                power=powers[name],
                fading=fading,
                snr_db_target=target,
                occupied=tuple(tuple(bool(use) for use in row) for row in plan.occupied),
                tasks=tasks,
                distinct_tasks=len(contender.tasks),
                fragments=fragments,
                dealt="turns" if fragments > 1 else "blocks",
                first_frame=number + ALIGNMENT_TRIES,
                frame=frame.model_copy(update={"tasks_per_frame": per_frame}),
                receptions=_receptions(plan, receivers, full_scales, fading),
                rx_csi=plan.rx_csi,
                **alignment_settings(config, superposed=plan.superposed),
                fade_samples=_fade_samples(bench) if fading == "air" else None,
            )
            if spec.fragments == 1 and fading != "air" and "sounding_symbols" not in config.frame:
                most = config.max_frame_uses // max(1, int(plan.occupied.any(0).sum()))
                longest = per_frame if "tasks_per_frame" in config.frame else most
                spec = economical(spec, lowest, longest=longest)
            spec = spec.measured(config.repeat)
            check_spreading(spec)
            points.append(spec)
            number += spec.frames + ALIGNMENT_TRIES  # frames ahead of each point for sounding
    return points


def _fade_samples(bench: BenchConfig) -> int | None:
    """The longest fade of the bench's links, as far as it is known."""
    lengths = [round(link.fading_block_s * bench.sample_rate_hz) for link in bench.links if link.fading != "none"]
    return max(lengths, default=None)


def _shape(config: RunConfig, plan: Plan, fading: Fading, asked: int) -> tuple[int, int]:
    """Fragments of a task, and tasks (or fragments) in a frame."""
    cells = int(plan.occupied.any(0).sum())
    fragments = fragments_needed(plan.occupied, config.max_frame_uses)
    if fragments > 1:
        return fragments, 1
    if fading == "air":  # a fade per frame must be a fade per task
        if "tasks_per_frame" in config.frame and asked != 1:
            raise ConfigError(f"on fading links a frame carries one task; leave frame.tasks_per_frame = {asked} out")
        return 1, 1
    return 1, max(1, min(asked, config.max_frame_uses // max(1, cells)))


def _receptions(
    plan: Plan, receivers: Mapping[str, ReceiverConfig], full_scales: Mapping[str, float], fading: Fading
) -> tuple[Reception, ...]:
    """The receivers that a plan uses: its own are the bench's, in order.

    Superposed transmitters have one common response at the first one where the scheme needs h = 1, knowing no channel, and
    under emulated fading: the drawn fades are the channel that is looked at, and not the front ends beside them.
    """
    needed = plan.rx_csi != "channel" or fading == "emulated"
    used = list(receivers.items())[: len(plan.receivers)]
    return tuple(
        Reception(
            name=name,
            full_scale=full_scales[name],
            receiver=receiver.model_copy(
                update={"aligned": not plan.superposed or (receiver.aligned and index == 0 and needed)}
            ),
        )
        for index, (name, receiver) in enumerate(used)
    )


def drawn_fade(seed: int, transmitters: int, tasks: int) -> Tensor:
    """Emulated fades: f ~ CN(0, 1), complex64 [tx, task].

    A function of the seed, transmitter and task alone: every scheme and SNR of a run meets the same fades. They are drawn in
    whole blocks, for what torch draws of a few numbers hangs on how many are asked for.
    """
    rows = []
    for tx in range(transmitters):
        blocks = []
        for block in range(math.ceil(tasks / FADES_AT_ONCE)):
            generator = torch.Generator().manual_seed(seed_of(seed, "fade", tx, block))
            blocks.append(torch.randn(FADES_AT_ONCE, dtype=torch.complex64, generator=generator))
        rows.append(torch.cat(blocks)[:tasks])
    return torch.stack(rows)


def repeated(sent: Sent, index: Tensor) -> Sent:
    """Every task sent, from the distinct ones: int64 [task]."""
    return Sent(
        symbols=sent.symbols[:, index],
        length=None if sent.length is None else sent.length[:, index],
        side=None if sent.side is None else {name: value[index] for name, value in sent.side.items()},
    )


def sounding_cost(points: Sequence[PointSpec]) -> tuple[float, float]:
    """Effective SNR that channel estimation costs at the plan's lowest SNR, in the mean over a point's frames, and that SNR."""
    lowest = min(point.snr_db_target + power_to_db(min(point.power)) for point in points)
    costs = [sum(estimate_costs_db(point, lowest)) / point.frames for point in points]
    return max(costs), lowest
