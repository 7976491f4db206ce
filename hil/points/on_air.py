"""Points on the air: calibrate a bench, set each link's SNR, align superposed transmitters, send, keep, receive."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hil.calibration.align_clocks import ClockMatch
from hil.calibration.links import Heard, LinkCalibration, Sounder, calibrate_links
from hil.calibration.precode import Precoder
from hil.captures import CaptureWriter
from hil.errors import CalibrationError, RadioError, RadioTimeoutError
from hil.models.contract import Sent
from hil.phy.frame import FrameConfig
from hil.phy.receive import FrameReception, ReceiverConfig
from hil.points.aligning import ALIGNMENT_TRIES, Aligner, clock_match
from hil.points.carried import Carried
from hil.points.clips import clipped, to_complex
from hil.points.keep import begins, keep_burst, keep_failure, sounding_row
from hil.points.needs import FADING_FRAMES, FADING_LOOKS, LEAD_SAMPLES, TAIL_SAMPLES
from hil.points.receive import Collection, Collector
from hil.points.rounds import Rounds
from hil.points.spec import PointSpec
from hil.radios.burst import BurstReception
from hil.radios.delays import measure_delay
from hil.radios.session import Bench
from hil.timing import timed
from hil.units import db_to_power

__all__ = ["ALIGNMENT_TRIES", "EXPIRIES", "PRECODER_KEYS", "AirRun", "OnAir"]

EXPIRIES = 2
"""Deadlines that may pass in a point; the last of them ends it."""
PRECODER_KEYS = ("precoder_power_db", "precoder_energy_db", "precoder_limited", "alignment_samples")
"""What a row says of pre-equalisation; null where there is none."""


@dataclass(frozen=True, kw_only=True)
class OnAir:
    """What came of one point.

    Attributes:
        collections: by the point's receivers.
        index: of the point in the capture.
        ended: why it was given up before its last frame; None: it was not.
        more: what the air says of it: transmit gains, power and limits of pre-equalisation.
        arrays: to be kept with it.
    """

    collections: Mapping[str, Collection]
    index: int
    ended: str | None
    more: dict[str, Any] = field(default_factory=dict)
    arrays: Mapping[str, NDArray[Any]] = field(default_factory=dict)


class AirRun:
    """One pass over the air; holds the bench, the capture and what calibration found.

    Args:
        bench: open.
        writer: takes every burst.
        receivers: configuration of each receiver, by name, the first one first.
    """

    def __init__(self, bench: Bench, writer: CaptureWriter, receivers: Mapping[str, ReceiverConfig]) -> None:
        self.bench, self.writer, self.receivers = bench, writer, dict(receivers)
        self.links: list[LinkCalibration] = []
        self.aligner = Aligner()
        self._match: ClockMatch | None = None
        self._calibration = -1
        self._heard_at = 0

    @timed("radio")
    def burst(self, waveforms: Tensor) -> BurstReception:
        """Send and receive; transmitters without a waveform are silent."""
        if waveforms.shape[0] < self.bench.transmitters:
            rest = self.bench.transmitters - waveforms.shape[0]
            waveforms = torch.cat([waveforms, waveforms.new_zeros(rest, waveforms.shape[1])])
        return self.bench.burst(waveforms.numpy(), lead=LEAD_SAMPLES, tail=TAIL_SAMPLES)

    def exchange(self, waveforms: Tensor, number: int, receive: Callable[[str, Tensor], FrameReception | None]) -> Heard:
        """A sounding burst: sent, received, and kept in the capture with what each receiver made of it.

        Raises:
            RadioTimeoutError: no answer came in time, twice.
        """
        for attempt in range(1, EXPIRIES + 1):
            try:
                got = self.burst(waveforms)
                break
            except RadioError as err:
                lost = {name: {"status": "lost"} for name in self.receivers}
                keep_failure(self.writer, err, self._calibration, "sounding", number, lost)
                if attempt == EXPIRIES or not isinstance(err, RadioTimeoutError):
                    raise
        heard: dict[str, FrameReception | None] = {}
        rows = {}
        for name in self.receivers:
            part = got.heard[name]
            if name == next(iter(self.receivers)):
                self._heard_at = part.start
            useful = got.whole and len(part.samples)
            full_scale = self.bench.full_scales[name]
            found = receive(name, to_complex(part.samples, full_scale)) if useful else None
            heard[name] = found
            rows[name] = sounding_row(found, number, part.start, whole=got.whole) | clipped(part.samples, full_scale)
        keep_burst(self.writer, got, self._calibration, "sounding", number, rows)
        return heard

    def sounder(self, spec: FrameConfig, symbols: int) -> Sounder:
        """Sounds all transmitters of the bench with frames like the run's."""
        return Sounder(self.bench.transmitters, spec, self.receivers, self.exchange, symbols=symbols)

    def calibrate(self, frame: FrameConfig, *, fading: bool = False) -> list[LinkCalibration]:
        """The first calibration: gain against SNR of each link; kept in `links`."""
        self._calibration = self.writer.add_point(
            "calibration",
            attrs={"kind": "calibration", "radios": self.bench.describe()},
            symbols=np.zeros((self.bench.transmitters, 0, 1), np.complex64),
            labels={},
        )
        self._follow_delays()
        often = {"frames": FADING_FRAMES, "looks": FADING_LOOKS} if fading else {}
        sounder = self.sounder(frame, max(8, frame.sounding_symbols))
        self.links = calibrate_links(sounder, self.bench.set_tx_gain, self._gain_range, **often)
        return self.links

    def adopt(
        self, links: Sequence[LinkCalibration], delays: Mapping[tuple[int, str], float], about: Mapping[str, Any]
    ) -> None:
        """Take the links of a calibration record for a calibration, and say so in the capture.

        Args:
            links: as `calibrate` gives them.
            delays: (transmitter, receiver) -> samples, of links on one clock; others are measured, as after every opening.
            about: of the record, plain data.
        """
        self._calibration = self.writer.add_point(
            "calibration",
            attrs={"kind": "calibration", "radios": self.bench.describe(), "record": dict(about)},
            symbols=np.zeros((self.bench.transmitters, 0, 1), np.complex64),
            labels={},
        )
        if self.bench.config.clock == "shared":
            for (tx, name), samples in delays.items():
                if abs(samples) > 1:
                    self.bench.set_delay(tx, round(samples), name)
        else:
            self._follow_delays()
        self.links = list(links)

    def _follow_delays(self) -> None:
        """Move the receivers' windows by the links' constant delays, where a probe at the bench's gains tells them."""
        for tx in range(self.bench.transmitters):
            for name, link in measure_delay(self.bench, tx).items():
                if abs(link.samples) > link.spread + 1:  # on clocks that only the host compares a small one is a guess
                    self.bench.set_delay(tx, round(link.samples), name)

    def _gain_range(self, tx: int) -> tuple[float, float]:
        limits = self.bench.tx_gain_range(tx)
        return limits.low, limits.high

    def first_links(self) -> list[LinkCalibration]:
        """The links to the first receiver, by transmitter: those that are brought to a target."""
        first = next(iter(self.receivers))
        return [link for link in self.links if link.receiver == first]

    def gains_for(self, snr_db: float) -> list[float]:
        """Transmit gains, as the radios take them, that bring every link of the first receiver to a target SNR.

        Raises:
            CalibrationError: a gain is out of the radio's range.
        """
        wanted = []
        for link in self.first_links():
            gain, (low, high) = link.gain_for(snr_db), self._gain_range(link.tx)
            if not low - 0.5 <= gain <= high + 0.5:
                raise CalibrationError(
                    f"{snr_db:g} dB on link {link.tx} needs a transmit gain of {gain:.1f} dB, the radio gives "
                    f"{low:g}…{high:g} dB; change the receive gain or the attenuation, or ask for SNRs in "
                    f"{link.snr_db + low - link.gain_db:.0f}…{link.snr_db + high - link.gain_db:.0f} dB"
                )
            wanted.append(self.bench.tx_gain_range(link.tx).nearest(gain))
        return wanted

    def known(self, spec: PointSpec, gains: Sequence[float], *, tell_snr: bool) -> PointSpec:
        """The point with what the calibration record says of it (SIGNALS.md, "Received" and "Slow fading").

        Args:
            spec: the point.
            gains: transmit gains (dB).
            tell_snr: the encoder is told each link's SNR.

        Returns:
            with `tx_snr_db`, and where links fade in the air each receiver's reference: the rms amplitude of its links before
            any fade, one constant.
        """
        count = len(spec.occupied)
        changes: dict[str, Any] = {}
        if tell_snr:
            changes["tx_snr_db"] = tuple(
                link.snr_at(gain) for link, gain in zip(self.first_links()[:count], gains, strict=False)
            )
        if spec.fading == "air":
            changes["receptions"] = tuple(
                one.model_copy(
                    update={"receiver": one.receiver.model_copy(update={"reference": self._amplitude(one.name, gains, count)})}
                )
                for one in spec.receptions
            )
        return spec.model_copy(update=changes)

    def _amplitude(self, receiver: str, gains: Sequence[float], count: int) -> float:
        """Root mean square of the amplitudes of a receiver's links, by the calibration record."""
        links = [link for link in self.links if link.receiver == receiver][:count]
        squares = [link.amplitude_at(gain) ** 2 for link, gain in zip(links, gains, strict=False)]
        return float((sum(squares) / len(squares)) ** 0.5)

    def set_gains(self, gains: Sequence[float]) -> list[float]:
        """Set every transmitter's gain; the gains applied."""
        return [self.bench.set_tx_gain(tx, gain) for tx, gain in enumerate(gains)]

    def precoder(self, spec: PointSpec) -> tuple[Precoder, int]:
        """Sound every transmitter alone and align them (SIGNALS.md, "NOMA with h = 1 over the air").

        Returns:
            the weights, and how many samples were sent for them.
        """
        return self.aligner.align(spec, self.sounder, db_to_power(self.first_links()[0].noise_dbfs))

    def measure(
        self,
        spec: PointSpec,
        sent: Sent,
        labels: Mapping[str, NDArray[Any]],
        gains: Sequence[float],
        progress: Callable[[int], None],
        *,
        fade: Tensor | None = None,
    ) -> OnAir:
        """Measure one point: set gains, align if superposed, store what is sent, send it, receive it.

        A radio that does not answer by its deadline costs a frame; the second time it ends the point.

        Args:
            spec: the point.
            sent: symbols of every task sent (not only of the distinct ones), [tx, task, use].
            labels: name -> integers [task], for the capture.
            gains: transmit gains (dB).
            progress: told the frames done.
            fade: complex64 [tx, task], drawn gains that multiply the payload; None for 1.

        Raises:
            RadioTimeoutError: no answer to the sounding before the first frame, twice.
            RadioError: a radio is lost; the capture has what was measured before, and says what happened.
            CalibrationError: the sounding was lost.
        """
        applied = self.set_gains(gains)
        rounds = self._rounds(spec, sent.symbols, fade) if spec.aligned else None
        precoder = rounds.made[0] if rounds is not None else None
        more: dict[str, Any] = {"tx_gain_db": applied, **dict.fromkeys(PRECODER_KEYS)}
        if rounds is not None:
            more |= rounds.said()
        point = self._add_point(spec, sent, labels, precoder, fade, more)
        collectors = {
            one.name: Collector(spec, sent.symbols, reception=index, fade=fade) for index, one in enumerate(spec.receptions)
        }
        carried = rounds or Carried.of(spec, sent.symbols, None, fade)
        self._match = clock_match(spec, self.bench.true_config, self.first_links())
        ended = self._send(spec, point, carried, collectors, progress)
        arrays = {} if rounds is None else {"precoders": rounds.precoders()}
        more |= {} if rounds is None else rounds.said()
        with timed("receiver"):
            found = {name: collector.finish() for name, collector in collectors.items()}
        return OnAir(collections=found, index=point, ended=ended, more=more | {"point": point, "ended": ended}, arrays=arrays)

    def _rounds(self, spec: PointSpec, symbols: Tensor, fade: Tensor | None) -> Rounds:
        """The point's alignments, the first one made."""

        def make() -> tuple[Precoder, int, float]:
            precoder, samples = self.precoder(spec)
            return precoder, samples, self._heard_at / self.bench.sample_rate_hz

        rounds = Rounds(spec=spec, symbols=symbols, fade=fade, make=make, aligner=self.aligner)
        rounds.renew()
        return rounds

    def _add_point(
        self,
        spec: PointSpec,
        sent: Sent,
        labels: Mapping[str, NDArray[Any]],
        precoder: Precoder | None,
        fade: Tensor | None,
        more: Mapping[str, Any],
    ) -> int:
        extra = {}
        if precoder is not None:
            extra["precoder"] = precoder.weights.numpy()
        if fade is not None:
            extra["fade"] = fade.numpy()
        if sent.length is not None:
            extra["length"] = sent.length.numpy()
        return self.writer.add_point(
            spec.name,
            attrs={
                "kind": "point",
                "spec": spec.model_dump(mode="json"),
                "calibration": [asdict(link) for link in self.links],
                "radios": self.bench.describe(),
                **more,
            },
            symbols=sent.symbols.contiguous().numpy(),
            labels=labels,
            extra=extra,
            side={name: value.contiguous().numpy() for name, value in (sent.side or {}).items()},
            receivers=[one.name for one in spec.receptions],
        )

    def _send(
        self,
        spec: PointSpec,
        point: int,
        carried: Carried | Rounds,
        collectors: Mapping[str, Collector],
        progress: Callable[[int], None],
    ) -> str | None:
        """All frames of a point, burst by burst; why it was given up, or None."""
        expired = index = 0
        while index < spec.frames:
            number = spec.first_frame + index
            try:
                waveforms = carried.carried(index).frame(index, number)
            except (CalibrationError, RadioTimeoutError) as err:  # its transmitters could not be aligned anew
                progress(spec.frames - index)
                return str(err)
            try:
                got = self.burst(waveforms if self._match is None else self._match(waveforms))
            except RadioError as err:
                lost = {name: collector.miss(number, alignment=carried.alignment) for name, collector in collectors.items()}
                keep_failure(self.writer, err, point, "frame", number, lost)
                if not isinstance(err, RadioTimeoutError):
                    raise
                expired += 1
                if expired == EXPIRIES:
                    progress(spec.frames - index)
                    return str(err)
                index += 1
                progress(1)
                continue
            rounds = carried if isinstance(carried, Rounds) else None
            rows = self._receive(got, number, collectors, rounds)
            keep_burst(self.writer, got, point, "frame", number, rows)
            if self._match is not None:
                self._match = self._match.follow(next(iter(rows.values())).get("cfo_hz", ()))
            if next(iter(rows.values()))["status"] != "gated":
                index += 1
                progress(1)
        return None

    def _receive(
        self, got: BurstReception, number: int, collectors: Mapping[str, Collector], rounds: Rounds | None
    ) -> dict[str, dict[str, Any]]:
        """The ledger's rows of a frame's burst, by receiver; the first one says whether an aligned frame is refused."""
        rows: dict[str, dict[str, Any]] = {}
        refused, alignment = False, None if rounds is None else rounds.alignment
        for index, (name, collector) in enumerate(collectors.items()):
            part = got.heard[name]
            if refused:
                rows[name] = {"frame": number, "detected": False} | collector.refuse()
            elif got.whole:
                known = begins(got, name)
                may = rounds is not None and index == 0 and rounds.may_refuse
                with timed("receiver"):
                    rows[name] = collector.add(part.samples, number, part.start, sent_at=known, alignment=alignment, refuse=may)
            else:
                rows[name] = collector.miss(number, "late", alignment)
            refused = refused or rows[name]["status"] == "gated"
        if rounds is not None:
            first, collector = next(iter(collectors.items()))
            for row in rows.values():
                row["flags"] = [*row.get("flags", ()), *rounds.flags]
            at_s = got.heard[first].start / self.bench.sample_rate_hz if got.whole else None
            rounds.sent(at_s, collector.looked if got.whole else None, refused=refused)
        return rows
