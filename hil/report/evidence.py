"""What the report takes from a capture: samples, received symbols, the ledger. Read once, kept small."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from hil.captures import Burst, Capture, PointRecord

__all__ = ["Cloud", "Evidence", "Spectrum", "made_with", "read_evidence", "welch"]

CLOUD_SYMBOLS = 400
BINS = 256
SILENCES = 8
"""Bursts whose lead is averaged to the noise floor."""
THREE_EACH = 6
"""Schemes times receivers up to which each is shown at three SNRs; beyond, at its middle one."""
SHOWN = 24
"""Clouds, and spectra, in all."""


class _Recorded:
    """A capture as this file reads it. All that hangs on the capture's format and its receivers is here."""

    def __init__(self, capture: Capture) -> None:
        self.capture = capture
        self.receivers: tuple[str | None, ...] = capture.receivers if len(capture.receivers) > 1 else (None,)

    def ledger(self, receiver: str | None) -> NDArray[Any]:
        """Rows of what one receiver heard."""
        return self.capture.ledger(receiver=receiver)

    def bursts(self, point: int, receiver: str | None) -> Iterator[Burst]:
        """What one receiver heard of a point."""
        return self.capture.bursts(point, receiver)

    def received(self, record: PointRecord, receiver: str | None) -> NDArray[np.complex64] | None:
        """Symbols of one receiver, complex64 [task, use]."""
        found = record.received
        if found is None or (receiver is not None and receiver not in record.receivers):
            return None
        symbols: NDArray[np.complex64] = found[0 if receiver is None else record.receivers.index(receiver)]
        return symbols

    def full_scale(self, spec: Mapping[str, Any], receiver: str | None) -> float:
        """Int16 value of a receiver's full scale."""
        receptions = spec["receptions"]
        return float(next((item for item in receptions if item["name"] == receiver), receptions[0])["full_scale"])


def made_with(capture: Capture) -> Mapping[str, Any]:
    """Version, packages, machine and command that a capture was made with."""
    return capture.provenance


@dataclass(frozen=True, kw_only=True)
class Cloud:
    """Some received symbols of a point: `received` = y/Ḡ and `sent` (sum over transmitters), complex64 [use].

    `error` is the mean error power over all symbols of the point; `receiver` is None where there is one only.
    """

    scheme: str
    target: float
    receiver: str | None
    received: NDArray[np.complex64]
    sent: NDArray[np.complex64]
    error: float


@dataclass(frozen=True, kw_only=True)
class Spectrum:
    """Power density of a received burst and of the silence before frames.

    Attributes:
        receiver: None where there is one only.
        offset_khz: from the centre frequency; density, silence: dBFS/Hz, `silence` None if too short.
        time_ms, level_dbfs: envelope of the same burst, mean power over 16 samples.
    """

    scheme: str
    target: float
    receiver: str | None
    offset_khz: NDArray[Any]
    density: NDArray[Any]
    silence: NDArray[Any] | None
    time_ms: NDArray[Any]
    level_dbfs: NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """A capture, summed up.

    Attributes:
        counts: of what is committed.
        ledgers: rows of the ledger by receiver; the key is None where there is one only. events: of the stream events.
        names: index of a point -> (scheme, SNR target) for points that measure.
        clouds, spectra: for a few points of each scheme and receiver.
        left_out: schemes for which there was no room.
    """

    path: Path
    complete: bool
    version: int
    counts: Mapping[str, int]
    config: Mapping[str, Any]
    provenance: Mapping[str, Any]
    models: Mapping[str, str]
    ledgers: Mapping[str | None, NDArray[Any]]
    events: NDArray[Any]
    names: Mapping[int, tuple[str, float]]
    clouds: Sequence[Cloud]
    spectra: Sequence[Spectrum]
    left_out: int


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
        recorded = _Recorded(capture)
        records = {record.index: record for record in capture.points}
        attrs = {index: record.attrs for index, record in records.items()}
        names = {
            index: (str(own["spec"]["scheme"]), float(own["spec"]["snr_db_target"]))
            for index, own in attrs.items()
            if own.get("kind") == "point" and "spec" in own
        }
        finished = {index for index, record in records.items() if record.finished}
        ledgers = {receiver: recorded.ledger(receiver) for receiver in recorded.receivers}
        chosen, last, left_out = _chosen(names, finished, len(recorded.receivers))
        rate = float((capture.config.get("bench") or {}).get("sample_rate_hz") or 1.0)
        clouds = [_cloud(recorded, records[index], names[index], receiver) for index in chosen for receiver in ledgers]
        spectra = [
            _spectrum(recorded, ledger, index, names[index], receiver, attrs[index]["spec"], rate)
            for index in last
            for receiver, ledger in ledgers.items()
        ]
        return Evidence(
            path=path,
            complete=capture.complete,
            version=capture.file_version,
            counts=capture.counts,
            config=capture.config,
            provenance=made_with(capture),
            models=capture.models,
            ledgers=ledgers,
            events=capture.events(),
            names=names,
            clouds=[cloud for cloud in clouds if cloud is not None],
            spectra=[spectrum for spectrum in spectra if spectrum is not None],
            left_out=left_out,
        )


