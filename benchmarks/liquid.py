"""liquid-dsp through ctypes: its OFDM frame generator, synchroniser and channel, compiled against the system's library."""

from __future__ import annotations

import ctypes
import hashlib
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.streams import CP, DATA_SYMBOLS, FFT, FRAME, SYMBOL, Complex

__all__ = ["Liquid", "Reception", "load"]

_SOURCE = Path(__file__).with_name("liquid.c")


@dataclass(frozen=True, kw_only=True)
class Reception:
    """Frames found: start [frame], CFO in carrier spacings [frame], data carriers [frame, symbol, carrier]."""

    starts: Any
    cfo: Any
    symbols: Complex


@lru_cache(maxsize=1)
def load() -> Liquid | str:
    """The library, or why there is none."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        return "no C compiler"
    source = _SOURCE.read_bytes()
    target = Path(tempfile.gettempdir()) / f"hil-liquid-{hashlib.sha256(source).hexdigest()[:16]}.so"
    if not target.exists():
        made = target.with_suffix(".tmp")
        command = [compiler, "-O3", "-march=native", "-shared", "-fPIC", "-o", str(made), str(_SOURCE), "-lliquid", "-lm"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            return "not installed (Debian: apt install libliquid-dev)" if "liquid" in done.stderr else "does not compile"
        made.rename(target)
    return Liquid(ctypes.CDLL(str(target)))


def _pointer(array: Any) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)


class Liquid:
    """The library's functions on arrays; default allocation of 64 carriers."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self._library = library
        library.peer_version.restype = ctypes.c_char_p
        library.peer_receive.restype = ctypes.c_uint
        library.peer_channel.restype = ctypes.c_ulong
        kinds = np.zeros(FFT, dtype=np.uint8)
        library.peer_carriers(FFT, _pointer(kinds))
        self.data = np.flatnonzero(kinds == 2)
        self.active = int((kinds > 0).sum())
        self.energy = FFT / self.active
        """Mean power of an active carrier after a unitary FFT: the samples' power is 1."""
        self._latency = 0

    @property
    def version(self) -> str:
        """Of the library."""
        return str(self._library.peer_version().decode())

    def transmit(self, payload: Complex, out: Complex | None = None) -> Complex:
        """Payload [frame, symbol, data carrier] to samples [frame, 1840]."""
        return self.transmit_grid(self.grid(payload), out)

    def grid(self, payload: Complex) -> Complex:
        """Payload on the FFT's bins, [frame, symbol, bin]."""
        grid = np.zeros((*payload.shape[:2], FFT), dtype=np.complex64)
        grid[..., self.data] = payload
        return grid

    def transmit_grid(self, grid: Complex, out: Complex | None = None) -> Complex:
        """The same from whole grids; this is what is timed."""
        samples = np.empty((len(grid), FRAME), dtype=np.complex64) if out is None else out
        self._library.peer_transmit(FFT, CP, len(grid), DATA_SYMBOLS, _pointer(grid), _pointer(samples))
        return samples

    def buffers(self, most: int) -> tuple[Any, Any, Complex]:
        """Room for `most` frames, for `receive_into`."""
        grid = np.zeros((most, DATA_SYMBOLS, FFT), dtype=np.complex64)
        return np.zeros(most, dtype=np.uint64), np.zeros(most, dtype=np.float32), grid

    def receive_into(self, samples: Complex, room: tuple[Any, Any, Complex], step: int) -> int:
        """Run the synchroniser; the number of frames. This is what is timed."""
        where, cfo, grid = room
        arguments = (ctypes.c_ulong(len(samples)), step, len(where), _pointer(where), _pointer(cfo), _pointer(grid))
        return int(self._library.peer_receive(FFT, CP, DATA_SYMBOLS, _pointer(samples), *arguments))

    def receive(self, samples: Complex) -> Reception:
        """Frames of a stream, sample by sample so that their place is known."""
        if not self._latency:
            self._latency = self._calibrate()
        room = self.buffers(2 + len(samples) // (FRAME // 2))
        count = self.receive_into(samples, room, 1)
        starts = room[0][:count].astype(np.int64) - self._latency
        return Reception(starts=starts, cfo=room[1][:count] * (FFT / (2 * np.pi)), symbols=room[2][:count][..., self.data])

    def _calibrate(self) -> int:
        """Samples from a frame's start to the call that brings its first data symbol, without impairments."""
        payload = np.ones((1, DATA_SYMBOLS, len(self.data)), dtype=np.complex64)
        samples = np.zeros(FRAME + 2000, dtype=np.complex64)
        samples[1000 : 1000 + FRAME] = self.transmit(payload)[0]
        room = self.buffers(2)
        if not self.receive_into(samples, room, 1):
            return 4 * SYMBOL
        return int(room[0][0]) - 1000

    def channel(self, samples: Complex, taps: Complex, cfo: float, snr_db: float, rate: float, work: Any, out: Any) -> int:
        """`channel_cccf` with multipath, carrier offset and noise, after `resamp_crcf` where rate ≠ 1; samples written."""
        arguments = (_pointer(taps), len(taps), ctypes.c_float(2 * np.pi * cfo), ctypes.c_float(snr_db), ctypes.c_float(rate))
        return int(
            self._library.peer_channel(
                _pointer(samples), ctypes.c_ulong(len(samples)), *arguments, _pointer(work), _pointer(out)
            )
        )
