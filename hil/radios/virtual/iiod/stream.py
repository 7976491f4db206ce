"""The DMA of a virtual Pluto: kernel buffers between converters and host, and the loop from DAC to ADC inside the chip."""

from __future__ import annotations

import math
from collections import deque

import numpy as np
from numpy.typing import NDArray

from hil.radios.virtual.clock import QUANTUM
from hil.radios.virtual.iiod.state import RX, TX, PlutoState
from hil.radios.virtual.radio import VirtualRadio

__all__ = ["DigitalLoop", "RxStream", "TxStream", "dds_tones"]

_OVERFLOW, _UNDERFLOW = 2, 0
_TX_SHIFT = 16
_MOST_PIECES = 1024  # of the loop; in a step a DAC gets no more than the 64 kernel buffers and the pieces of a cyclic one


class DigitalLoop:
    """What the DAC was given lately, for the AD9361's digital loop-back: sample t comes back as sample t."""

    def __init__(self, kept: int) -> None:
        self._kept = kept
        self._pieces: deque[tuple[int, NDArray[np.int16]]] = deque(maxlen=_MOST_PIECES)

    def record(self, start: int, codes: NDArray[np.int16]) -> None:
        """Note samples as they are played."""
        self._pieces.append((start, codes))
        while self._pieces[0][0] < start - self._kept:
            self._pieces.popleft()

    def read(self, start: int, n: int) -> NDArray[np.int16]:
        """Samples [start, start + n); zero where nothing was played."""
        out = np.zeros((n, 2), np.int16)
        for begin, codes in self._pieces:
            low, high = max(begin, start), min(begin + len(codes), start + n)
            if low < high:
                out[low - start : high - start] = codes[low - begin : high - begin]
        return out

    def clear(self) -> None:
        """Forget all."""
        self._pieces.clear()


class RxStream:
    """An open receive buffer: the ADC fills kernel buffers one after another; when none is free, samples are lost.

    Args:
        radio: the radio.
        state: its registers.
        loop: digital loop-back.
        samples: in a buffer.
        columns: which of I (0) and Q (1) the host wants.
        count: number of kernel buffers.
    """

    def __init__(
        self, radio: VirtualRadio, state: PlutoState, loop: DigitalLoop, samples: int, columns: tuple[int, ...], count: int
    ) -> None:
        self.radio, self.state, self.loop = radio, state, loop
        self.samples, self.columns, self.count = samples, columns, count
        self.filled: deque[NDArray[np.int16]] = deque()
        self._next = max(radio.tick(), radio.played)
        self._part: list[NDArray[np.int16]] = []
        self._have = 0

    def capture(self) -> None:
        """Take what can be received into free buffers."""
        available = self.radio.played if self.state.loopback == 1 else self.radio.receivable
        while self._next < available and len(self.filled) < self.count:
            if not self._have:
                self._suffer()
            take = min(self.samples - self._have, available - self._next)
            if take <= 0:
                return
            self._part.append(self._read(self._next, take))
            self._next += take
            self._have += take
            if self._have == self.samples:
                whole = self._part[0] if len(self._part) == 1 else np.concatenate(self._part)
                self._part, self._have = [], 0
                if self.radio.faults.take("drop") is not None:
                    self._lose(self._next - self.samples, self.samples)
                    continue
                self.filled.append(np.ascontiguousarray(whole[:, self.columns]))

    def take(self) -> NDArray[np.int16] | None:
        """The oldest full buffer, int16 [samples, column], which frees its place; None = not yet."""
        if not self.filled:
            return None
        stalled = len(self.filled) == self.count
        out = self.filled.popleft()
        now = max(self.radio.tick(), self.radio.played)
        if stalled and now > self._next:  # the ADC went on without a buffer since then
            self._lose(self._next, now - self._next)
            self._next = now
        return out

    def _suffer(self) -> None:
        """A forced overflow acts between two buffers."""
        fault = self.radio.faults.take("overflow")
        if fault is not None:
            self._lose(self._next, fault.samples)
            self._next += fault.samples

    def _lose(self, tick: int, n: int) -> None:
        self.state.raise_flag(RX, _OVERFLOW)
        self.radio.count("lost", tick, n)

    def _read(self, start: int, n: int) -> NDArray[np.int16]:
        if self.state.loopback == 1:
            return self.loop.read(start, n)
        return self.radio.receive(0, start, n)


