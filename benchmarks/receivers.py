"""Accuracy of our modem on the frames that runs send, and its speed on streams: rows of `scripts/bench modem`.

`make_stream` follows the definitions of docs/benchmarks.md with frames of the plan from 0 dB: silent symbol, preamble of 240
samples, soundings, header, 20 data symbols. `rows` puts all in the common format.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.rows import Row, row
from benchmarks.streams import CP, DATA_SYMBOLS, FFT, MP, Complex, cpu_time, noise
from hil.channel.gaussian import complex_gaussian
from hil.channel.simulator import ChannelConfig, Simulator
from hil.phy.frame import FrameConfig, FrameFormat
from hil.phy.receive import FrameReception, Receiver, ReceiverConfig
from hil.phy.transmit import FrameBuilder
from hil.points.spec import frame_for

__all__ = [
    "Truth", "bench_format", "detection", "evm_rows", "make_stream", "receiver", "rows", "score", "short_format", "superposed",
]  # fmt: skip

CARRIER = 1e6 / FFT
"""Carrier spacing in Hz at 1 MS/s."""
Mode = Literal["fast", "sensitive", "known", "shared"]
_PAD = 48


@dataclass(frozen=True, kw_only=True)
class Truth:
    """What a stream holds: first samples [frame], CFO in carriers [frame], payload [frame, use]."""

    starts: NDArray[np.int64]
    cfo: NDArray[np.float64]
    payload: Complex


def bench_format(symbols: int = DATA_SYMBOLS, preamble: int = 240, lowest_snr_db: float = 0.0) -> FrameFormat:
    """Frames of one transmitter's plan with so many payload symbols, all data carriers of which are one task's uses."""
    given = {"tasks_per_frame": 1, "interleave": False, "preamble_samples": preamble}
    config = frame_for(ReceiverConfig(), lowest_snr_db, given=given)
    return FrameFormat(config, torch.ones(1, symbols * len(config.numerology.data_positions), dtype=torch.bool))


def short_format() -> FrameFormat:
    """The frame nearest to liquid's: 3 symbols of preamble, 2 of sounding, a header and 20 of data behind the silent symbol."""
    config = FrameConfig(preamble_samples=240, sounding_symbols=2, header_repetitions=1, tasks_per_frame=1, interleave=False)
    return FrameFormat(config, torch.ones(1, DATA_SYMBOLS * len(config.numerology.data_positions), dtype=torch.bool))


def receiver(
    mode: Mode, form: FrameFormat | None = None, *, equaliser: Literal["zf", "mmse"] = "zf", wide: bool = False,
    fast: bool | None = None,
) -> Receiver:  # fmt: skip
    """The receiver of a mode: ±2 carriers of CFO, ±0.02 where it is known, none on a shared reference; `wide`: 23 taps."""
    reach = {"known": 0.02, "shared": 0.0}.get(mode, 2.0)
    config = ReceiverConfig(
        max_cfo_hz=reach * CARRIER,
        mode="fast" if mode == "fast" else "sensitive",
        equaliser=equaliser,
        center_freq_hz=1e15,  # these streams' clocks are not tied to their carriers
        clock_left_ppm=50.0,
    )
    if wide:
        config = config.model_copy(update={"taps_before": 6, "taps_after": 16})
    return Receiver(form or bench_format(), config, fast=fast)


