"""What the report takes from a capture: samples, received symbols, the ledger. Read once, kept small."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from hil.captures import Capture, PointRecord

__all__ = ["Cloud", "Evidence", "Spectrum", "read_evidence", "welch"]

CLOUD_SYMBOLS = 400
BINS = 256


@dataclass(frozen=True, kw_only=True)
class Cloud:
    """Some received symbols of a point: `received` = y/Ḡ and `sent` (sum over transmitters), complex64 [use].

    `error` is the mean error power over all symbols of the point.
    """

    scheme: str
    target: float
    received: NDArray[np.complex64]
    sent: NDArray[np.complex64]
    error: float


@dataclass(frozen=True, kw_only=True)
class Spectrum:
    """Power density of a received burst and of the silence before frames.

    Attributes:
        offset_khz: from the centre frequency; density, silence: dBFS/Hz, `silence` None if too short.
        time_ms, level_dbfs: envelope of the same burst, mean power over 16 samples.
    """

    scheme: str
    target: float
    offset_khz: NDArray[Any]
    density: NDArray[Any]
    silence: NDArray[Any] | None
    time_ms: NDArray[Any]
    level_dbfs: NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """A capture, summed up.

    Attributes:
        ledger: rows of the ledger; events: of the stream events.
        names: index of a point -> (scheme, SNR target) for points that measure.
        clouds, spectra: for a few points of each scheme.
    """

    path: Path
    complete: bool
    version: int
    counts: Mapping[str, int]
    config: Mapping[str, Any]
    versions: Mapping[str, Any]
    models: Mapping[str, str]
    ledger: NDArray[Any]
    events: NDArray[Any]
    names: Mapping[int, tuple[str, float]]
    clouds: list[Cloud]
    spectra: list[Spectrum]


def welch(samples: NDArray[Any], rate_hz: float, bins: int = BINS) -> NDArray[Any]:
    """Power density (full scale² per Hz) by Welch's method: Hann window, half overlap; in order of frequency.

    Args:
        samples: complex [n], full scale 1, n ≥ bins.
        rate_hz: sample rate.
        bins: length of a segment.
    """
    window = np.hanning(bins + 1)[:-1]
    starts = range(0, len(samples) - bins + 1, bins // 2)
    segments = np.stack([samples[start : start + bins] for start in starts]) * window
    power = np.mean(np.abs(np.fft.fft(segments, axis=1)) ** 2, axis=0)
    return np.asarray(np.fft.fftshift(power) / (rate_hz * np.sum(window**2)))


def read_evidence(path: Path) -> Evidence:
    """Read what the report shows of a capture, complete or not.

    Raises:
        CaptureError: it is not a capture, or damaged.
    """
    from hil.captures import Capture

    with Capture.open(path) as capture:
        records = {record.index: (record, record.attrs) for record in capture.points}
        names = {
            index: (str(attrs["spec"]["scheme"]), float(attrs["spec"]["snr_db_target"]))
            for index, (_, attrs) in records.items()
            if attrs.get("kind") == "point" and "spec" in attrs
        }
        chosen = _low_middle_high(names, {index for index, (record, _) in records.items() if record.finished})
        ledger = capture.ledger()
        rate = float((capture.config.get("bench") or {}).get("sample_rate_hz") or 1.0)
        clouds = [cloud for index in chosen if (cloud := _cloud(records[index][0], *names[index])) is not None]
        last = {names[index][0]: index for index in chosen}  # of each scheme the highest SNR
        spectra = [
            spectrum
            for index in last.values()
            if (spectrum := _spectrum(capture, ledger, index, *names[index], records[index][1], rate)) is not None
        ]
        return Evidence(
            path=path,
            complete=capture.complete,
            version=capture.file_version,
            counts=capture.committed,
            config=capture.config,
            versions=capture.versions,
            models=capture.models,
            ledger=ledger,
            events=capture.events(),
            names=names,
            clouds=clouds,
            spectra=spectra,
        )


def _low_middle_high(names: Mapping[int, tuple[str, float]], finished: set[int]) -> list[int]:
    chosen = []
    for scheme in dict.fromkeys(name for name, _ in names.values()):
        own = sorted((snr, index) for index, (name, snr) in names.items() if name == scheme and index in finished)
        places = sorted({0, len(own) // 2, len(own) - 1}) if own else []
        chosen += [own[place][1] for place in places]
    return chosen


def _cloud(record: PointRecord, scheme: str, target: float) -> Cloud | None:
    received = record.received
    if received is None or received.ndim != 2:
        return None
    symbols = record.symbols
    sent = symbols.sum(0)
    used = np.abs(symbols).sum(0) > 0
    heard = np.abs(received).sum(1, keepdims=True) > 0  # a task whose frame was lost is all zero
    used &= heard
    flat_received, flat_sent = received[used], sent[used]
    if not len(flat_sent):
        return None
    error = float(np.mean(np.abs(flat_received - flat_sent) ** 2))
    # At random, not every n-th: that would show the same few uses of every task.
    some = np.random.default_rng(0).permutation(len(flat_sent))[:CLOUD_SYMBOLS]
    return Cloud(
        scheme=scheme,
        target=target,
        received=flat_received[some],
        sent=flat_sent[some],
        error=error,
    )


def _spectrum(
    capture: Capture, ledger: NDArray[Any], index: int, scheme: str, target: float, attrs: Mapping[str, Any], rate: float
) -> Spectrum | None:
    full_scale = float(attrs["spec"]["full_scale"])
    burst, silences = None, []
    for own in capture.bursts(index):
        rows = ledger[(ledger["burst"] == own.index) & ledger["detected"] & (ledger["start"] >= own.start)]
        if not len(rows):
            continue
        samples = _complex(own.samples, full_scale)
        first = int(rows["start"][0]) - own.start
        if burst is None:
            burst = (samples, first)
        if first >= BINS:
            silences.append(samples[:first])
        if len(silences) >= 8:
            break
    if burst is None or len(burst[0]) - burst[1] < BINS:
        return None
    samples, first = burst
    blocks = len(samples) // 16
    level = np.mean(np.abs(samples[: 16 * blocks].reshape(blocks, 16)) ** 2, axis=1)
    silence = np.mean([welch(part, rate) for part in silences], axis=0) if silences else None
    return Spectrum(
        scheme=scheme,
        target=target,
        offset_khz=np.fft.fftshift(np.fft.fftfreq(BINS, 1e3 / rate)),
        density=_db(welch(samples[first:], rate)),
        silence=_db(silence) if silence is not None else None,
        time_ms=(np.arange(blocks) * 16 + 8) / rate * 1e3,
        level_dbfs=_db(level),
    )


def _complex(samples: NDArray[np.int16], full_scale: float) -> NDArray[Any]:
    return (samples[:, 0].astype(np.float64) + 1j * samples[:, 1]) / full_scale


def _db(power: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(10 * np.log10(np.maximum(power, 1e-20)))
