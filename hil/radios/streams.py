"""Bursts of transmitters that share no clock with the receiver: continuous streams, aligned by measurement.

Every transmitter is a stream with a sample count of its own (one with hardware time counts by its clock). A probe, heard by
the receiver, ties that count to the receiver's; the ratio of the clocks follows from the carrier offset, since one oscillator
drives both. Each burst carries a probe of each of its transmitters in front of it, so the tie is renewed with every burst. It
is lost when a stream runs dry or the receiver loses samples; then it is measured again, alone.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hil.errors import RadioError
from hil.radios.contract import Radio, RadioSettings, Reception, StreamEvent, TransmitStream
from hil.radios.probe import PROBE_SAMPLES, ClockMap, find_probe, make_probe
from hil.radios.scaling import from_int16

__all__ = ["Exchanged", "StreamExchange", "streamable"]

_AHEAD_S = 0.06  # a timed radio's positions are this far ahead of its clock
_SLACK_S = 0.03  # between the computing of a position and its writing
_GUARD = 256  # samples of silence around a probe
_SEARCH = 100  # samples around a probe's expected place
_WINDOWS = 10
_TRIES = 3
_HOLDS_S = 20.0  # a carrier known to 10 Hz at 2.4 GHz drifts by 0.1 sample in this time


def streamable(radios: list[Radio]) -> bool:
    """Whether all radios can hold a position in a stream."""
    return all(radio.info.stream_transmit or radio.info.timed_transmit for radio in radios)


class _TimedStream(TransmitStream):
    """A radio with hardware time as a stream: positions are its device samples."""

    def __init__(self, radio: Radio, sample_rate_hz: float) -> None:
        self._radio, self._ahead = radio, int(_AHEAD_S * sample_rate_hz)

    @property
    def position(self) -> int:
        """First device sample that a burst can still meet."""
        return self._radio.now() + self._ahead

    @property
    def epoch(self) -> int:
        """A clock does not run dry."""
        return 0

    def write(self, samples: NDArray[np.complex64], at: int) -> list[StreamEvent]:
        """A timed burst."""
        return self._radio.transmit(samples, at=at)

    def events(self) -> list[StreamEvent]:
        """The device's word on every burst written."""
        return self._radio.settle()


@dataclass
class _Tie:
    """A transmitter's clock against the receiver's, in one epoch of its stream."""

    epoch: int
    clock: ClockMap
    cfo_hz: float
    heard_at: float  # host time, s


@dataclass(frozen=True, kw_only=True)
class Exchanged:
    """What came of a burst.

    Attributes:
        reception: of the receiver.
        due: its sample at which the burst begins, to a sample or so.
        events: of the transmitters, and of attempts that failed.
        whole: it went out as planned.
    """

    reception: Reception
    due: int
    events: list[StreamEvent]
    whole: bool