def make_stream(
    seed: int,
    frames: int,
    snr_db: float = math.inf,
    cfo: float | tuple[float, float] = 0.2,
    *,
    mp: bool = False,
    delay: float | None = 0.0,
    sfo_ppm: float = 0.0,
    form: FrameFormat | None = None,
) -> tuple[Complex, Truth]:
    """Frames in a stream with random gaps of 200–1000 samples, each through its own channel.

    Args:
        seed: of payload, gaps, offsets and noise.
        frames: how many.
        snr_db: Es/N0 of an active carrier; inf = no noise.
        cfo: carriers; a pair is a range that each frame draws from.
        mp: through the multipath of the definitions.
        delay: further delay of all frames, samples; None: each draws one in 0…1.
        sfo_ppm: sample clock offset, from the start of each frame.
        form: the frame format.

    Returns:
        samples, complex64 [n], with active carriers of unit power; and the truth.
    """
    form = form or bench_format()
    draw = np.random.default_rng([seed, 77])
    uses = form.tasks * form.occupied.shape[1]
    sent = complex_gaussian(seed, "payload", 0, frames * uses).reshape(frames, uses)
    built = FrameBuilder(form).build(torch.from_numpy(sent).view(frames, 1, form.tasks, -1), range(frames))
    waves = built[:, 0] / form.sample_amplitude
    offsets = draw.uniform(*cfo, frames) if isinstance(cfo, tuple) else np.full(frames, cfo)
    delays = draw.uniform(0, 1, frames) if delay is None else np.full(frames, delay)
    padded = torch.nn.functional.pad(waves, (_PAD, _PAD)).numpy()
    taps = MP if mp else ()
    if delay is None:
        rows_ = [
            Simulator(ChannelConfig(taps=taps, delay=float(value), sfo_ppm=sfo_ppm)).apply(torch.from_numpy(wave)).numpy()
            for wave, value in zip(padded, delays, strict=True)
        ]
        padded = np.stack(rows_)
    elif taps or delay or sfo_ppm:
        padded = Simulator(ChannelConfig(taps=taps, delay=delay, sfo_ppm=sfo_ppm)).apply(torch.from_numpy(padded)).numpy()
    padded = padded * np.exp(2j * np.pi / FFT * offsets[:, None] * np.arange(padded.shape[1]))
    gaps = draw.integers(200, 1001, frames)
    starts = np.cumsum(gaps + form.samples) - form.samples
    samples = np.zeros(int(starts[-1]) + form.samples + 1000, np.complex64)
    for start, wave in zip(starts, padded, strict=True):
        samples[start - _PAD : start + form.samples + _PAD] += wave.astype(np.complex64)
    if not math.isinf(snr_db):
        samples += complex_gaussian(seed, "noise", 0, samples.size, 10 ** (-snr_db / 10))
    return samples, Truth(starts=starts.astype(np.int64), cfo=offsets, payload=sent)


@dataclass(frozen=True, kw_only=True)
class Score:
    """Share of frames found, frames that were not sent, EVM (median, dB), CFO RMSE (carriers)."""

    found: float
    false: int
    evm_db: float
    cfo_rmse: float
    preamble_cfo_rmse: float


def score(frames: Sequence[FrameReception], truth: Truth) -> Score:
    """Compare frames with what was sent."""
    taken, false, errors, offsets, coarse = set(), 0, [], [], []
    for frame in frames:
        index = int(np.abs(truth.starts - frame.start).argmin())
        if abs(truth.starts[index] - frame.start) > CP or index in taken:
            false += 1
            continue
        taken.add(index)
        sent = truth.payload[index]
        error = np.abs(frame.symbols.numpy().reshape(-1) - sent) ** 2
        errors.append(error.sum(dtype=np.float64) / (np.abs(sent) ** 2).sum(dtype=np.float64))
        offsets.append(float(frame.cfo_hz[0]) / CARRIER - truth.cfo[index])
        coarse.append(frame.preamble_cfo_hz / CARRIER - truth.cfo[index])
    return Score(
        found=len(taken) / len(truth.starts),
        false=false,
        evm_db=10 * math.log10(max(float(np.median(errors)), 1e-30)) if errors else math.nan,
        cfo_rmse=float(np.sqrt(np.mean(np.square(offsets)))) if offsets else math.nan,
        preamble_cfo_rmse=float(np.sqrt(np.mean(np.square(coarse)))) if coarse else math.nan,
    )


def detection(mode: Mode, snr_db: float, frames: int, *, delay: float | None = 0.0, form: FrameFormat | None = None) -> Score:
    """Frames found at an SNR, CFO uniform over the mode's range."""
    span = {"known": 0.02, "shared": 0.0}.get(mode, 2.0)
    samples, truth = make_stream(int(100 - snr_db * 10), frames, snr_db, (-span, span), delay=delay, form=form)
    return score(receiver(mode, form).receive(samples), truth)


def speed(mode: Mode, samples: Complex, *, fast: bool | None = None, form: FrameFormat | None = None, rounds: int = 5) -> float:
    """MS/s of process CPU time, samples in to frames out."""
    device = receiver(mode, form, fast=fast)
    return samples.size / cpu_time(lambda: device.receive(samples), rounds) / 1e6


