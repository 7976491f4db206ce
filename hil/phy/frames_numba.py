"""Compiled frame kernels (numba): spectra of a frame's rows to tasks' symbols; the same as `hil.phy.frames_plain`.

One call handles a batch of frames, each on its own and always in the same order of operations, so that the bits of a
frame do not depend on which batch it came in. Real and imaginary parts lie apart, neighbouring carriers in neighbouring
lanes of a vector.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numba import njit

from hil.phy import header
from hil.phy.equalise_numba import equalise, leaking, rms
from hil.phy.header_numba import decode
from hil.phy.reception import Rows
from hil.phy.sounding_numba import power, power_of, sound, to_active, unleak
from hil.phy.tables import Options, Tables
from hil.phy.tracking_numba import FAST, follow, held, looks, phasors, smooth, turn_on

__all__ = ["FrameKernels"]

_CLEAN = np.float32(300.0)
_CLEANER = np.float32(3000.0)


class _Constants(NamedTuple):
    """`hil.phy.tables.Tables` as compiled code takes it: complex arrays in two parts."""

    size: int
    spacing: int
    half: int
    slot: int
    header_row: int
    repetitions: int
    leak_limit: np.float32
    everywhere: bool
    offsets: Any
    null_bins: Any
    undo_r: Any
    undo_i: Any
    sounding_r: Any
    sounding_i: Any
    basis_r: Any
    basis_i: Any
    leverage: Any
    data: Any
    known_r: Any
    known_i: Any
    segments: Any
    senders: Any
    pilots: Any
    targets: Any
    fillers: Any
    guard: Any
    leak_r: Any
    leak_i: Any
    words: Any
    scramble: Any


class _Links(NamedTuple):
    """Each transmitter as its slot, and then its pilots, told.

    Attributes:
        hr, hi: float32 [tx, carrier], response; error: float64 [tx, carrier], its error over the noise.
        strength: its mean power; power: the same, unbiased.
        mixed: cycles a sample that the slot was freed of; time: sample of the slot's middle, by the first window's start.
        rate: phase step a symbol beyond `mixed`; variance: its own, over the noise.
        tilt: phase that the clock adds a carrier and symbol, as far as it is known at the slot; bent: with what pilots say.
        begin: symbols from the slot's middle to a segment's first row.
        turn_r, turn_i: float32 [tx, payload row], common phase since the slot.
    """

    hr: Any
    hi: Any
    error: Any
    strength: Any
    power: Any
    mixed: Any
    time: Any
    rate: Any
    variance: Any
    tilt: Any
    bent: Any
    begin: Any
    turn_r: Any
    turn_i: Any


@njit(cache=True, fastmath=FAST, error_model="numpy")
def _gather(y, starts, freqs, offsets, out):
    """FFT windows of some rows, each freed of a carrier offset."""
    frames, rows, width = out.shape
    size = width // 2
    tr, ti = np.empty(size, np.float32), np.empty(size, np.float32)
    for f in range(frames):
        known = 0.0
        for r in range(rows):
            base = starts[f] + offsets[r]
            part = y[2 * base : 2 * (base + size)]
            row = out[f, r]
            freq = freqs[f, r]
            if freq == 0:
                row[:] = part
                continue
            if freq != known:
                phasors(tr, ti, freq, np.float32(1))
                known = freq
            angle = -2 * math.pi * freq * offsets[r]
            c, s = np.float32(math.cos(angle)), np.float32(math.sin(angle))
            for i in range(size):
                a = part[2 * i] * tr[i] - part[2 * i + 1] * ti[i]
                b = part[2 * i] * ti[i] + part[2 * i + 1] * tr[i]
                row[2 * i] = a * c - b * s
                row[2 * i + 1] = a * s + b * c


@njit(cache=True, fastmath=FAST, error_model="numpy")
def _slot_offsets(grid, half, sr, si, limit, base, spacing, best, value):
    """Carrier offset of a transmitter from its slot: differential correlation at every whole number of carriers."""
    frames, rows, width = grid.shape
    size = width // 2
    for f in range(frames):
        total = np.float32(0)
        for m in range(rows):
            for i in range(width):
                total += grid[f, m, i] * grid[f, m, i]
        total = max(total / (rows * size), np.float32(1e-30))
        for shift in range(-limit, limit + 1):
            a, b = np.float32(0), np.float32(0)
            for c in range(2 * half):
                n = (_carrier(c, half) + shift) % size
                pr, pi = np.float32(0), np.float32(0)
                for m in range(rows):
                    x, y = grid[f, m, 2 * n], grid[f, m, 2 * n + 1]
                    qr = x * sr[m, c] - y * si[m, c]
                    qi = x * si[m, c] + y * sr[m, c]
                    a += qr * pr + qi * pi
                    b += qi * pr - qr * pi
                    pr, pi = qr, qi
            height = (a * a + b * b) / (total * total)
            if height > value[f]:
                value[f] = height
                turns = math.atan2(b, a) / (2 * math.pi) - shift * spacing / size
                best[f] = base + shift / size + (turns - round(turns)) / spacing


@njit(cache=True)
def _carrier(place, half):
    """Signed carrier of an active one."""
    return place - half if place < half else place - half + 1


@njit(cache=True, error_model="numpy")
def _links(yr, yi, mixed, t, options, noise, spare, carrier_error, symbol_error, told, response, known, trust, memory):
    """Sounding of every transmitter."""
    many, active = mixed.shape[0], 2 * t.half
    hr, hi = np.empty((many, active), np.float32), np.empty((many, active), np.float32)
    turn = np.empty((2, many, t.known_r.shape[0]), np.float32)
    out = np.zeros((9, many))
    links = _Links(
        hr,
        hi,
        np.empty((many, active)),
        out[0],
        out[1],
        mixed,
        out[2],
        out[3],
        out[4],
        out[5],
        out[6],
        out[7],
        turn[0],
        turn[1],
    )
    scale = 1 / (2 * math.pi * t.spacing)
    for k in range(many):
        part = slice(k * t.slot, (k + 1) * t.slot)
        if not options.locked:
            links.tilt[k] = 2 * math.pi / t.size * options.drift * mixed[k] * t.spacing
        links.power[k], links.strength[k], links.rate[k], links.variance[k] = sound(
            yr[part], yi[part], t.sounding_r[k], t.sounding_i[k], t.basis_r, t.basis_i, t.leverage, links.tilt[k],
            options.locked, noise, t.size, options.memory, known[k], trust[k], spare, hr[k], hi[k], links.error[k], memory[k],
            carrier_error, symbol_error[part],
        )  # fmt: skip
        links.time[k] = t.offsets[k * t.slot] + 0.5 * (t.slot - 1) * t.spacing
        told[k, 0] = mixed[k] + links.rate[k] * scale
        told[k, 1] = math.sqrt(noise * links.variance[k]) * scale
        told[k, 2] = links.tilt[k] * t.size * scale
        told[k, 3] = links.power[k]
        for c in range(active):
            response[k, 2 * c] = hr[k, c]
            response[k, 2 * c + 1] = hi[k, c]
    return links


@njit(cache=True, error_model="numpy")
def _track(
    yr, yi, known_r, known_i, places, k, links, freq, middle, inside, t, options, noise, own, told, carrier_error, errors
):  # fmt: skip
    """One sender's phase over a segment's rows, and its clock.

    Args:
        yr, yi, known_r, known_i: [row, carrier], the segment's; places: the sender's pilots; k: the sender.
        freq: cycles a sample that the rows were freed of; middle: sample of the first row's middle; inside: payload rows.
        own: added to: noise of the estimate over σ²; told, carrier_error, errors: as in `Rows`.

    Returns:
        sum of the pilots' errors.
    """
    count, active = yr.shape
    pilots = 0
    while pilots < places.shape[0] and places[pilots] >= 0:
        pilots += 1
    places = places[:pilots]
    carriers, strengths = np.empty(pilots), np.empty(pilots)
    for p in range(pilots):
        carriers[p] = _carrier(places[p], active // 2)
        strengths[p] = links.hr[k, places[p]] ** 2 + links.hi[k, places[p]] ** 2
    tau = links.begin[k]
    rate = 0.0 if options.locked else links.rate[k]
    turning = 2 * math.pi * (links.mixed[k] - freq)
    vr, vi = np.empty((pilots, count)), np.empty((pilots, count))
    looks(
        yr, yi, known_r, known_i, places, links.hr[k], links.hi[k], turning * middle + rate * tau, turning * t.spacing + rate,
        links.tilt[k], tau, vr, vi,
    )  # fmt: skip
    sigma = max(np.float64(noise), 1e-7 * links.strength[k])
    prior = np.empty(3)
    prior[0] = sigma / (t.slot * active * max(links.strength[k], 1e-60)) + options.walk * tau
    prior[1] = 4 * sigma * links.variance[k] + options.walk / tau
    prior[2] = max(options.clock * options.clock, 1e-24)
    theta = np.zeros(3)
    variance = follow(vr, vi, strengths, carriers, tau, sigma, prior, theta, options.locked, links.rate[k])
    scale = 1 / (2 * math.pi * t.spacing)
    told[0] = links.mixed[k] + (links.rate[k] + theta[1]) * scale
    told[1] = math.sqrt(variance) * scale
    if options.locked:  # measured, not taken out
        theta[:] = 0
    links.bent[k] = links.tilt[k] + theta[2]
    told[2] = links.bent[k] * t.size * scale
    window = 65
    if options.walk > 0:
        best = math.sqrt(6 * noise / max(links.strength[k], 1e-30) / (pilots * options.walk))
        window = int(min(max(best, 1.0), 65.0)) | 1
    turn_r, turn_i = links.turn_r[k, inside], links.turn_i[k, inside]
    hold = 0.0
    if options.wander > 0:
        sounded = 0.5 * noise / (t.slot * active * max(links.strength[k], 1e-30))
        hold = held(vr, vi, options.wander + sounded, 0.5 * noise)
    total = smooth(vr, vi, strengths, places, window, hold, links.error[k], turn_r, turn_i, carrier_error, errors)
    turn_on(turn_r, turn_i, turning * middle + theta[0] + (rate + theta[1]) * tau, turning * t.spacing + rate + theta[1])
    heard = 1e-60 + hold
    for p in range(pilots):
        heard += strengths[p] * min(window, count)
    for c in range(active):
        own[c] += links.error[k, c] + 0.5 * (links.hr[k, c] ** 2 + links.hi[k, c] ** 2) / heard
    return total


@njit(cache=True, error_model="numpy")
def _receive(grid, mixed, freqs, t, options, out):
    """Channels, tracks and equalised symbols of some frames."""
    frames, rows, active = grid.shape[0], grid.shape[1] - 1, 2 * t.half
    payload, sounded = rows - t.known_r.shape[0], mixed.shape[1] * t.slot
    yr, yi = np.empty((rows + 1, active), np.float32), np.empty((rows + 1, active), np.float32)
    spare = np.empty((2 * t.slot + 6, active + 1), np.float32)
    own = np.empty(active)
    for f in range(frames):
        to_active(grid[f], t.half, t.undo_r, t.undo_i, yr, yi)
        noise = max(power(yr[rows:], yi[rows:]), np.float32(1e-30))
        signal = power(yr[:sounded], yi[:sounded]) - noise
        if signal > _CLEAN * noise and power_of(grid[f, :sounded], t.guard) < t.leak_limit * signal + 2 * noise:
            which = 1 if signal > _CLEANER * noise else 0
            unleak(grid[f, :rows], t.guard, t.leak_r[which], t.leak_i[which], t.undo_r, t.undo_i, yr, yi, spare)
        carrier_error, symbol_error, stated = out.carrier_error[f], out.symbol_error[f], out.stated[f]
        carrier_error[:], symbol_error[:], stated[:] = 0, 0, noise
        if not t.everywhere:
            out.symbols[f], out.noise_var[f], out.channel[f] = 0, 0, 0
        links = _links(
            yr, yi, mixed[f], t, options, noise, spare, carrier_error, symbol_error, out.links[f], out.response[f],
            out.known[f], out.trust[f], out.memory[f],
        )  # fmt: skip
        tau = (t.offsets[t.header_row] - links.time[0]) / t.spacing
        number, margin = decode(
            yr, yi, links.hr[0], links.hi[0], t.header_row, t.repetitions, t.data, tau,
            0.0 if options.locked else links.rate[0], t.words, t.scramble,
        )  # fmt: skip
        errors, judged, filled = 0.0, 0, 0
        for g in range(t.segments.shape[0]):
            first, count, sending = t.segments[g]
            part, inside = slice(payload + first, payload + first + count), slice(first, first + count)
            who, middle = t.senders[g, :sending], t.offsets[part.start] + 0.5 * (t.size - 1)
            own[:] = 0
            for j in range(sending):
                k = who[j]
                links.begin[k] = (t.offsets[part.start] - links.time[k]) / t.spacing
                errors += _track(
                    yr[part], yi[part], t.known_r[inside], t.known_i[inside], t.pilots[g, j], k, links, freqs[f, part.start],
                    middle, inside, t, options, noise, own, out.links[f, k], carrier_error, symbol_error[part],
                )  # fmt: skip
                for place in t.pilots[g, j]:
                    judged += count if place >= 0 else 0
            if not options.locked and sending > 1:
                stated[part] = noise + leaking(out.links[f, :, 0], links.strength, who, t.size)
            constant = np.float32(options.reference)
            if constant == 0 and sending > 1 and not options.aligned:
                constant = np.float32(rms(links.strength, who))
            more = stated[part.start] / np.float32(sending) if options.mmse else np.float32(0)
            cells = slice(first * active, (first + count) * active)
            begin = filled
            while filled < t.fillers.shape[0] and t.fillers[filled] < cells.stop:
                filled += 1
            equalise(
                yr[part].ravel(), yi[part].ravel(), t.targets[cells], who, links.hr, links.hi, links.turn_r[:, inside],
                links.turn_i[:, inside], links.bent, links.begin, stated[part.start], more, constant, t.fillers[begin:filled],
                cells.start, t.known_r[inside], t.known_i[inside], own, out.symbols[f].view(np.int64), out.noise_var[f],
                out.channel[f].view(np.int64), carrier_error, symbol_error[part],
            )  # fmt: skip
        info = out.info[f]
        info[0], info[1], info[2], info[3] = noise, power_of(grid[f, :sounded], t.null_bins), number, margin
        info[4] = errors / judged if judged else np.nan


class FrameKernels:
    """Kernels for frames of one format; see `hil.phy.frames_plain.FrameKernels`."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        first, _, repetitions = tables.header
        self._options: Options = tables.options
        self._constants = _Constants(
            tables.size, tables.spacing, tables.half, tables.sounding_symbols, first, repetitions,
            np.float32(tables.leak_limit), tables.everywhere, tables.offsets, tables.null_bins, *tables.undo,
            *tables.sounding, *tables.basis, tables.leverage, tables.data, *tables.known, tables.segments, tables.senders,
            tables.pilots, tables.targets.astype(np.uint32), tables.fillers, tables.guard, *tables.leak, header.words(),
            header.scramble(),
        )  # fmt: skip

    def gather(self, y: Any, starts: Any, freqs: Any, offsets: Any, out: Any) -> None:
        """FFT windows of some rows, each freed of a carrier offset."""
        _gather(y, starts, freqs, offsets, out)

    def slot_offsets(self, grid: Any, tx: int, limit: int, base: float, freqs: Any, values: Any) -> None:
        """Carrier offset of a transmitter from its slot."""
        tables = self._tables
        sr, si = tables.sounding
        _slot_offsets(grid, tables.half, sr[tx], si[tx], limit, base, tables.spacing, freqs, values)

    def receive(self, grid: Any, mixed: Any, freqs: Any, out: Rows) -> None:
        """Channels, tracks and equalised symbols of some frames."""
        _receive(grid, mixed, freqs, self._constants, self._options, out)
