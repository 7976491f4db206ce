"""Frames whose channel is learned from the preamble: many at a time, with compiled kernels where there are any."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any, overload

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hil.phy.detector import Found
from hil.phy.frame import FrameFormat
from hil.phy.kernels import kernels
from hil.phy.leakage import edge_covariance, guard_filter
from hil.phy.reception import FrameReception, ReceiverConfig

__all__ = ["FrameBatch", "SoundedFrames"]

_MOST_SNR = 1e7
_LEVELS_DB = (-10.0, 0.0, 10.0, 20.0, 30.0, 45.0, 75.0)
Floats = NDArray[np.float32]


class FrameBatch(Sequence[FrameReception]):
    """Frames received together; each item is a `FrameReception`, the arrays hold all of them.

    Attributes:
        starts: int64 [frame]; metric: float64 [frame].
        symbols: complex64 [frame, task, use]; noise_var: float32 [frame, task, use].
        channel: complex64 [frame, task, use], the gain of `symbols` (1 for zero-forcing).
        response: complex64 [frame, active carrier]; info: float64 [frame, 8], see `hil.phy.frames_torch.receive`.
    """

    def __init__(self, owner: SoundedFrames, room: int) -> None:
        form = owner.form
        self._owner, self._shape = owner, (form.tasks, form.occupied.shape[1])
        self._count = 0
        cells = form.tasks * form.occupied.shape[1]
        self._symbols = np.empty((room, 2 * cells), np.float32)
        self._noise_var = np.empty((room, cells), np.float32)
        self._gain = np.empty((room if owner.mmse else 0, cells), np.float32)
        self._response = np.empty((room, 2 * form.numerology.fft_size), np.float32)
        self._info = np.empty((room, 8))
        self._starts = np.empty(room, np.int64)
        self._metric = np.empty(room)
        self._coarse = np.empty(room)

    def rows(self, count: int) -> dict[str, Any]:
        """Room for `count` more frames."""
        room = self._metric.shape[0]
        names = ("_symbols", "_noise_var", "_gain", "_response", "_info", "_starts", "_metric", "_coarse")
        if self._count + count > room:
            for name in names:
                old = getattr(self, name)
                more = np.empty((max(2 * room, room + count) if len(old) or name != "_gain" else 0, *old.shape[1:]), old.dtype)
                more[: len(old)] = old
                setattr(self, name, more)
        part = slice(self._count, self._count + count)
        return {name[1:]: getattr(self, name)[part] for name in names}

    def keep(self, rows: dict[str, Any], good: NDArray[np.bool_]) -> None:
        """Accept the frames just written, without those that are not `good`."""
        if not good.all():
            for values in rows.values():
                if len(values):
                    values[: int(good.sum())] = values[good]
        self._count += int(good.sum())

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> FrameReception: ...
    @overload
    def __getitem__(self, index: slice) -> list[FrameReception]: ...
    def __getitem__(self, index: int | slice) -> FrameReception | list[FrameReception]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(self._count))]
        if not -self._count <= index < self._count:
            raise IndexError(f"frame {index} of {self._count}")
        return self._owner.reception(self, index % self._count)

    @property
    def starts(self) -> Tensor:
        """First sample of each frame, int64 [frame]."""
        return torch.from_numpy(self._starts[: self._count]) - self._owner.form.preamble_start

    @property
    def metric(self) -> Tensor:
        """Detection metrics, float64 [frame]."""
        return torch.from_numpy(self._metric[: self._count])

    @property
    def symbols(self) -> Tensor:
        """Equalised symbols, complex64 [frame, task, use]."""
        return torch.from_numpy(self._symbols[: self._count].view(np.complex64)).view(-1, *self._shape)

    @property
    def noise_var(self) -> Tensor:
        """Noise variance of the symbols, float32 [frame, task, use]."""
        return torch.from_numpy(self._noise_var[: self._count]).view(-1, *self._shape)

    @property
    def channel(self) -> Tensor:
        """Gain of the symbols, complex64 [frame, task, use]; storage is shared where it is 1."""
        if len(self._gain):
            return torch.from_numpy(self._gain[: self._count]).view(-1, *self._shape).to(torch.complex64)
        return torch.ones((1, 1, 1), dtype=torch.complex64).expand(self._count, *self._shape)

    @property
    def response(self) -> Tensor:
        """Channel on the active carriers at the preamble's middle, complex64 [frame, active carrier]."""
        spectra = torch.from_numpy(self._response[: self._count].view(np.complex64))
        return spectra[:, list(self._owner.form.numerology.bins)] * self._owner.undo_advance

    @property
    def preamble_cfo(self) -> NDArray[np.float64]:
        """CFO by the preamble alone, cycles a sample, float64 [frame]."""
        return self._coarse[: self._count]

    def spectrum(self, index: int) -> Floats:
        """Channel of one frame as the FFT sees it, float32 [2 N]."""
        row: Floats = self._response[index]
        return row

    @property
    def info(self) -> NDArray[np.float64]:
        """Measurements, float64 [frame, 8]."""
        return self._info[: self._count]