def crb(snr_db: float, form: FrameFormat) -> float:
    """Cramér-Rao bound of the CFO (carriers, standard deviation) from our preamble in a flat channel of unknown phase."""
    wave = np.abs(form.preamble.numpy()) ** 2 * form.numerology.active / form.numerology.fft_size
    time = np.arange(wave.size)
    spread = float((wave * time**2).sum() - (wave * time).sum() ** 2 / wave.sum())
    return FFT / (2 * math.pi) / math.sqrt(2 * 10 ** (snr_db / 10) * spread)


def genie_db(snr_db: float, kind: Literal["zf", "mmse"]) -> float:
    """EVM of an equaliser that knows the channel "mp", dB."""
    carriers = np.array(bench_format().numerology.carriers)
    response = sum(tap.gain * np.exp(-2j * np.pi / FFT * carriers * tap.delay) for tap in MP)
    power = np.abs(np.asarray(response)) ** 2
    noise_power = 10 ** (-snr_db / 10)
    return 10 * math.log10(float(np.mean(noise_power / power if kind == "zf" else noise_power / (power + noise_power))))


def evm_rows(quick: bool) -> list[Row]:
    """CFO and EVM of the fast mode, flat and in multipath."""
    form, out = bench_format(), []
    many, few = (100, 60) if quick else (1000, 300)
    device, wiener = receiver("fast"), receiver("fast", equaliser="mmse")
    flat: dict[float, float] = {}
    for snr in (0, 10, 20, 30):
        samples, truth = make_stream(snr, many, snr, form=form)
        got = score(device.receive(samples), truth)
        bound = crb(snr, form)
        flat[snr] = got.evm_db
        name = f"CFO RMSE of the preamble alone / its CRB, {snr} dB"
        out.append(row(name, got.preamble_cfo_rmse / bound, "", better="lower", target=1.3))
        name = f"CFO RMSE with the payload's pilots / CRB of the preamble, {snr} dB"
        out.append(row(name, got.cfo_rmse / bound, "", better="lower", target=1.3))
        samples, truth = make_stream(snr, few, snr, mp=True)
        got = score(device.receive(samples), truth)
        name = f'CFO RMSE of the preamble alone / its CRB, "mp", {snr} dB'
        out.append(row(name, got.preamble_cfo_rmse / bound, "", better="lower"))
        name = f'CFO RMSE with the payload\'s pilots / CRB of the preamble, "mp", {snr} dB'
        out.append(row(name, got.cfo_rmse / bound, "", better="lower"))
        if snr >= 10:
            name = f'EVM over genie ZF, "mp", {snr} dB'
            out.append(row(name, got.evm_db - genie_db(snr, "zf"), "dB", better="lower", target=1.5))
        got = score(wiener.receive(samples), truth)
        name = f'EVM over genie MMSE, "mp", {snr} dB'
        out.append(row(name, got.evm_db - genie_db(snr, "mmse"), "dB", better="lower", target=1.0))
    for snr, value in flat.items():
        out.append(row(f"EVM + SNR in AWGN, {snr} dB", value + snr, "dB", better="lower", target=1.5))
    floors: list[tuple[str, dict[str, Any], float]] = [
        ("EVM without noise", {}, -60.0),
        ('EVM without noise, "mp"', {"mp": True}, -55.0),
        ('EVM without noise, "mp", delay uniform in a sample', {"mp": True, "delay": None}, -55.0),
        ("EVM without noise, SFO 40 ppm", {"sfo_ppm": 40.0}, -50.0),
        ("EVM without noise, SFO 40 ppm, 200 data symbols", {"sfo_ppm": 40.0, "form": bench_format(200)}, -50.0),
    ]
    for name, values, target in floors:
        samples, truth = make_stream(9, few, math.inf, **values)
        for wide in (False, True) if values.get("delay", 0.0) is None else (False,):
            got = score(receiver("fast", values.get("form"), wide=wide).receive(samples), truth)
            taps, aim = (", 23 taps", target) if wide else ("", None if "delay" in values else target)
            out.append(row(name + taps, got.evm_db, "dB", better="lower", target=aim))
    return out