class StreamExchange:
    """Sends bursts that start together at the receiver.

    Args:
        radios: by name.
        applied: what each radio was last configured with, as it read back.
        receiver: name of the receiving one.
        row: of the receiver's samples that hears them.
        shared_clock: no carrier offset, equal clocks.
        loud: holds a radio's transmit gain where its probe can be heard, for as long as it is entered.
    """

    def __init__(
        self,
        radios: dict[str, Radio],
        applied: Mapping[str, RadioSettings],
        receiver: str,
        row: int,
        *,
        shared_clock: bool,
        loud: Callable[[str], AbstractContextManager[None]],
    ) -> None:
        self._loud, self._applied = loud, applied
        self._radios, self._receiver, self._row = radios, radios[receiver], row
        self._rate, self._center = applied[receiver].sample_rate_hz, applied[receiver].center_freq_hz
        self._max_cfo = 0.0 if shared_clock else 50e-6 * self._center
        self._ties: dict[str, _Tie] = {}
        self._probes = 0

    def forget(self) -> None:
        """Every tie is void: the receiver or a transmitter was set anew."""
        self._ties.clear()

    def burst(self, blocks: dict[str, NDArray[np.complex64]], before: int, length: int, wait: int) -> Exchanged:
        """Send blocks [channel, n] of each radio at the same time, and receive around them.

        Args:
            blocks: per radio.
            before: samples to receive before the burst; negative: the reception begins so much after it.
            length: samples to receive.
            wait: samples of silence to add.

        Returns:
            what came of it; the burst is sent up to three times for it to go out whole.

        Raises:
            RadioError: a transmitter was not heard.
            RadioTimeoutError: the receiver's samples did not come in time.
        """
        events: list[StreamEvent] = []
        for attempt in range(_TRIES):
            streams = {name: self._stream(name) for name in blocks}
            for name, stream in streams.items():
                self._ensure(name, stream, events)
            got, due, complete = self._send(streams, blocks, before, length, wait, events)
            for stream in streams.values():
                told = stream.events()
                events += told
                if isinstance(stream, _TimedStream):  # others have their epoch
                    complete &= not any(event.kind in ("late", "underflow", "gap") for event in told)
            if complete:
                break
            if attempt < _TRIES - 1:
                events += got.events
        return Exchanged(reception=got, due=due, events=events, whole=complete)

    def _send(
        self,
        streams: dict[str, TransmitStream],
        blocks: dict[str, NDArray[np.complex64]],
        before: int,
        length: int,
        wait: int,
        events: list[StreamEvent],
    ) -> tuple[Reception, int, bool]:
        """One attempt: what was received, where the burst begins, and whether everything went out as planned."""
        for name in streams:
            self._radios[name].rest()
        ties = {name: self._ties[name] for name in streams}
        slack = int(_SLACK_S * self._rate)
        earliest = [ties[name].clock.to_receiver(stream.position) for name, stream in streams.items()]
        begin = max(*map(math.ceil, earliest), self._receiver.now()) + slack + wait
        slots = {name: begin + _GUARD + k * (PROBE_SAMPLES + 2 * _GUARD) for k, name in enumerate(streams)}
        start = begin + len(streams) * (PROBE_SAMPLES + 2 * _GUARD) + before
        probes = {name: ties[name].clock.to_transmitter(slots[name]) for name in streams}
        numbers = {name: self._number() for name in streams}
        late = False
        for name, stream in streams.items():
            frame_at = ties[name].clock.to_transmitter(start)
            sent = np.zeros((len(blocks[name]), frame_at - probes[name] + blocks[name].shape[1]), np.complex64)
            loud = int(np.argmax(np.abs(blocks[name]).max(axis=1)))
            sent[loud, :PROBE_SAMPLES] = make_probe(numbers[name])
            sent[:, frame_at - probes[name] :] = blocks[name]
            said = stream.write(sent, probes[name])
            events += said
            late |= any(event.kind == "late" for event in said)
        total = start - before + length - begin
        got = self._receiver.receive(total, at=begin, timeout_s=self._deadline(begin, total))
        if late or any(event.kind in ("overflow", "gap", "late") for event in got.events) or got.samples.shape[1] < total:
            self.forget()
            return _cut(got, start - before, length), start, False
        heard = from_int16(got.samples[self._row], self._receiver.info.rx_full_scale)
        complete = True
        for name, stream in streams.items():
            low = slots[name] - got.start - _SEARCH
            found = find_probe(
                heard[low : low + PROBE_SAMPLES + 2 * _SEARCH],
                numbers[name],
                self._rate,
                self._max_cfo,
                near_cfo_hz=ties[name].cfo_hz,
            )
            if stream.epoch != ties[name].epoch:
                self._ties.pop(name, None)
                complete = False
                continue
            if found is None:  # too faint at this gain: the old tie holds for a while
                if time.monotonic() - ties[name].heard_at > _HOLDS_S:
                    self._ties.pop(name, None)
                continue
            place = got.start + low + found.position
            complete &= abs(place - ties[name].clock.to_receiver(probes[name])) < 4
            self._ties[name] = self._tie(name, stream, probes[name], place, found.cfo_hz)
        return _cut(got, start - before, length), start, complete

    def _stream(self, name: str) -> TransmitStream:
        radio = self._radios[name]
        return radio.open_stream() if radio.info.stream_transmit else _TimedStream(radio, self._rate)

    def _ensure(self, name: str, stream: TransmitStream, events: list[StreamEvent]) -> None:
        """Tie a transmitter that has none: send a probe and listen until it is heard."""
        tie = self._ties.get(name)
        if tie is not None and tie.epoch == stream.epoch:
            return
        with self._loud(name):
            for _ in range(_TRIES):
                if self._listen_for(name, stream, events):
                    return
        raise RadioError(
            f"radio '{name}': its probe was not heard by '{self._receiver.info.name}'; check link, gains and frequencies"
        )

    def _listen_for(self, name: str, stream: TransmitStream, events: list[StreamEvent]) -> bool:
        """Send one probe; whether it was heard and the transmitter tied."""
        events += stream.events()
        self._radios[name].rest()
        epoch, cursor = stream.epoch, self._receiver.now()
        at = stream.position + int(_SLACK_S * self._rate)
        sent = np.zeros((len(self._applied[name].tx_channels), PROBE_SAMPLES), np.complex64)
        number = self._number()
        sent[0] = make_probe(number)
        if any(event.kind == "late" for event in stream.write(sent, at)):
            return False
        window = int(0.1 * self._rate)
        kept = np.zeros(0, np.complex64)
        for _ in range(_WINDOWS):
            got = self._receiver.receive(window, at=cursor, timeout_s=self._deadline(cursor, window))
            events += [event for event in got.events if event.kind != "clip"]
            heard = from_int16(got.samples[self._row], self._receiver.info.rx_full_scale)
            kept = heard if got.start != cursor else np.concatenate([kept[-2 * PROBE_SAMPLES :], heard])
            found = find_probe(kept, number, self._rate, self._max_cfo)
            cursor = got.start + len(heard)
            if found is not None and found.position + PROBE_SAMPLES + _GUARD < len(kept) and stream.epoch == epoch:
                self._ties[name] = self._tie(name, stream, at, cursor - len(kept) + found.position, found.cfo_hz)
                return True
        return False

    def _number(self) -> int:
        self._probes += 1
        return self._probes

    def _tie(self, name: str, stream: TransmitStream, at: int, place: float, cfo_hz: float) -> _Tie:
        nominal = self._rate / self._applied[name].sample_rate_hz
        ratio = nominal * (1.0 - cfo_hz / self._center)  # a fast transmitter's samples come closer together
        return _Tie(
            epoch=stream.epoch, clock=ClockMap(anchor=at, offset=place, ratio=ratio), cfo_hz=cfo_hz, heard_at=time.monotonic()
        )

    def _deadline(self, begin: int, n: int) -> float:
        return max(0, begin + n - self._receiver.now()) / self._rate + 2.0


def _cut(got: Reception, start: int, length: int) -> Reception:
    """The part of a reception from device sample `start` on; shorter where samples are missing."""
    low = min(max(start - got.start, 0), got.samples.shape[1])
    return Reception(samples=got.samples[:, low : low + length], start=got.start + low, events=got.events)
