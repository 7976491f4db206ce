"""The peers' figures, on streams of the same definitions: liquid-dsp, numpy, GNU Radio, Sionna.

`measure` gives for each peer a dictionary, all keys of which are optional; one that is not installed has only "missing":
    version                str
    receive_msps           20 dB stream of ~75 % duty, MS/s of process CPU time
    noise_msps             on noise only
    transmit_msps          complex payload to complex64 samples
    detection              {SNR dB: share of frames found within ±16 samples}
    cfo_rmse               {SNR dB: carrier spacings}
    evm_db, mp_evm_db      {SNR dB: median EVM}, flat and in "mp"
    floor_db, mp_floor_db  EVM without noise
    sfo_floor_db           {ppm: EVM without noise}
    false_frames           frames found on `false_samples` samples of noise
    channel_msps, channel_resampled_msps   channel simulator without and with a resampler
"""

from __future__ import annotations

import importlib.util
import json
import math
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks import liquid, numpy_receiver
from benchmarks.liquid import Liquid, Reception
from benchmarks.streams import (
    FFT,
    FRAME,
    MP,
    Complex,
    Stream,
    cpu_time,
    evm_db,
    impaired,
    matched,
    noise,
    payload,
    stream,
)
from hil.channel.simulator import ChannelConfig, Simulator

__all__ = ["liquid_speeds", "measure"]

CFO = 0.2
Peer = dict[str, Any]
_SEPARATE = 300


def _separate(waves: Complex, *, sfo_ppm: float) -> Stream:
    """Frames whose clock is off by `sfo_ppm` each for itself, so that all have the same drift inside a frame."""
    padded = np.pad(waves, ((0, 0), (_SEPARATE, _SEPARATE)))
    out = Simulator(ChannelConfig(sfo_ppm=sfo_ppm)).apply(torch.from_numpy(padded)).numpy()
    starts = np.arange(len(waves)) * padded.shape[1] + _SEPARATE
    return Stream(samples=out.reshape(-1), starts=starts)


def _accuracy(
    waves: Complex, sent: Complex, energy: float, receive: Callable[[Complex], Reception], snrs: tuple[int, ...]
) -> Peer:
    """Detection, CFO and EVM of one receiver on its own frames."""
    clean = stream(waves)
    out: Peer = {"detection": {}, "cfo_rmse": {}, "evm_db": {}, "mp_evm_db": {}, "sfo_floor_db": {}}

    def take(samples: Complex, starts: Any) -> tuple[Reception, Any, Any]:
        got = receive(samples)
        index = matched(got.starts, starts)
        return got, index[index >= 0], index >= 0

    for snr in snrs:
        got, index, found = take(impaired(clean.samples, snr_db=snr, energy=energy, cfo=CFO), clean.starts)
        out["detection"][snr] = float(found.mean())
        if found.mean() > 0.5:
            out["cfo_rmse"][snr] = float(np.sqrt(np.mean((got.cfo[index] - CFO) ** 2)))
            out["evm_db"][snr] = evm_db(got.symbols[index], sent[found])
        if snr >= 10:
            got, index, found = take(impaired(clean.samples, snr_db=snr, energy=energy, cfo=CFO, mp=True), clean.starts)
            out["mp_evm_db"][snr] = evm_db(got.symbols[index], sent[found])
    for key, mp in (("floor_db", False), ("mp_floor_db", True)):
        got, index, found = take(impaired(clean.samples, cfo=CFO, mp=mp), clean.starts)
        out[key] = evm_db(got.symbols[index], sent[found])
    for ppm in (10, 40):
        drifting = _separate(waves, sfo_ppm=ppm)
        got, index, found = take(impaired(drifting.samples, cfo=CFO), drifting.starts)
        out["sfo_floor_db"][ppm] = evm_db(got.symbols[index], sent[found])
    return out