def detection_rows(quick: bool) -> list[Row]:
    """Detection of all modes at their targets."""
    few, many = (100, 100) if quick else (1000, 4000)
    long, plan = bench_format(preamble=960), bench_format(preamble=480, lowest_snr_db=-6.0)
    cases: list[tuple[str, Mode, float, int, float | None, FrameFormat | None, float]] = [
        ("fast mode, ±2 carriers, 0 dB", "fast", 0.0, few, 0.0, None, 0.99),
        ("fast mode, ±2 carriers, 0 dB, fractional delay", "fast", 0.0, few, None, None, 0.99),
        ("sensitive mode, ±2 carriers, −5.5 dB", "sensitive", -5.5, few, 0.0, None, 0.99),
        ("sensitive mode, ±2 carriers, −4.5 dB, fractional delay", "sensitive", -4.5, few, None, None, 0.99),
        ("CFO known, −6.5 dB", "known", -6.5, few, 0.0, None, 0.99),
        ("CFO known, −5 dB, fractional delay", "known", -5.0, few, None, None, 0.99),
        ("CFO known, 960-sample preamble, −10 dB", "known", -10.0, many, 0.0, long, 0.999),
        ("CFO known, 960-sample preamble, −10 dB, fractional delay", "known", -10.0, many, None, long, 0.999),
        ("shared reference, plan from −6 dB, at −6 dB, fractional delay", "shared", -6.0, few, None, plan, 0.999),
        ("±2 carriers, plan from −6 dB, at −6 dB, fractional delay", "sensitive", -6.0, few, None, plan, 0.999),
    ]
    out = []
    for name, mode, snr, frames, delay, form, target in cases:
        got = detection(mode, snr, frames, delay=delay, form=form)
        out.append(row(f"detection, {name}", got.found, "share", target=target))
    return out


def speed_rows(quick: bool, peers: dict[str, Any]) -> list[Row]:
    """Speed on streams in all modes, and false frames on noise."""
    rounds = 3 if quick else 7
    liquid = peers.get("liquid", {})
    form = short_format()
    stream, _ = make_stream(3, 200 if quick else 1000, 20.0, form=form)
    quiet = noise(2_000_000 if quick else 4_000_000)
    label = "liquid-dsp" if liquid.get("receive_msps") else None
    peer, still = liquid.get("receive_msps"), liquid.get("noise_msps")
    known, _ = make_stream(3, 200 if quick else 1000, 20.0, 0.0, form=form)
    out = [
        row("receive stream, fast mode, 20 dB, ~75 % duty", speed("fast", stream, form=form, rounds=rounds), "MS/s",
            target=1.5 * peer if peer else 45.0, peer=label, peer_value=peer),
        row("receive stream, fast mode, noise only", speed("fast", quiet, form=form, rounds=rounds), "MS/s",
            target=3 * still if still else 189.0, peer=label, peer_value=still),
        row("receive stream, sensitive mode, 20 dB", speed("sensitive", stream, form=form, rounds=3), "MS/s", target=10.0),
        row("receive stream, sensitive mode, noise only", speed("sensitive", quiet, form=form, rounds=3), "MS/s", target=10.0),
        row("receive stream, CFO known, 20 dB", speed("known", known, form=form, rounds=3), "MS/s", target=50.0),
        row("receive stream, CFO known, noise only", speed("known", quiet, form=form, rounds=3), "MS/s", target=50.0),
        row("receive stream, shared reference, 20 dB", speed("shared", known, form=form, rounds=3), "MS/s", target=50.0),
    ]  # fmt: skip
    part = stream[: 200_000 if quick else 600_000]
    plain = speed("fast", part, fast=False, form=form, rounds=1)
    out.append(row("receive stream, fast mode, 20 dB, without numba", plain, "MS/s"))
    modes: tuple[Mode, ...] = ("fast", "sensitive", "known", "shared")
    for mode in modes:
        total = 2 if quick else 100
        device, count = receiver(mode), 0
        for block in range(total):
            count += len(device.receive(noise(1_000_000, seed=1000 + block)))
        out.append(row(f"false frames on {total} M noise samples, {mode}", count, "frames", better="lower", target=0.0))
    return out