class SoundedFrames:
    """Receives frames of a format without sounding symbols."""

    def __init__(self, form: FrameFormat, config: ReceiverConfig, *, fast: bool | None = None) -> None:
        self.form, self.config = form, config
        self.mmse = config.equaliser == "mmse"
        self._kernels = kernels(fast)[1]
        numerology = form.numerology
        size, length = numerology.fft_size, form.config.preamble_samples
        carriers = np.fft.fftfreq(size, 1 / size).round()
        self._carriers = carriers.astype(np.float64)
        active = np.zeros(size, np.float32)
        active[list(numerology.bins)] = 1
        guard = 1 - active
        guard[0] = 0 if guard.sum() > 1 else guard[0]  # DC offset is not noise
        self._active, self._guard = active, guard
        self._symbols = form.symbols
        self._first = length + numerology.cyclic_prefix - config.advance
        self._sampled = numerology.active / size
        self._rows_first = numerology.cyclic_prefix
        self._solvers(carriers, active > 0)
        leak_bins, noisy, quiet = guard_filter(numerology, config.advance, 1e-3)
        _, clean, _ = guard_filter(numerology, config.advance, 1e-5)
        self._leak = (leak_bins, *_parts(np.stack([noisy, clean])), *_parts(quiet))
        bins = np.array(numerology.bins)
        segment = form.segments[0] if form.segments else None
        pilots = form.pilots_of(segment, 0) if segment else list(numerology.pilot_positions)
        known = form.pilot_symbols.numpy()[: self._symbols, pilots]
        self._pilot_bins = bins[pilots].astype(np.int64)
        self._pilot_r, self._pilot_i = known.real.copy(), known.imag.copy()
        self._data_bins = bins[list(numerology.data_positions)].astype(np.int64)
        self._dest = np.full(self._symbols * self._data_bins.size, -1, np.int64)
        if segment is not None:
            task, use = torch.meshgrid(torch.arange(form.tasks), segment.uses, indexing="ij")
            self._dest[segment.cells.numpy()] = (task * form.occupied.shape[1] + use).flatten().numpy()
        clock = 2 * math.pi * config.max_clock_ppm * 1e-6 * numerology.symbol_samples / size
        self._ridge = np.array([float(config.max_cfo_hz > 0), max(clock**2, 1e-18)])
        undo = np.exp(2j * np.pi / size * config.advance * np.array(numerology.carriers))
        self.undo_advance = torch.from_numpy(undo.astype(np.complex64))
        self._grid = np.empty((0, self._symbols, 2 * size), np.float32)

    def _solvers(self, carriers: NDArray[np.float64], active: Any) -> None:
        """Regularised least squares of the channel's taps from the preamble, one solver for each range of SNR.

        Rows start a cyclic prefix into the preamble (what was sent before it may leak so far) and end before samples
        that a tap ahead of time would take from the payload. The prior spreads |H|² evenly over the taps.
        """
        form, config = self.form, self.config
        numerology = form.numerology
        length = form.config.preamble_samples
        sent = form.preamble_design.samples * math.sqrt(self._sampled)
        delays = np.arange(-config.taps_before, config.taps_after + 1)
        rows = np.arange(self._rows_first, length - config.taps_before)
        index = rows[:, None] - delays[None, :]
        matrix = np.where(index >= 0, sent[np.clip(index, 0, length - 1)], 0)
        spill = edge_covariance(
            rows.size, self._rows_first, config.taps_before + 1, numerology, float(numerology.cyclic_prefix)
        )
        solvers = []
        for level_db in _LEVELS_DB:
            noise = 10 ** (-level_db / 10)
            weighted = np.linalg.solve(spill + noise * np.eye(rows.size), matrix).conj().T
            solver = np.linalg.solve(weighted @ matrix + delays.size * np.eye(delays.size), weighted)
            # The prior shrinks every tap; dividing by a shrunken channel would swell the symbols.
            kept = np.trace(solver @ matrix).real / np.linalg.matrix_rank(matrix, tol=0.05 * np.linalg.norm(matrix, 2))
            solvers.append(solver / min(1.0, kept))
        solver = np.stack(solvers)
        # Rows of zeros up to the preamble's end: loops over a multiple of 16 are faster.
        solver = np.pad(solver, ((0, 0), (0, 0), (0, length - self._rows_first - rows.size)))
        self._solve_r, self._solve_i = _parts(solver)
        basis = np.exp(-2j * np.pi / numerology.fft_size * (delays[:, None] + config.advance) * carriers[None, :]) * active
        self._basis_r, self._basis_i = _parts(basis)
        middle = [(a + b) / 2 for a, b in itertools.pairwise(_LEVELS_DB)]
        self._levels = np.array([*(10 ** (value / 10) for value in middle), np.inf], np.float32)

    def batch(self, room: int) -> FrameBatch:
        """An empty batch with room for some frames."""
        return FrameBatch(self, max(1, room))

    def receive(self, samples: Floats, origin: int, found: Sequence[Found], batch: FrameBatch) -> None:
        """Receive frames and append them to a batch.

        Args:
            samples: float32 [2 n], interleaved; holds the frames from preamble to end.
            origin: index of its first sample in the stream.
            found: their preambles, positions in the stream.
            batch: where they go.
        """
        count, size = len(found), self.form.numerology.fft_size
        rows = batch.rows(count)
        places = np.array([item.position for item in found], np.int64)
        freqs = np.array([item.cfo for item in found], np.float64)
        rows["starts"][:] = places
        rows["coarse"][:] = freqs
        rows["metric"][:] = [item.metric for item in found]
        local = places - origin
        self._run(samples, local, freqs, rows)
        if self._ridge[0]:  # where the CFO left inside a symbol would leak above a hundredth of the noise, once more
            info = rows["info"]
            left = (info[:, 3] - freqs) * size
            again = (math.pi**2 / 3 * left**2 * np.minimum(info[:, 7], _MOST_SNR) > 0.01).nonzero()[0]
            for index in again:
                part = slice(index, index + 1)
                for _ in range(2):
                    better = info[part, 3].copy()
                    self._run(samples, local[part], better, {name: values[part] for name, values in rows.items()})
        snr, match = rows["info"][:, 7], rows["info"][:, 6]
        # A foreign signal that resembles the preamble has no pilots: at good SNR they must explain what is heard there.
        batch.keep(rows, ~((snr > 2) & (match < 0.25 * snr / (1 + snr))))

    def _run(self, samples: Floats, local: NDArray[np.int64], freqs: NDArray[np.float64], rows: dict[str, Any]) -> None:
        count, size = local.size, self.form.numerology.fft_size
        if self._grid.shape[0] < count:
            self._grid = np.empty((count, self._symbols, 2 * size), np.float32)
        grid = self._grid[:count]
        spacing = self.form.numerology.symbol_samples
        self._kernels.gather(samples, local, freqs, self._first, spacing, grid)
        spectra = torch.fft.fft(torch.from_numpy(grid.view(np.complex64)))
        self._kernels.receive(
            samples, local, freqs, spectra.numpy().view(np.float32), self._rows_first, self.form.config.preamble_samples,
            self._first, spacing, self._levels, self._solve_r, self._solve_i, self._basis_r, self._basis_i, self._active,
            self._guard, self._carriers, self._pilot_bins, self._pilot_r, self._pilot_i, self._data_bins, self._dest,
            self._sampled, *self._leak, self._ridge, self.config.phase_walk_rad2, self.mmse, rows["symbols"], rows["noise_var"],
            rows["gain"], rows["response"], rows["info"],
        )  # fmt: skip

    def reception(self, batch: FrameBatch, index: int) -> FrameReception:
        """One frame of a batch."""
        info = batch.info[index]
        spectrum = torch.from_numpy(batch.spectrum(index).view(np.complex64))
        response = spectrum[list(self.form.numerology.bins)] * self.undo_advance
        rate = self.config.sample_rate_hz
        return FrameReception(
            number=None,
            start=int(batch.starts[index]),
            metric=float(batch.metric[index]),
            header_margin=math.nan,
            cfo_hz=torch.tensor([info[3] * rate], dtype=torch.float64),
            signal=torch.tensor([info[2]], dtype=torch.float32),
            noise=float(info[0]),
            null_noise=float(info[0]),
            response=response[None],
            symbols=batch.symbols[index],
            channel=batch.channel[index][None],
            noise_var=batch.noise_var[index],
            pilot_noise=float(info[1]),
            preamble_cfo_hz=float(batch.preamble_cfo[index] * rate),
            reference_cfo_hz=float(info[3] * rate),
            clock_ppm=torch.tensor([info[4] * 1e6], dtype=torch.float64),
        )


def _parts(values: Any) -> tuple[Floats, Floats]:
    return np.ascontiguousarray(values.real, np.float32), np.ascontiguousarray(values.imag, np.float32)
