"""Frames whose channel is learned from the preamble, without compiled code. One frame at a time, vectorised inside."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["emit", "gather", "place", "receive"]

_CLEAN = 300.0
_CLEANER = 3000.0
Floats = NDArray[np.float32]
Complexes = NDArray[np.complex128]


def _complex(y: Floats, first: int, count: int) -> Complexes:
    return y[2 * first : 2 * (first + count)].view(np.complex64).astype(np.complex128)


def _spin(angle: Any) -> Complexes:
    return np.asarray(np.exp(-1j * np.asarray(angle)))


def gather(y: Floats, starts: Any, freqs: Any, first: int, spacing: int, out: Floats) -> None:
    """FFT windows of all symbols, without their CFO inside the window, times 1/√N.

    Args:
        y: float32 [2 n].
        starts: int64 [frame], first sample of each preamble; freqs: float64 [frame], cycles a sample.
        first: samples from there to the first FFT window; spacing: from window to window.
        out: float32 [frame, symbol, 2 N], interleaved.
    """
    _, symbols, width = out.shape
    size = width // 2
    index = first + spacing * np.arange(symbols)[:, None] + np.arange(size)
    for frame, (start, freq) in enumerate(zip(starts, freqs, strict=True)):
        window = _complex(y, int(start), int(index[-1, -1]) + 1)[index]
        turned = window * (_spin(2 * math.pi * freq * np.arange(size)) / math.sqrt(size))
        out[frame] = turned.astype(np.complex64).view(np.float32)


def receive(
    y: Floats, starts: Any, freqs: Any, grid: Floats, rows_first: int, length: int, first: int, spacing: int, levels: Any,
    solve_r: Floats, solve_i: Floats, basis_r: Floats, basis_i: Floats, active: Floats, guard: Floats, carriers: Any,
    pilot_bins: Any, pilot_r: Floats, pilot_i: Floats, data_bins: Any, dest: Any, sampled: float, leak_bins: Any,
    leak_r: Floats, leak_i: Floats, quiet_r: Floats, quiet_i: Floats, ridge: Any, walk: float,
    mmse: bool, symbols: Floats, noise_var: Floats, gain: Floats, response: Floats, info: Any,
) -> None:  # fmt: skip
    """Channel, tracking and equalisation of a batch of frames.

    Args:
        y, starts, freqs, first, spacing: as in `gather`.
        grid: float32 [frame, symbol, 2 N], spectra of the windows.
        rows_first: first preamble sample that the channel is fitted to; length: samples of the preamble.
        levels: float32 [level], largest SNR of each solver but the last.
        solve_r, solve_i: float32 [level, tap, row]; basis_r, basis_i: float32 [tap, N], taps to carriers.
        active, guard: float32 [N], 1 on active carriers and on the carriers that noise is measured on.
        carriers: float64 [N], signed.
        pilot_bins: int64 [pilot]; pilot_r, pilot_i: float32 [symbol, pilot], what was sent.
        data_bins: int64 [data]; dest: int64 [symbol · data], place in `symbols`, −1 for none.
        sampled: sample power over carrier power.
        leak_bins: int64 [guard]; leak_r, leak_i: float32 [2, guard, N], for SNRs up to 35 dB and above;
            quiet_r, quiet_i: float32 [direction, guard]; see `hil.phy.leakage.guard_filter`; used where the SNR passes 25 dB.
        ridge: float64 [2]: 1 if the CFO is unknown (0 = shared reference); prior variance of the clock's phase slope.
        walk: variance of the phase's random walk a symbol; mmse: scale symbols to least squared error.
        symbols, noise_var, gain, response, info: outputs [frame, …]; info holds noise, pilot residual, mean |H|²,
            CFO (cycles a sample), sample-clock offset, phase (rad), pilot match, SNR.
    """
    frames, count, width = grid.shape
    size = width // 2
    rows = solve_r.shape[2]
    tau = (first + 0.5 * size - 0.5 * length) / spacing + np.arange(count)
    k = carriers[pilot_bins]
    known = pilot_r.astype(np.float64) + 1j * pilot_i
    for f in range(frames):
        spectra = grid[f].view(np.complex64).astype(np.complex128)
        power = np.square(np.abs(spectra)).sum(0)
        noise = max(float((power * guard).sum() / (guard.sum() * count)), 1e-30)
        signal = max(float((power * active).sum() / (active.sum() * count)) - noise, 1e-3 * noise)
        snr = signal / noise
        if snr > _CLEAN:
            heard = spectra[:, leak_bins]
            noise = max(float(np.square(np.abs(heard @ (quiet_r + 1j * quiet_i).T)).mean()), 1e-30)
            which = int(snr > _CLEANER)
            spectra = spectra - heard @ (leak_r[which] + 1j * leak_i[which])
            snr = signal / noise
        level = int(np.searchsorted(levels[:-1], snr))
        freq = float(freqs[f])
        window = _complex(y, int(starts[f]) + rows_first, rows)
        window = window * _spin(2 * math.pi * freq * (rows_first + np.arange(rows)))
        taps = (solve_r[level] + 1j * solve_i[level]) @ window
        channel = taps @ (basis_r + 1j * basis_i)
        turn = 2 * math.pi * freq * (first + spacing * np.arange(count))
        expected = channel[pilot_bins] * known
        looks = spectra[:, pilot_bins] * expected.conj() * _spin(turn)[:, None]
        sample_snr = min(snr * sampled, 300.0)
        locked = ridge[0] == 0
        slope_var = 1e-14 if locked else 12 * spacing**2 / (sample_snr * length * (length**2 - 1.0))
        prior = np.array([1 / (sample_snr * length), slope_var, ridge[1]])
        theta, looks = _track(looks, np.square(np.abs(channel[pilot_bins])), k, tau, noise, prior)
        heard = float(np.square(np.abs(spectra[:, pilot_bins])).sum())
        sent = float(np.square(np.abs(expected)).sum())
        match = abs(looks.sum()) ** 2 / max(sent * heard, 1e-60)
        residual = (heard - 2 * looks.real.sum() + sent) / looks.size
        phase = theta[0] + turn[:, None] + (theta[1] + theta[2] * carriers) * tau[:, None]
        if walk > 0:
            best = math.sqrt(6 * noise / (len(pilot_bins) * walk * signal))
            phase = phase + _smooth(looks.sum(1), int(min(max(best, 1.0), 65.0)) | 1)[:, None]
        squared = np.square(np.abs(channel))
        mean = float((squared * active).sum() / active.sum())
        scale = np.maximum(squared + (noise if mmse else 0.0), 1e-9 * mean + 1e-30)
        cells = (spectra * (channel.conj() / scale) * _spin(phase))[:, data_bins].reshape(-1)
        used = dest >= 0
        symbols[f].view(np.complex64)[dest[used]] = cells[used]
        whole = squared + noise
        error = noise * squared / whole**2 if mmse else noise / np.maximum(squared, 1e-9 * mean + 1e-30)
        noise_var[f, dest[used]] = np.tile(error[data_bins], count)[used]
        if mmse:
            gain[f, dest[used]] = np.tile((squared / whole)[data_bins], count)[used]
        response[f] = channel.astype(np.complex64).view(np.float32)
        info[f] = (
            noise, residual, mean, freq + theta[1] / (2 * math.pi * spacing),
            theta[2] * size / (2 * math.pi * spacing), theta[0], match, snr,
        )  # fmt: skip


def _track(
    looks: Complexes, power: NDArray[np.float64], k: NDArray[np.float64], tau: NDArray[np.float64], noise: float,
    prior: NDArray[np.float64],
) -> tuple[NDArray[np.float64], Complexes]:  # fmt: skip
    """MAP of phase, its slope a symbol and its slope a carrier and symbol; and the looks turned by it."""
    theta = np.zeros(3)
    step = 2.0 / (tau[0] + tau.size)
    reach = min(40, int(4 * math.sqrt(prior[1]) / step))
    if reach:
        slopes = step * np.arange(-reach, reach + 1)
        sums = looks.sum(1) @ _spin(tau[:, None] * slopes) + 0.5 * noise / prior[0]
        theta[1] = slopes[(np.abs(sums) - 0.25 * noise * slopes**2 / prior[1]).argmax()]
        looks = looks * _spin(theta[1] * tau)[:, None]
    design = np.stack([np.ones((tau.size, k.size)), np.tile(tau[:, None], k.size), tau[:, None] * k])
    half = 0.5 * noise / prior
    normal = np.einsum("isp,jsp,p->ij", design, design, power) + np.diag(half)
    for _ in range(3):
        gradient = (design * looks.imag).sum((1, 2)) - half * theta
        if not abs(np.linalg.det(normal)) > 0:
            break
        move = np.linalg.solve(normal, gradient)
        theta = theta + move
        looks = looks * _spin(np.einsum("i,isp->sp", move, design))
    return theta, looks


def _smooth(looks: Complexes, window: int) -> NDArray[np.float64]:
    total = np.concatenate([[0], looks.cumsum()])
    index = np.arange(looks.size)
    high, low = np.minimum(index + window // 2 + 1, looks.size), np.maximum(index - window // 2, 0)
    return np.asarray(np.angle(total[high] - total[low]))


def place(values: Any, source: Any, target: Any, bins: Any) -> None:
    """Payload into spectra: bins[f, target[i]] = values[f, source[i]]; complex64, one row a frame."""
    bins[:, target] = values[:, source]


def emit(time: Floats, prefix: int, scale: float, first: int, out: Floats) -> None:
    """OFDM symbols with their prefixes: float32 [row, symbol, 2 N] times scale into float32 [row, 2 n] from sample `first`."""
    rows, symbols, width = time.shape
    lead = 2 * prefix
    part = out[:, 2 * first : 2 * first + symbols * (lead + width)].reshape(rows, symbols, lead + width)
    np.multiply(time, np.float32(scale), out=part[..., lead:])
    part[..., :lead] = part[..., width:]
    out[:, 2 * first : 2 * first + symbols * (lead + width)] = part.reshape(rows, -1)
