"""Samples to `FrameReception`: one function, used live, in replay and in simulation."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hil.errors import ConfigError, ShapeError
from hil.phy.batch import FrameBatch
from hil.phy.detector import Detector
from hil.phy.frame import FrameFormat
from hil.phy.frontend import FrontEnd
from hil.phy.kernels import kernels
from hil.phy.mixer import Mixer
from hil.phy.reception import FrameReception, Observed, ReceiverConfig, Rows, Shape
from hil.phy.search import Hit
from hil.phy.stream import Searcher
from hil.phy.tables import Tables

__all__ = ["FrameReception", "Observed", "Receiver", "ReceiverConfig", "Shape", "StreamReceiver"]

_CHUNK = 65536
"""Samples of spectra worked on at a time; they stay in the processor's cache."""
_MOST_SNR = 1e7
_SLOT_METRIC = 14.0
"""Differential correlation over a slot, squared, over its noise: chance passes with probability e^−14 a hypothesis."""
Samples = Tensor | NDArray[np.complex64] | NDArray[np.int16]
Complexes = NDArray[np.complex64]
Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]


class Receiver:
    """Finds frames of one format in windows of samples. Stateless: same samples in, same bits out.

    Args:
        form: the frame format.
        config: what is known of the bench.
        fast: True: compiled kernels, False: plain ones, None: compiled if numba is installed.

    Raises:
        ConfigError: FFT windows would start before the cyclic prefix.
    """

    def __init__(self, form: FrameFormat, config: ReceiverConfig, *, fast: bool | None = None) -> None:
        if config.advance > form.numerology.cyclic_prefix:
            raise ConfigError(
                f"receiver.advance = {config.advance} starts FFT windows before the cyclic prefix of "
                f"{form.numerology.cyclic_prefix} samples; choose 0…{form.numerology.cyclic_prefix}, or a longer prefix"
            )
        self.form, self.config = form, config
        self.detector = Detector(
            form.preamble_design,
            mode=config.mode,
            max_cfo=config.max_cfo_hz / config.sample_rate_hz,
            false_alarm=config.false_alarm,
            fast=fast,
        )
        self.tables = Tables.of(form, config)
        self._numbered = form.config.header_repetitions > 0
        self._kernels = kernels(fast).frames.FrameKernels(self.tables)
        self.leveller = kernels(fast).front if config.mixer == "auto" else None
        self._front = None
        if self.leveller is not None:
            self._front = FrontEnd(form, config, self.tables, self._kernels, self.leveller, self._track_offsets)
        self.chunk = max(1, _CHUNK // ((self.tables.rows + 1) * self.tables.size))
        self._grid = _aligned(0, self.tables.rows + 1, self.tables.size)
        self._buffer: Floats | None = None

    def receive(
        self, samples: Samples, *, full_scale: float | None = None, known: Shape | None = None
    ) -> Sequence[FrameReception]:
        """All complete frames in a window, in order of time.

        Args:
            samples: complex64 [n], 1.0 = full scale of the converter; or raw int16 [n, 2].
            full_scale: int16 value of full scale, with raw samples.
            known: what the frame before said of the channels' shape (`FrameReception.shape`), where the configuration has a
                `shape_memory`; all frames in the window begin with it.

        Raises:
            ShapeError: samples of another type or shape, or raw ones without their full scale.
        """
        stream = StreamReceiver(self.form, self.config, receiver=self, buffer=self._buffer, known=known)
        frames = stream.push(samples, full_scale=full_scale, last=True)
        self._buffer = stream.buffer
        return frames

    def receive_windows(self, windows: Iterable[Samples], *, full_scale: float | None = None) -> list[list[FrameReception]]:
        """What `receive` gives for each of many windows, to the bit, at a lower cost a window.

        Args:
            windows: as for `receive`; full_scale: of raw ones.

        Raises:
            ShapeError: as `receive`.
        """
        out: list[list[FrameReception]] = []
        kept: list[Floats] = []
        places: list[tuple[int, Hit]] = []
        form, length = self.form, self.form.samples

        def keep(samples: Floats, origin: int, found: Sequence[Hit]) -> None:
            for item in found:
                first = item.position - form.preamble_start - origin
                kept.append(samples[2 * first : 2 * (first + length)].copy())
                places.append((len(out) - 1, item))

        def flush() -> None:
            batch = FrameBatch(form, self.config, self.tables, len(kept))
            moved = [item._replace(position=k * length + form.preamble_start) for k, (_, item) in enumerate(places)]
            good = self.take(np.concatenate(kept), 0, moved, batch)
            left = [place for place, stays in zip(places, good, strict=True) if stays]
            batch.starts[:] = torch.tensor([item.position - form.preamble_start for _, item in left], dtype=torch.int64)
            for (window, _), frame in zip(left, batch, strict=True):
                out[window].append(frame)
            kept.clear()
            places.clear()

        for window in windows:
            out.append([])
            search = Searcher(form, self.detector, keep, self._buffer, self.leveller)
            search.push(self.checked(window, full_scale), full_scale=full_scale or 1.0, last=True)
            self._buffer = search.buffer
            if len(kept) >= self.chunk:
                flush()
        if kept:
            flush()
        return out

    def at(self, samples: Samples, start: int, *, full_scale: float | None = None) -> FrameReception | None:
        """The frame that is known to begin at a sample of a window, whether or not it can be found there; no CFO is searched.

        For the power of frames that were sent and lost, on a bench whose radios share a clock. None where the window is too
        short. Its metric is NaN.

        Args:
            samples: complex64 [n], 1.0 = full scale of the converter; or raw int16 [n, 2].
            start: of the frame's first (silent) sample.
            full_scale: int16 value of full scale, with raw samples.

        Raises:
            ShapeError: as `receive`.
        """
        array = self.checked(samples, full_scale)
        if not 0 <= start <= len(array) - self.form.samples:
            return None
        part = _scaled(array[start : start + self.form.samples], full_scale)
        batch = FrameBatch(self.form, self.config, self.tables)
        rows = batch.more(1)
        rows.starts[:], rows.metric[:], rows.coarse[:], rows.trust[:] = start, math.nan, 0.0, 0.0
        self._take(part.view(np.float32), np.zeros(1, np.int64), rows)
        return batch[0]

    def silence(self, samples: Samples, frame: FrameReception, *, full_scale: float | None = None) -> Tensor:
        """Power in everything silent of a window up to its first frame's preamble: the lead, and the silent symbol.

        Args:
            samples: the window, as for `receive`; full_scale: of a raw one.
            frame: its first frame; nobody may send ahead of it.

        Returns:
            float32 [look, active carrier], in the units of `FrameReception.noise`; looks do not overlap, in order of time.

        Raises:
            ShapeError: as `receive`.
        """
        array = self.checked(samples, full_scale)
        numerology = self.form.numerology
        end = frame.start + self.form.preamble_start - numerology.cyclic_prefix // 2  # less what rings ahead of the preamble
        first = end % numerology.fft_size
        part = _scaled(array[first:end], full_scale)
        spectra = torch.fft.fft(torch.from_numpy(part.reshape(-1, numerology.fft_size)), norm="ortho")
        power: Tensor = spectra[:, list(numerology.bins)].abs().square()
        return power

    def checked(self, samples: Samples, full_scale: float | None) -> NDArray[np.complex64] | NDArray[np.int16]:
        """Samples of a right type and shape, corrected.

        Raises:
            ShapeError: as `receive`.
        """
        array: NDArray[Any] = samples.numpy() if isinstance(samples, Tensor) else samples
        raw = array.dtype == np.int16 and array.ndim == 2 and array.shape[1] == 2 and full_scale is not None
        if not raw and (array.dtype != np.complex64 or array.ndim != 1):
            raise ShapeError(
                "Argument 'samples' must be complex64 [n], or int16 [n, 2] together with 'full_scale', "
                f"not {array.dtype} {array.shape} with full_scale = {full_scale}."
            )
        if not isinstance(self.config.mixer, Mixer):
            return array
        return self.corrected(_scaled(array, full_scale))

    def corrected(self, samples: NDArray[np.complex64]) -> NDArray[np.complex64]:
        """Samples as detection and all that follows see them, freed of a mixer that is known."""
        if not isinstance(self.config.mixer, Mixer):
            return samples
        corrected: NDArray[np.complex64] = self.config.mixer.correct(torch.from_numpy(samples)).numpy()
        return corrected

    def take(
        self, samples: Floats, origin: int, found: Sequence[Hit], batch: FrameBatch, known: Shape | None = None
    ) -> list[bool]:
        """Receive frames whose preambles were found, and append them to a batch.

        Args:
            samples: float32 [2 n], interleaved; holds the frames.
            origin: index of its first sample in the stream.
            found: their preambles, positions in the stream.
            batch: where they go.
            known: as for `receive`.

        Returns:
            whether each is a frame: without a header, sounding symbols must explain what is heard.
        """
        stays: list[bool] = []
        for first in range(0, len(found), self.chunk):
            part = found[first : first + self.chunk]
            rows = batch.more(len(part))
            for index, item in enumerate(part):
                rows.starts[index] = item.position - self.form.preamble_start
                rows.metric[index], rows.coarse[index] = item.metric, item.cfo
            rows.trust.fill(0)
            if known is not None:
                rows.known[:], rows.trust[:] = known
            self._take(samples, rows.starts - origin, rows)
            if self._numbered:
                stays += [True] * len(part)
                continue
            good = self._explained(rows)
            batch.drop(len(part), good)
            stays += good.tolist()
        return stays

    def _take(self, samples: Floats, starts: NDArray[np.int64], rows: Rows) -> None:
        rows.front[:] = 0
        if self.tables.options.locked:
            rows.mixed.fill(0)
        else:
            if self._front is not None:
                samples, starts, taken = self._front.level(samples, starts)
                rows.front[:, 0], rows.front[:, 1] = taken.real, taken.imag
            rows.mixed[:] = rows.coarse[:, None]
            for tx in range(1, self.form.transmitters):
                self._find_slot(samples, starts, tx, rows.mixed)
        spectra = self._track_offsets(samples, starts, rows)
        if self._front is not None:
            self._front.mend(samples, starts, rows, spectra)

    def _track_offsets(self, samples: Floats, starts: NDArray[np.int64], rows: Rows) -> Complexes:
        """Everything from samples to symbols, with carrier offsets that are made better where that matters; the spectra."""
        spectra = self._run(samples, starts, rows)
        if self.tables.options.locked:
            return spectra
        for _ in range(2):  # where the offset left inside a symbol would leak above a hundredth of the noise, once more
            left = (rows.links[:, :, 0] - rows.mixed) * self.tables.size
            snr = np.minimum(rows.links[:, :, 3] / rows.info[:, :1], _MOST_SNR)
            again = (math.pi**2 / 3 * left**2 * snr > 0.01).any(1).nonzero()[0]
            if not again.size:
                break
            better = rows.part(again)
            better.mixed[:] = better.links[:, :, 0]
            spectra[again] = self._run(samples, starts[again], better)
            rows.put(again, better)
        return spectra

    def _run(self, samples: Floats, starts: NDArray[np.int64], rows: Rows) -> Complexes:
        """Everything from samples to symbols for given carrier offsets; spectra, complex64 [frame, row, N]."""
        tables, count = self.tables, starts.size
        if len(self._grid) < count:
            self._grid = _aligned(count, *self._grid.shape[1:])
        grid = self._grid[:count]
        freqs = rows.mixed @ tables.senders_of_row.T
        self._kernels.gather(samples, starts, freqs, tables.offsets, grid.view(np.float32))
        spectra: Complexes = torch.fft.fft(torch.from_numpy(grid)).numpy()
        self._kernels.receive(spectra.view(np.float32), rows.mixed, freqs, rows)
        return spectra

    def _find_slot(self, samples: Floats, starts: NDArray[np.int64], tx: int, mixed: Doubles) -> None:
        """Carrier offset (cycles a sample) of a transmitter that the preamble says nothing of, from its slot."""
        tables, slot = self.tables, self.tables.sounding_symbols
        limit = self.config.max_cfo_hz / self.config.sample_rate_hz
        parts = max(2, math.ceil(2 * tables.spacing / tables.size))  # fractions of a carrier that the symbols' phases resolve
        grid = torch.empty((starts.size, slot, tables.size), dtype=torch.complex64)
        offsets = tables.offsets[tx * slot : (tx + 1) * slot]
        freqs, values = mixed[:, tx].copy(), np.full(starts.size, _SLOT_METRIC * tables.active * (slot - 1))
        for index in range(parts):
            base = index / (parts * tables.size)
            self._kernels.gather(samples, starts, np.full((starts.size, slot), base), offsets, _floats(grid))
            spectra = _floats(torch.fft.fft(grid))
            self._kernels.slot_offsets(spectra, tx, math.ceil(limit * tables.size), base, freqs, values)
        mixed[:, tx] = freqs

    def _explained(self, rows: Rows) -> NDArray[np.bool_]:
        """Whether sounding symbols explain what is heard in their place, where it is above the noise: else it is no frame."""
        left = rows.symbol_error[:, : self.tables.sounding_symbols].mean(1) / self.tables.active
        signal, noise = rows.links[:, 0, 3], rows.info[:, 0]
        return np.asarray((left < 2 * noise) | (signal > 0.25 * left))


class StreamReceiver:
    """Finds frames in a stream. Blocks of any size give the bits that `Receiver.receive` gives for all of it at once.

    Args:
        form: the frame format.
        config: what is known of the bench.
        fast: True: compiled kernels, False: plain ones, None: compiled if numba is installed.
        receiver: a receiver of the same format to share tables with.
        buffer: float32 storage to use again.
        known: as for `Receiver.receive`, of every frame.
    """

    def __init__(
        self, form: FrameFormat, config: ReceiverConfig, *, fast: bool | None = None, receiver: Receiver | None = None,
        buffer: Floats | None = None, known: Shape | None = None,
    ) -> None:  # fmt: skip
        self._receiver = receiver or Receiver(form, config, fast=fast)
        self._search = Searcher(form, self._receiver.detector, self._take, buffer, self._receiver.leveller)
        self._batch: FrameBatch | None = None
        self._room = 1
        self._known = known

    def push(self, samples: Samples, *, full_scale: float | None = None, last: bool = False) -> Sequence[FrameReception]:
        """The frames that these samples complete; positions count from the first sample ever pushed.

        Args:
            samples: complex64 [n], 1.0 = full scale of the converter; or raw int16 [n, 2].
            full_scale: int16 value of full scale, with raw samples.
            last: the stream ends with them; as `finish` after them, but knowing it sooner.

        Raises:
            ShapeError: samples of another type or shape, or raw ones without their full scale.
        """
        array = self._receiver.checked(samples, full_scale)
        self._room = max(1, array.shape[0] // self._receiver.form.samples)
        self._search.push(array, full_scale=full_scale or 1.0, last=last)
        return self._collect()

    def finish(self) -> Sequence[FrameReception]:
        """The stream ends here: the frames that were held back for what might have followed."""
        self._search.finish()
        return self._collect()

    @property
    def buffer(self) -> Floats:
        """The storage in use."""
        return self._search.buffer

    def _collect(self) -> Sequence[FrameReception]:
        batch, self._batch = self._batch, None
        return [] if batch is None else batch

    def _take(self, samples: Floats, origin: int, found: Sequence[Hit]) -> None:
        receiver = self._receiver
        if self._batch is None:
            self._batch = FrameBatch(receiver.form, receiver.config, receiver.tables, self._room)
        receiver.take(samples, origin, found, self._batch, self._known)


def _aligned(*shape: int) -> Complexes:
    """Storage that lies as vector code likes it, complex64."""
    storage: Complexes = torch.empty(shape, dtype=torch.complex64).numpy()
    return storage


def _floats(values: Tensor) -> Floats:
    """A view of complex64 [..., n] as interleaved float32 [..., 2 n]."""
    floats: Floats = values.numpy().view(np.float32)
    return floats


def _scaled(samples: NDArray[np.complex64] | NDArray[np.int16], full_scale: float | None) -> NDArray[np.complex64]:
    """Samples of either type as contiguous complex64, 1.0 = full scale."""
    if samples.dtype == np.int16:
        scaled: NDArray[np.complex64] = (samples.astype(np.float32) / np.float32(full_scale or 1)).view(np.complex64)[:, 0]
        return scaled
    return np.ascontiguousarray(samples, np.complex64)
