"""Blocks of samples of which everything is known, and a capture that holds one after the other."""

import math
from dataclasses import dataclass

import numpy as np
import torch

from hil.captures import CaptureWriter
from hil.phy.frame import FrameConfig, FrameFormat
from hil.phy.transmit import FrameBuilder
from hil.radios.bench import find_bench
from tests.conftest import ROOT

FULL_SCALE = 2048.0
RATE = 1e6
TONE_BIN, TONE_AMPLITUDE = 100, 0.5
SNR_DB = 20.0
FORM = FrameFormat(FrameConfig(tasks_per_frame=20), torch.ones((1, 64), dtype=torch.bool))
ORDER = ("tone", "ofdm", "clipped", "silence")


def digits(wave: np.ndarray) -> np.ndarray:
    """Complex [n], full scale 1, as a 12-bit converter gives it: int16 [n, 2], cut off at both rails."""
    values = np.rint(np.stack([wave.real, wave.imag], axis=1) * FULL_SCALE)
    return np.clip(values, -FULL_SCALE, FULL_SCALE - 1).astype(np.int16)


def tone(count: int = 8192) -> np.ndarray:
    """At bin `TONE_BIN` of 1024 above the carrier."""
    return digits(TONE_AMPLITUDE * np.exp(2j * np.pi * TONE_BIN / 1024 * np.arange(count)))


def ofdm(amplitude: float = 1.0, number: int = 5, seed: int = 3) -> np.ndarray:
    """A frame of QPSK in noise, 700 samples into its window, at `SNR_DB` a carrier."""
    draw = np.random.default_rng(seed)
    points = np.exp(1j * np.pi / 4 * (2 * draw.integers(0, 4, (1, 1, FORM.tasks, 64)) + 1)).astype(np.complex64)
    wave = FrameBuilder(FORM).build(torch.from_numpy(points), [number])[0].sum(0).numpy()
    power = FORM.sample_amplitude**2  # of an active carrier, unitary transform
    window = np.zeros(700 + len(wave) + 300, complex)
    window[700 : 700 + len(wave)] = wave
    noise = draw.standard_normal((len(window), 2)) @ [1, 1j] * math.sqrt(power / 10 ** (SNR_DB / 10) / 2)
    return digits(amplitude * (window + noise))


def silence(count: int = 4096) -> np.ndarray:
    return np.zeros((count, 2), np.int16)


def blocks() -> dict[str, np.ndarray]:
    return {"tone": tone(), "ofdm": ofdm(), "clipped": ofdm(amplitude=6.0), "silence": silence()}


@dataclass(frozen=True)
class Window:
    samples: np.ndarray
    start: int


def write_capture(path, *, finished: bool = True, rounds: int = 1):
    """The blocks of `ORDER`, one a burst, as one receiver heard them; a frame lost for every block without one."""
    bench = find_bench(ROOT / "radios" / "builtin.toml")
    radios = {"rx": {"info": {"rx_full_scale": FULL_SCALE}}}
    writer = CaptureWriter.create(
        path, config={"bench": bench.model_dump(mode="json")}, provenance={"version": "0"}, models={}, receivers=["rx"],
        transmitters=1,
    )  # fmt: skip
    with writer:
        symbols = np.ones((1, 1, 1), np.complex64)
        point = writer.add_point("signals", attrs={"kind": "signals", "radios": radios}, symbols=symbols, labels={})
        for number, (name, samples) in enumerate(list(blocks().items()) * rounds):
            heard = name in ("ofdm", "clipped")
            row = {"status": "decoded", "detected": True, "snr_db": [SNR_DB], "cfo_hz": [1.5]} if heard else {"status": "lost"}
            writer.append_burst(
                point, {"rx": Window(samples, number * 10_000)}, kind="sounding", frame_numbers=[number], ledger={"rx": [row]}
            )
        if finished:
            writer.finish({})
    return path