def _chosen(names: Mapping[int, tuple[str, float]], finished: set[int], receivers: int) -> tuple[list[int], list[int], int]:
    """Points whose symbols are shown, points whose spectrum is (of each scheme the highest SNR), schemes left out."""
    own: dict[str, list[tuple[float, int]]] = {}
    for index, (scheme, snr) in names.items():
        if index in finished:
            own.setdefault(scheme, []).append((snr, index))
    few = len(own) * receivers <= THREE_EACH
    shown = list(own.values())[: max(1, SHOWN // receivers)]
    clouds, last = [], []
    for points in shown:
        ranked = [index for _, index in sorted(points)]
        middle = len(ranked) // 2
        clouds += [ranked[place] for place in sorted({0, middle, len(ranked) - 1} if few else {middle})]
        last.append(ranked[-1])
    return clouds, last, len(own) - len(shown)


def _cloud(recorded: _Recorded, record: PointRecord, name: tuple[str, float], receiver: str | None) -> Cloud | None:
    received = recorded.received(record, receiver)
    if received is None:
        return None
    symbols = record.symbols
    fade = record.extra.get("fade")  # complex64 [tx, task], drawn at the transmitters: part of what was sent
    sent = (symbols if fade is None else symbols * fade[:, :, None]).sum(0)
    used = np.abs(symbols).sum(0) > 0
    heard = np.abs(received).sum(1, keepdims=True) > 0  # a task whose frame was lost is all zero
    used &= heard
    flat_received, flat_sent = received[used], sent[used]
    if not len(flat_sent):
        return None
    # At random, not every n-th: that would show the same few uses of every task.
    some = np.random.default_rng(0).permutation(len(flat_sent))[:CLOUD_SYMBOLS]
    return Cloud(
        scheme=name[0],
        target=name[1],
        receiver=receiver,
        received=flat_received[some],
        sent=flat_sent[some],
        error=float(np.mean(np.abs(flat_received - flat_sent) ** 2)),
    )


def _spectrum(
    recorded: _Recorded,
    ledger: NDArray[Any],
    index: int,
    name: tuple[str, float],
    receiver: str | None,
    spec: Mapping[str, Any],
    rate: float,
) -> Spectrum | None:
    full_scale = recorded.full_scale(spec, receiver)
    burst, silences = None, []
    for own in recorded.bursts(index, receiver):
        rows = ledger[(ledger["burst"] == own.index) & ledger["detected"] & (ledger["start"] >= own.start)]
        if not len(rows):
            continue
        samples = _complex(own.samples, full_scale)
        first = int(rows["start"][0]) - own.start
        if burst is None:
            burst = (samples, first)
        if first >= BINS:
            silences.append(samples[:first])
        if len(silences) >= SILENCES:
            break
    if burst is None or len(burst[0]) - burst[1] < BINS:
        return None
    samples, first = burst
    blocks = len(samples) // 16
    level = np.mean(np.abs(samples[: 16 * blocks].reshape(blocks, 16)) ** 2, axis=1)
    silence = np.mean([welch(part, rate) for part in silences], axis=0) if silences else None
    return Spectrum(
        scheme=name[0],
        target=name[1],
        receiver=receiver,
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