def _liquid(library: Liquid, quick: bool) -> Peer:
    frames = 200 if quick else 1000
    sent = payload(frames, len(library.data))
    waves = library.transmit(sent)
    out = _accuracy(waves, sent, library.energy, library.receive, (0, 3, 5, 10, 20, 30))
    out["version"] = library.version
    out |= liquid_speeds(quick)
    room = library.buffers(500)
    rounds = 3 if quick else 9
    out["false_samples"] = 2_000_000 if quick else 20_000_000
    out["false_frames"] = sum(
        library.receive_into(noise(1_000_000, seed=seed), room, 1024) for seed in range(out["false_samples"] // 1_000_000)
    )
    out["channel_msps"], out["channel_resampled_msps"] = (_liquid_channel(library, rate, rounds) for rate in (1.0, 1 + 40e-6))
    return out


def liquid_speeds(quick: bool) -> Peer:
    """Liquid's receive_msps, noise_msps and transmit_msps; nothing where it is not installed."""
    library = liquid.load()
    if isinstance(library, str):
        return {}
    rounds, out = 3 if quick else 9, {}
    waves = library.transmit(payload(400, len(library.data)))
    samples = impaired(stream(waves).samples, snr_db=20, energy=library.energy, cfo=CFO)
    room = library.buffers(500)
    out["receive_msps"] = len(samples) / cpu_time(lambda: library.receive_into(samples, room, 1024), rounds) / 1e6
    only = noise(1_000_000)
    out["noise_msps"] = len(only) / cpu_time(lambda: library.receive_into(only, room, 1024), rounds) / 1e6
    grid = library.grid(payload(128, len(library.data)))
    made = np.empty((128, FRAME), dtype=np.complex64)
    out["transmit_msps"] = made.size / cpu_time(lambda: library.transmit_grid(grid, made), 5 * rounds) / 1e6
    return out


def _liquid_channel(library: Liquid, rate: float, rounds: int) -> float:
    samples = noise(200_000)
    taps = np.zeros(10, dtype=np.complex64)
    for tap in MP:
        taps[int(tap.delay)] = tap.gain
    work, made = (np.empty(210_000, dtype=np.complex64) for _ in range(2))
    seconds = cpu_time(lambda: library.channel(samples, taps, CFO / FFT, 20.0, rate, work, made), rounds)
    return len(samples) / seconds / 1e6


def _numpy(quick: bool) -> Peer:
    frames = 200 if quick else 1000
    sent = payload(frames, numpy_receiver.CARRIERS)
    waves = numpy_receiver.transmit(sent)
    out = _accuracy(waves, sent, numpy_receiver.ENERGY, numpy_receiver.receive, (3, 5, 7, 10, 20, 30))
    out["version"] = np.__version__
    samples = impaired(stream(waves[:400]).samples, snr_db=20, energy=numpy_receiver.ENERGY, cfo=CFO)
    out["receive_msps"] = len(samples) / cpu_time(lambda: numpy_receiver.receive(samples), 3) / 1e6
    only = noise(1_000_000)
    out["noise_msps"] = len(only) / cpu_time(lambda: numpy_receiver.receive(only), 3) / 1e6
    some = sent[:128]
    out["transmit_msps"] = some.shape[0] * FRAME / cpu_time(lambda: numpy_receiver.transmit(some), 3) / 1e6
    out["false_samples"] = 1_000_000 if quick else 20_000_000
    out["false_frames"] = sum(
        len(numpy_receiver.receive(noise(1_000_000, seed=seed)).starts) for seed in range(out["false_samples"] // 1_000_000)
    )
    return out


def _gnuradio(quick: bool) -> Peer:
    python = "/usr/bin/python3"
    if not Path(python).exists():
        return {"missing": "not installed (Debian: apt install gnuradio)"}
    script = Path(__file__).with_name("gnuradio_peer.py")
    command = [python, str(script), "60" if quick else "400"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    except subprocess.TimeoutExpired:
        return {"missing": "did not finish in 120 s"}
    if done.returncode:
        known = "No module named 'gnuradio'" in done.stderr
        return {"missing": "not installed (Debian: apt install gnuradio)" if known else done.stderr.strip()[-200:]}
    found: Peer = json.loads(done.stdout.strip().splitlines()[-1])
    found["packets_with_right_crc"] = found.pop("detection")  # of frames sent: not the definition of the others
    return found


def _sionna() -> Peer:
    if importlib.util.find_spec("sionna") is None:
        return {"missing": "not installed (pip install sionna, in an environment of its own)"}
    return {"missing": "installed, but not measured here: it has no synchronisation to compare with"}


def measure(quick: bool = False) -> dict[str, Peer]:
    """Every peer's figures by name: liquid, numpy, gnuradio, sionna.

    Args:
        quick: fewer frames and rounds, some 15 s in all.
    """
    library = liquid.load()
    return {
        "liquid": {"missing": library} if isinstance(library, str) else _liquid(library, quick),
        "numpy": _numpy(quick),
        "gnuradio": _gnuradio(quick),
        "sionna": _sionna(),
    }


if __name__ == "__main__":
    print(json.dumps(measure(quick=True), indent=1, default=lambda value: None if math.isnan(value) else value))
