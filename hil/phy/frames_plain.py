"""Frame kernels without compiled code (numpy): one frame at a time, vectorised inside; and what they are to do.

`hil.phy.frames_numba` has the same class, whose results agree to float rounding. The bits of a frame do not depend on the
others that are handed over with it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hil.phy import header
from hil.phy.reception import Rows
from hil.phy.shape_plain import join
from hil.phy.tables import Pair, Tables
from hil.phy.tracking_plain import held, slot_rate, smooth, spin, square, track, window_for

__all__ = ["FrameKernels"]

_CLEAN, _CLEANER = 300.0, 3000.0
Floats = NDArray[np.float32]
Complexes = NDArray[Any]


def _power(values: Complexes) -> float:
    return float(np.vdot(values, values).real) / values.size if values.size else 0.0


def _joined(pair: Pair) -> Complexes:
    return np.asarray(pair[0] + 1j * pair[1], np.complex64)


@dataclass(kw_only=True)
class _Link:
    """One transmitter as its slot, and then its pilots, told.

    `mixed`: cycles a sample that the slot was freed of; `time`: sample of the slot's middle; `rate`: phase step a symbol
    beyond `mixed`, `variance`: its own; `tilt`: phase that the clock adds a carrier and symbol; `response`: [active], and its
    mean power `strength`; `power`: the same, unbiased; `error`: [active], of the response, over the noise.
    """

    mixed: float
    time: float
    rate: float
    variance: float
    tilt: float
    response: Complexes
    strength: float
    power: float
    error: Any


class _Sender(NamedTuple):
    """Who sends in a segment: `places` and signed `carriers` of its pilots; their conjugates, complex64 [row, pilot]."""

    tx: int
    places: Any
    carriers: Any
    pilots: Complexes


class _Segment(NamedTuple):
    """A segment's rows among all and its cells among the payload's; first samples of its rows' windows; who sends.

    `filled`: rows and carriers of its fillers; `filler`: what is sent there.
    """

    rows: slice
    cells: slice
    offsets: Any
    senders: list[_Sender]
    filled: tuple[Any, Any]
    filler: Complexes


class FrameKernels:
    """Kernels for frames of one format.

    Args:
        tables: the format, and how the receiver looks at it.
    """

    def __init__(self, tables: Tables) -> None:
        self._tables, self._options = tables, tables.options
        self._undo, self._sounding, self._basis = map(_joined, (tables.undo, tables.sounding, tables.basis))
        self._known, self._leak = _joined(tables.known), _joined(tables.leak)
        self._payload = tables.rows - tables.payload_rows
        self._leverage = tables.leverage / tables.sounding_symbols
        self._segments = [self._segment(index) for index in range(len(tables.segments))]

    def _segment(self, index: int) -> _Segment:
        tables = self._tables
        first, count, sending = tables.segments[index]
        rows = slice(self._payload + first, self._payload + first + count)
        cells = slice(first * tables.active, (first + count) * tables.active)
        fillers = tables.fillers[(tables.fillers >= cells.start) & (tables.fillers < cells.stop)]
        senders = []
        for tx, pilots in zip(tables.senders[index, :sending], tables.pilots[index], strict=False):
            places = pilots[pilots >= 0]
            known = self._known[first : first + count, places].conj()
            senders.append(_Sender(int(tx), places, tables.carriers[places], known))
        filled = np.divmod(fillers - cells.start, tables.active)
        return _Segment(rows, cells, tables.offsets[rows], senders, filled, self._known.reshape(-1)[fillers])

    def gather(self, y: Floats, starts: Any, freqs: Any, offsets: Any, out: Floats) -> None:
        """FFT windows of some rows, each freed of a carrier offset.

        Args:
            y: float32 [2 n], interleaved samples.
            starts: int64 [frame], first sample of each frame.
            freqs: float64 [frame, row], carrier offsets, cycles a sample; phase 0 at the frame's start.
            offsets: int64 [row], first sample of each window, from the frame's start.
            out: float32 [frame, row, 2 N], interleaved.
        """
        index = offsets[:, None] + np.arange(out.shape[2] // 2)
        samples, target = y.view(np.complex64), out.view(np.complex64)
        for frame, start in enumerate(starts):
            target[frame] = samples[start + index]
            if freqs[frame].any():
                target[frame] *= spin(-2 * math.pi * freqs[frame][:, None] * index)

    def slot_offsets(self, grid: Floats, tx: int, limit: int, base: float, freqs: Any, values: Any) -> None:
        """Carrier offset of a transmitter from its slot: differential correlation at every whole number of carriers.

        Args:
            grid: float32 [frame, symbol, 2 N], spectra of its slot, freed of a carrier offset `base` (cycles a sample).
            tx: the transmitter; limit: most carriers.
            freqs: float64 [frame], replaced where a better offset is found (cycles a sample).
            values: float64 [frame], |Σ z[m + 1] z*[m]|² over the mean power squared, the best until now.
        """
        tables = self._tables
        carriers = tables.carriers.astype(np.int64)
        for frame, rows in enumerate(grid.view(np.complex64)):
            power = max(_power(rows), 1e-30)
            for shift in range(-limit, limit + 1):
                looks = rows[:, (carriers + shift) % tables.size] * self._sounding[tx]
                product = complex(np.vdot(looks[:-1], looks[1:]))
                value = abs(product) ** 2 / power**2
                if value > values[frame]:
                    values[frame] = value
                    turns = math.atan2(product.imag, product.real) / (2 * math.pi) - shift * tables.spacing / tables.size
                    freqs[frame] = base + shift / tables.size + (turns - round(turns)) / tables.spacing

    def receive(self, grid: Floats, mixed: Any, freqs: Any, out: Rows) -> None:
        """Channels, tracks and equalised symbols of some frames.

        Args:
            grid: float32 [frame, row, 2 N], FFTs (not scaled) of the windows that `gather` makes; the last is the silent one.
            mixed: float64 [frame, tx], carrier offsets (cycles a sample) that the sounding slots were freed of.
            freqs: float64 [frame, row], the same of all rows.
            out: where results go.
        """
        tables = self._tables
        for f in range(grid.shape[0]):
            spectra = grid[f].view(np.complex64)
            y = np.concatenate([spectra[:, tables.size - tables.half :], spectra[:, 1 : tables.half + 1]], 1) * self._undo
            noise = max(_power(y[-1]), 1e-30)
            y = self._unleaked(spectra, y[:-1], noise)
            out.stated[f], out.carrier_error[f], out.symbol_error[f] = noise, 0, 0
            links = [self._sound(y, t, float(mixed[f, t]), noise, out, f) for t in range(tables.transmitters)]
            sounded = spectra[: tables.transmitters * tables.sounding_symbols]
            null = _power(sounded[:, tables.null_bins]) / tables.size
            number, margin = self._header(y, links[0])
            pilots = self._payload_of(y, links, freqs[f], noise, out, f)
            out.info[f] = noise, null, -1 if number is None else number, margin, pilots

    def _unleaked(self, spectra: Complexes, y: Complexes, noise: float) -> Complexes:
        """Active carriers less what the guard carriers tell of leakage, where that is above the noise."""
        tables = self._tables
        sounded = tables.transmitters * tables.sounding_symbols
        signal = _power(y[:sounded]) - noise
        limit = tables.leak_limit * signal + 2 * noise
        if signal <= _CLEAN * noise or _power(spectra[:sounded, tables.guard]) / tables.size >= limit:
            return y
        leak = self._leak[int(signal > _CLEANER * noise)]
        return np.asarray(y - (spectra[:-1, tables.guard] @ leak) * self._undo)

    def _sound(self, y: Complexes, tx: int, mixed: float, noise: float, out: Rows, f: int) -> _Link:
        """Channel of one transmitter from its slot."""
        tables, locked, count = self._tables, self._options.locked, self._tables.sounding_symbols
        rows = slice(tx * count, (tx + 1) * count)
        looks = y[rows] * self._sounding[tx]
        index = np.arange(count) - 0.5 * (count - 1)
        tilt = 0.0 if locked else 2 * math.pi / tables.size * self._options.drift * mixed * tables.spacing
        if tilt:
            looks = looks * spin(-tilt * index[:, None] * tables.carriers)
        rate = 0.0 if locked else slot_rate(looks @ self._basis.conj().T)
        if rate:
            looks = looks * spin(-rate * index)[:, None]
        total = looks.sum(0)
        mean, error = self._joined(looks, total / count, out, f, tx, noise)
        response = (self._basis.conj() @ mean) @ self._basis
        errors = square(looks - response) * (1 / (1 - error))
        out.carrier_error[f] += errors.sum(0)
        out.symbol_error[f, rows] = errors.sum(1)
        strength = float(square(response).sum())
        weight = max(strength * count * (count**2 - 1.0) / 12, 1e-60)
        if locked:
            rate = float((looks @ response.conj()).imag @ index) / weight
        together, apart = float(np.vdot(total, total).real), float(np.vdot(looks, looks).real)
        power = (together - apart) / (count * (count - 1.0) * tables.active)
        scale = 1 / (2 * math.pi * tables.spacing)
        out.response[f, tx] = response.astype(np.complex64).view(np.float32)
        out.links[f, tx] = mixed + rate * scale, math.sqrt(0.5 * noise / weight) * scale, tilt * tables.size * scale, power
        return _Link(
            mixed=mixed, time=float(tables.offsets[tx * count] + 0.5 * (count - 1) * tables.spacing), rate=rate,
            variance=0.5 / weight, tilt=tilt, response=response, strength=strength / tables.active, power=power, error=error,
        )  # fmt: skip

    def _joined(self, looks: Complexes, mean: Complexes, out: Rows, f: int, tx: int, noise: float) -> tuple[Complexes, Any]:
        """Mean look at a channel, with what is known of its shape, and the error of its projection over the noise."""
        tables, count, trust = self._tables, len(looks), out.trust[f, tx]
        out.memory[f, tx] = count, 1, 0, self._leverage.mean()
        if not min(trust[0], self._options.memory) > 0:
            return mean, self._leverage
        projected = float(square(self._basis.conj() @ mean).sum())
        left = (float(np.vdot(looks, looks).real) - count * projected) / (looks.size - len(self._basis))
        joined = join(
            mean, count, out.known[f, tx].view(np.complex64), trust, max(noise, left), self._basis, tables.leverage,
            tables.carriers, tables.size, self._options.memory,
        )  # fmt: skip
        agreed = joined.mean is not None
        out.memory[f, tx] = joined.weight, joined.unrest, 1 if agreed else -1, joined.error.mean()
        return (mean if joined.mean is None else joined.mean), joined.error

    def _header(self, y: Complexes, link: _Link) -> tuple[int | None, float]:
        tables = self._tables
        first, symbols, repetitions = tables.header
        if not repetitions:
            return None, math.nan
        rows = slice(first, first + symbols)
        matched = y[rows][:, tables.data] * link.response[tables.data].conj()
        if not self._options.locked:
            matched = matched * spin(-link.rate * (tables.offsets[rows] - link.time) / tables.spacing)[:, None]
        return header.decode(matched.reshape(-1)[: header.USES * repetitions].astype(np.complex64))

    def _payload_of(self, y: Complexes, links: list[_Link], freqs: Any, noise: float, out: Rows, f: int) -> float:
        """Tracks, symbols and observed errors of all segments; mean error power of the pilots."""
        tables = self._tables
        even = np.zeros(tables.payload_rows * tables.active + 1, np.complex64)  # the last is for uses that are not occupied
        variance = np.zeros(even.size, np.float32)
        gains = np.zeros((tables.transmitters, even.size), np.complex64)
        errors, judged = 0.0, 0
        for segment in self._segments:
            rows, who = segment.rows, [sender.tx for sender in segment.senders]
            own = np.empty((len(who), rows.stop - rows.start, tables.active), np.complex64)
            share = np.zeros(tables.active)
            for sender, response in zip(segment.senders, own, strict=True):
                freq = float(freqs[rows.start])
                errors += self._track(y[rows], segment, sender, links[sender.tx], freq, noise, response, share, out, f)
                judged += sender.pilots.size
            strengths = [links[tx].strength for tx in who]
            if not self._options.locked and len(who) > 1:
                offsets = (out.links[f, who, 0] - out.links[f, who, 0].mean()) * tables.size
                out.stated[f, rows] += math.pi**2 / 3 * float(offsets**2 @ strengths)
            stated = float(out.stated[f, rows.start])
            weight = self._weight(own, stated, math.sqrt(sum(strengths) / len(who)))
            even[segment.cells] = (y[rows] * weight).ravel()
            variance[segment.cells] = (stated * square(weight)).ravel()
            for tx, response in zip(who, own * weight, strict=True):
                gains[tx, segment.cells] = response.ravel()
            if segment.filled[0].size:
                row, place = segment.filled
                left = y[rows][row, place] - own[:, row, place].sum(0) * segment.filler
                left = square(left) / (1 + share[place])
                np.add.at(out.carrier_error[f], place, left)
                np.add.at(out.symbol_error[f], row + rows.start, left)
        out.symbols[f] = even[tables.cells].view(np.float32)
        out.noise_var[f] = variance[tables.cells]
        out.channel[f] = gains.take(tables.cells, axis=1).view(np.float32)
        return errors / judged if judged else math.nan

    def _track(
        self, y: Complexes, segment: _Segment, sender: _Sender, link: _Link, freq: float, noise: float, own: Complexes,
        share: Any, out: Rows, f: int,
    ) -> float:  # fmt: skip
        """One sender's response over a segment's rows.

        Args:
            y: complex64 [row, active], the segment's; freq: cycles a sample that they were freed of; noise: power a carrier.
            own: output, complex64 [row, active]; share: added to, noise of the estimate over σ²; out, f: where results go.

        Returns:
            sum of the pilots' errors, each against a track that left it out.
        """
        tables, locked, walk, places = self._tables, self._options.locked, self._options.walk, sender.places
        expected = link.response[places]
        time, power = (segment.offsets - link.time) / tables.spacing, square(expected).astype(np.float64)
        looks = (y[:, places] * (expected.conj() * sender.pilots)).astype(complex)
        sigma = max(noise, 1e-7 * link.strength)
        floor = sigma / (tables.sounding_symbols * tables.active * max(link.strength, 1e-60))
        prior = np.array(
            [floor + walk * time[0], 4 * sigma * link.variance + walk / time[0], max(self._options.clock**2, 1e-24)]
        )
        scale, tilt = 1 / (2 * math.pi * tables.spacing), 0.0
        if locked:  # measured, not taken out
            common = (looks.sum(1) * spin(-link.rate * time))[:, None]
            theta, variance = track(common, power.sum(keepdims=True), np.zeros(1), time, sigma, prior)
        else:
            line = 2 * math.pi * (link.mixed - freq) * (segment.offsets + 0.5 * (tables.size - 1)) + link.rate * time
            looks *= spin(-line[:, None] - link.tilt * time[:, None] * sender.carriers)
            theta, variance = track(looks, power, sender.carriers, time, sigma, prior)
            looks *= spin(-theta[0] - time[:, None] * (theta[1] + theta[2] * sender.carriers))
            line, tilt = line + theta[0] + theta[1] * time, link.tilt + theta[2]
        cfo, clock = link.mixed + (link.rate + theta[1]) * scale, tilt * tables.size * scale
        out.links[f, sender.tx, :3] = cfo, math.sqrt(variance) * scale, clock
        window = window_for(noise, link.strength, places.size, walk)
        hold = 0.0
        if self._options.wander:
            sounded = 0.5 * noise / (tables.sounding_symbols * tables.active * max(link.strength, 1e-30))
            hold = held(looks, self._options.wander + sounded, 0.5 * noise)
        turn, without, inflated = smooth(looks, power, window, hold)
        turn = turn if locked else turn * spin(line)
        np.multiply(turn.astype(np.complex64)[:, None], link.response, out=own)
        if tilt:
            own *= spin(tilt * time[:, None] * tables.carriers)
        heard = max(power.sum() * min(window, time.size) + hold, 1e-60)
        share += link.error + 0.5 * square(link.response) / heard
        errors = square(looks - power * without) / (np.maximum(power, 1e-60) * (1 + link.error[places] + inflated))
        out.carrier_error[f, places] += errors.sum(0)
        by_symbol = errors.sum(1)
        out.symbol_error[f, segment.rows] += by_symbol
        return float(by_symbol.sum())

    def _weight(self, own: Complexes, stated: float, rms: float) -> Complexes:
        """What received cells are multiplied with, [row, active]: 1/Ḡ, or regularised by the noise."""
        options = self._options
        more = stated / len(own) if options.mmse else 0.0
        if options.reference or (len(own) > 1 and not options.aligned):
            constant = options.reference or rms
            return np.full(own.shape[1:], constant / max(constant**2 + more, 1e-30), np.float32)
        mean = sum(own[1:], own[0]) * np.float32(1 / len(own)) if len(own) > 1 else own[0]
        return np.asarray(mean.conj() * (1 / np.maximum(square(mean) + np.float32(more), np.float32(1e-30))))