class TxStream:
    """An open transmit buffer: the DAC plays the queued kernel buffers; when none is there it is silent, and says so.

    Args:
        radio: the radio.
        state: its registers.
        loop: digital loop-back.
        samples: in a buffer.
        columns: which of I (0) and Q (1) the host sends.
        cyclic: the first buffer is repeated until the stream is closed.
        count: number of kernel buffers.
    """

    def __init__(
        self,
        radio: VirtualRadio,
        state: PlutoState,
        loop: DigitalLoop,
        samples: int,
        columns: tuple[int, ...],
        cyclic: bool,
        count: int,
    ) -> None:
        self.radio, self.state, self.loop = radio, state, loop
        self.samples, self.columns, self.cyclic, self.count = samples, columns, cyclic, count
        self.queued: deque[NDArray[np.int16]] = deque()
        self._offset = 0
        self._next: int | None = None  # None until there was a buffer: a stream is not dry before it has begun
        self._period = 0  # samples in a cyclic buffer as the host sent it
        self._numbers = 0

    @property
    def full(self) -> bool:
        """No kernel buffer is free."""
        return len(self.queued) >= (1 if self.cyclic else self.count)

    def put(self, data: bytes) -> None:
        """Queue a buffer of little-endian 16-bit words, MSB-aligned, interleaved over `columns`; at least one sample."""
        words = np.frombuffer(data, "<i2").reshape(-1, len(self.columns))
        codes = np.zeros((len(words), 2), np.int16)
        codes[:, self.columns] = words >> (_TX_SHIFT - self.radio.config.dac_bits)
        if self.cyclic:
            self._period = len(codes)
            # a step of air time plays whole repetitions, not thousands of pieces
            codes = np.tile(codes, (-(-QUANTUM // self._period), 1))
        now = max(self.radio.tick(), self.radio.played)
        if self._next is None:
            self._next = now
        elif not self.queued and self._next < now:
            self._run_dry(self._next, now)
        self.queued.append(codes)

    def play(self) -> None:
        """Hand what is due to the DAC."""
        due = self.radio.played
        if self._next is None or self._next >= due:
            return
        fault = self.radio.faults.take("underflow") if self.queued else None
        if fault is not None:
            self._run_dry(self._next, self._next + fault.samples)
        while self._next < due and self.queued:
            buffer = self.queued[0]
            if not self._offset:
                self._numbers += 1
                if not self.cyclic:
                    self.radio.count("buffer", self._next, len(buffer), number=self._numbers)
                elif self._numbers == 1:
                    self.radio.count("buffer", self._next, self._period, number=1)
            codes = buffer[self._offset : self._offset + due - self._next]
            self.radio.transmit(0, self._next, codes)
            self.loop.record(self._next, codes)
            self._next += len(codes)
            self._offset += len(codes)
            if self._offset >= len(buffer):
                self._offset = 0
                if not self.cyclic:
                    self.queued.popleft()
        if self._next < due:
            self._run_dry(self._next, due)

    def _run_dry(self, start: int, end: int) -> None:
        """Nothing for the DAC in [start, end)."""
        self.state.raise_flag(TX, _UNDERFLOW)
        self.radio.count("underflow", start, end - start)
        self._next = end


def dds_tones(state: PlutoState, start: int, n: int) -> NDArray[np.int16] | None:
    """What the DDS puts on the DAC while no buffer plays: int16 [n, 2] of the DAC's bits; None where every tone is off."""
    tones = state.tones
    if not any(tone.on and tone.scale > 0 for tone in tones):
        return None
    rate = state.radio.sample_rate_hz
    full_scale = state.radio.tx_full_scale
    out: NDArray[np.float64] = np.zeros((n, 2))
    index = np.arange(n)
    for number, tone in enumerate(tones):
        if tone.on and tone.scale > 0:
            turns = math.fmod(tone.freq_hz / rate * start, 1.0) + tone.freq_hz / rate * index + tone.phase_mdeg / 360e3
            out[:, number // 2] += tone.scale * np.cos(2 * np.pi * turns)
    limited: NDArray[np.int16] = np.clip(np.rint(out * full_scale), -full_scale, full_scale - 1).astype(np.int16)
    return limited