def superposed(frames: int, seed: int = 1, snr_db: float = 20.0, offset: float = 0.05) -> dict[str, float]:
    """Two transmitters at once in "mp", different CFO and phase: channel error and noise variance against the truth."""
    config = FrameConfig(preamble_samples=240, sounding_symbols=2, header_repetitions=1, tasks_per_frame=1, interleave=False)
    uses = DATA_SYMBOLS * len(config.numerology.data_positions)
    form = FrameFormat(config, torch.ones(2, uses, dtype=torch.bool))
    builder = FrameBuilder(form)
    device = Receiver(form, ReceiverConfig(max_cfo_hz=2 * CARRIER, aligned=False, mode="fast", center_freq_hz=1e15))
    draw = np.random.default_rng(seed)
    carriers = np.array(form.numerology.carriers)[list(form.numerology.data_positions)]
    response = np.asarray(sum(tap.gain * np.exp(-2j * np.pi / FFT * carriers * tap.delay) for tap in MP))
    simulator = Simulator(ChannelConfig(taps=MP))
    time = np.arange(form.samples + 2 * _PAD) - _PAD
    first = form.sounding_start + form.payload_index * form.numerology.symbol_samples
    middle = (
        first + np.arange(DATA_SYMBOLS) * 80 + CP - device.config.advance + 31.5
    )  # time at which a symbol's phase is the CFO's mean phase
    error = np.zeros((DATA_SYMBOLS, carriers.size))
    residual = stated = known = 0.0
    count = 0
    for index in range(frames):
        payload = torch.from_numpy(complex_gaussian(seed * 1000 + index, "payload", 0, 2 * uses)).view(1, 2, 1, uses)
        waves = builder.build(payload, [index])[0] / form.sample_amplitude
        waves = simulator.apply(torch.nn.functional.pad(waves, (_PAD, _PAD))).numpy()
        base = draw.uniform(-1, 1)
        cfo = np.array([base, base + offset]) / FFT
        phase = draw.uniform(0, 2 * np.pi, 2)
        turns = np.exp(1j * (2 * np.pi * cfo[:, None] * time + phase[:, None]))
        lead = int(draw.integers(200, 400))
        samples = np.zeros(lead + waves.shape[1] + 400, np.complex64)
        samples[lead : lead + waves.shape[1]] = (waves * turns).sum(0)
        samples += complex_gaussian(seed * 1000 + index, "noise", 0, samples.size, 10 ** (-snr_db / 10))
        got = [frame for frame in device.receive(samples) if abs(frame.start - lead - _PAD) <= 3]
        if not got:
            continue
        frame = got[0]
        # symbols = Σ channel_k x_k + noise holds with one unknown scale a frame and the common phase that was taken out;
        # both are found from the true channels by least squares over both transmitters and all uses.
        estimate = frame.channel[:, 0].numpy().reshape(2, DATA_SYMBOLS, -1)
        late = frame.start - lead - _PAD
        at = (middle + late)[None, :, None]
        truth = response * np.exp(2j * np.pi / FFT * carriers * late)
        truth = truth * np.exp(1j * (2 * np.pi * cfo[:, None, None] * at + phase[:, None, None]))
        truth = truth * np.exp(-2j * np.pi * _common(frame) * middle)[None, :, None]
        scale = (estimate * truth.conj()).sum() / (np.abs(truth) ** 2).sum()
        truth = truth * scale
        error += np.mean(np.abs(estimate - truth) ** 2, axis=0) / abs(scale) ** 2
        symbols = frame.symbols.numpy().reshape(DATA_SYMBOLS, -1)
        sent = payload.numpy().reshape(2, DATA_SYMBOLS, -1)
        known += float(np.mean(np.abs(symbols - (truth * sent).sum(0)) ** 2))
        residual += float(np.mean(np.abs(symbols - (estimate * sent).sum(0)) ** 2))
        stated += float(frame.noise_var.mean())
        count += 1
    error /= max(count, 1)
    return {
        "frames": count / frames,
        "mean_db": 10 * math.log10(error.mean()),
        "worst_db": 10 * math.log10(error.max()),
        "noise_var_db": 10 * math.log10(stated / known),
        "noise_var_estimate_db": 10 * math.log10(stated / residual),
    }


def _common(frame: FrameReception) -> float:
    """CFO that the receiver took out of superposed transmitters (cycles a sample)."""
    return float(frame.reference_cfo_hz) / 1e6


def superposed_rows(quick: bool) -> list[Row]:
    """The superposed rows."""
    got = superposed(40 if quick else 1000)
    return [
        row("superposed, channel error, mean", got["mean_db"], "dB", better="lower", target=-25.0),
        row("superposed, channel error, worst symbol and carrier", got["worst_db"], "dB", better="lower", target=-21.0),
        row("superposed, |noise_var / residual|", abs(got["noise_var_db"]), "dB", better="lower", target=0.5),
        row("superposed, frames found", got["frames"], "share"),
    ]


def rows(quick: bool, peers: dict[str, Any]) -> list[Row]:
    """All rows of the receiver and transmitter."""
    return [*speed_rows(quick, peers), *detection_rows(quick), *evm_rows(quick), *superposed_rows(quick)]
