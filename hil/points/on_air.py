"""Points on the air: calibrate a bench, set each link's SNR, align superposed transmitters, send, keep, receive."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hil.calibration.levels import MOST_BACK_OFF_DB, Level, Levels
from hil.calibration.links import Heard, LinkCalibration, Sounder, calibrate_links, links_of
from hil.calibration.sounding import RENEWED_AFTER
from hil.captures import CaptureWriter
from hil.errors import CalibrationError, EarlierFailureError, RadioError, RadioTimeoutError
from hil.models.contract import Sent
from hil.phy.frame import FrameConfig
from hil.phy.receive import FrameReception, ReceiverConfig
from hil.points.aligning import Aligner, Alignment, clock_match
from hil.points.clips import clipped, to_complex
from hil.points.flight import EXPIRIES, Flight, OnAir
from hil.points.keep import Kind, keep_burst, keep_failure, sounding_row
from hil.points.needs import FADING_FRAMES, FADING_LOOKS, LEAD_SAMPLES, TAIL_SAMPLES
from hil.points.order import pieces
from hil.points.past import Past, received_before
from hil.points.spec import PointSpec
from hil.radios.burst import BurstReception
from hil.radios.delays import measure_delay
from hil.radios.session import Bench
from hil.timing import timed
from hil.units import db_to_amplitude, db_to_power

__all__ = ["AirRun"]

Looks = list[tuple[LinkCalibration, float]]
"""Links as they are found again, each with the SNR that it should have (dB)."""
_FORGIVEN_DB = 0.5
"""What a level may be out of range by, to be brought to its end."""


class AirRun:
    """One pass over the air; holds the bench, the capture and what calibration found.

    Args:
        bench: open.
        writer: takes every burst.
        receivers: configuration of each receiver, by name, the first one first.
        past: hands out what an earlier session of the run received of the next burst; None: nothing is on record.
    """

    def __init__(
        self, bench: Bench, writer: CaptureWriter, receivers: Mapping[str, ReceiverConfig], *, past: Past | None = None
    ) -> None:
        self.bench, self.writer, self.receivers = bench, writer, dict(receivers)
        self._past = past
        self._kind: Kind = "sounding"
        self.links: list[LinkCalibration] = []
        self.levels = [Level(gain_db=bench.tx_gain(tx)) for tx in range(bench.transmitters)]
        self.aligner = Aligner()
        self._calibration = -1
        self._deaf = 0
        self._heard_at = 0

    @timed("radio")
    def burst(self, waveforms: Tensor) -> BurstReception:
        """Send and receive; transmitters without a waveform are silent."""
        if waveforms.shape[0] < self.bench.transmitters:
            rest = self.bench.transmitters - waveforms.shape[0]
            waveforms = torch.cat([waveforms, waveforms.new_zeros(rest, waveforms.shape[1])])
        if any(level.back_off_db for level in self.levels):
            waveforms = waveforms * torch.tensor([[db_to_amplitude(-level.back_off_db)] for level in self.levels])
        if self._past is not None and self._past.on_record:
            self.bench.pass_over(waveforms.numpy(), lead=LEAD_SAMPLES, tail=TAIL_SAMPLES)
            return received_before(self._past, self.bench.transmitters)
        return self.bench.burst(waveforms.numpy(), lead=LEAD_SAMPLES, tail=TAIL_SAMPLES)

    @property
    def session(self) -> int:
        """Changes where time has passed that no clock of the radios tells: a run went on after a break."""
        return int(self._past is not None and self.bench.paced and not self._past.on_record)

    def clock_s(self, sample: int) -> float:
        """A receiver's sample in seconds of its clock."""
        return sample / self.bench.sample_rate_hz

    def listened(self, heard: bool) -> None:
        """Be told whether any receiver found a frame in a burst: after two without, streams are tied anew."""
        self._deaf = 0 if heard else self._deaf + 1
        if self._deaf == RENEWED_AFTER:
            self.bench.renew_streams()
            self._deaf = 0

    def exchange(self, waveforms: Tensor, number: int, receive: Callable[[str, Tensor], FrameReception | None]) -> Heard:
        """A sounding burst: sent, received, and kept in the capture with what each receiver made of it.

        Raises:
            RadioTimeoutError: no answer came in time, twice.
        """
        expired = 0
        while True:
            try:
                got = self.burst(waveforms)
                break
            except RadioError as err:
                lost = {name: {"status": "lost"} for name in self.receivers}
                keep_failure(self.writer, err, self._calibration, self._kind, number, lost)
                if isinstance(err, EarlierFailureError):
                    continue
                expired += 1
                if expired == EXPIRIES or not isinstance(err, RadioTimeoutError):
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
        keep_burst(self.writer, got, self._calibration, self._kind, number, rows)
        return heard

    def sounder(self, spec: FrameConfig, symbols: int, transmitters: int | None = None) -> Sounder:
        """Sounds so many transmitters, all of the bench by default, with frames like the run's."""
        return Sounder(transmitters or self.bench.transmitters, spec, self.receivers, self.exchange, symbols=symbols)

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

    def look_again(self, links: Sequence[LinkCalibration], frame: FrameConfig, *, point: int, frames: int) -> Looks:
        """Sound links where they were calibrated: are they still as they were? Kept as "calibration" in the capture.

        Args:
            links: to all receivers, as `calibrate` found them.
            frame: of the run.
            point: that they were calibrated in, by its index in the capture.
            frames: to sound with.

        Returns:
            links as they are now, in the same order, and what they should be (dB).
        """
        self._calibration, self._kind, self.links = point, "calibration", list(links)
        self._follow_delays()
        levels = [self._levels(link.tx).at(link.gain_db) for link in self.first_links()]
        gains = [level.total_db for level in self.set_levels(levels)]
        sounder = self.sounder(frame, max(8, frame.sounding_symbols))
        heard = [sounder.sound(number) for number in range(frames)]
        found = {}
        for name in sounder.receivers:
            for one in links_of(name, [look for looks in heard if (look := looks[name]) is not None], gains):
                found[one.tx, name] = one
        return [(found[link.tx, link.receiver], link.snr_at(gains[link.tx])) for link in links]

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

    def levels_for(self, snr_db: float) -> list[Level]:
        """Levels that bring every link of the first receiver to a target SNR: a gain step, and digital back-off inside it.

        Raises:
            CalibrationError: a level is out of range.
        """
        wanted = []
        for link in self.first_links():
            has = self._levels(link.tx)
            total = link.gain_for(snr_db)
            if not has.low_db - _FORGIVEN_DB <= total <= has.high_db + _FORGIVEN_DB:
                low, high = (link.snr_at(one) for one in (has.low_db, has.high_db))
                raise CalibrationError(
                    f"{snr_db:g} dB on link {link.tx} needs a transmit gain of {total:.1f} dB, the radio gives "
                    f"{has.gains.low:g}…{has.gains.high:g} dB, and digital back-off {MOST_BACK_OFF_DB:g} dB less; change the "
                    f"receive gain or the attenuation, or ask for SNRs in {low:.0f}…{high:.0f} dB"
                )
            wanted.append(has.at(total))
        return wanted

    def _levels(self, tx: int) -> Levels:
        return Levels(gains=self.bench.tx_gain_range(tx), radio_high_db=self.bench.tx_gain_range(tx).high)

    def known(self, spec: PointSpec, levels: Sequence[Level], *, tell_snr: bool) -> PointSpec:
        """The point with what the calibration record says of it (SIGNALS.md, "Received" and "Slow fading").

        Args:
            spec: the point.
            levels: of the transmitters.
            tell_snr: the encoder is told each link's SNR.

        Returns:
            with `tx_snr_db`, and where links fade in the air each receiver's reference: the rms amplitude of its links before
            any fade, one constant.
        """
        count = len(spec.occupied)
        changes: dict[str, Any] = {}
        if tell_snr:
            changes["tx_snr_db"] = tuple(
                link.snr_at(level.total_db) for link, level in zip(self.first_links()[:count], levels, strict=False)
            )
        if spec.fading == "air":
            changes["receptions"] = tuple(
                one.model_copy(
                    update={"receiver": one.receiver.model_copy(update={"reference": self._amplitude(one.name, levels, count)})}
                )
                for one in spec.receptions
            )
        return spec.model_copy(update=changes)

    def _amplitude(self, receiver: str, levels: Sequence[Level], count: int) -> float:
        """Root mean square of the amplitudes of a receiver's links, by the calibration record."""
        links = [link for link in self.links if link.receiver == receiver][:count]
        squares = [link.amplitude_at(level.total_db) ** 2 for link, level in zip(links, levels, strict=False)]
        return float((sum(squares) / len(squares)) ** 0.5)

    def set_levels(self, levels: Sequence[Level]) -> list[Level]:
        """Set every transmitter's gain, and the back-off of what is sent from now on; with the gains that were applied."""
        before, self.levels = (
            self.levels,
            [
                Level(gain_db=self.bench.set_tx_gain(tx, level.gain_db), back_off_db=level.back_off_db)
                for tx, level in enumerate(levels)
            ],
        )
        if before != self.levels:
            self.aligner.forget_levels()
        return self.levels

    def align(self, spec: PointSpec) -> tuple[Alignment, float]:
        """Sound every transmitter alone and align them (SIGNALS.md, "NOMA with h = 1 over the air").

        Returns:
            the alignment, and when it was (s, the first receiver's clock).
        """
        noise = db_to_power(self.first_links()[0].noise_dbfs)
        made = self.aligner.align(spec, self.sounder, noise, self.listened)
        return made, self.clock_s(self._heard_at)

    def start(
        self,
        spec: PointSpec,
        sent: Sent,
        labels: Mapping[str, NDArray[Any]],
        *,
        fade: Tensor | None = None,
    ) -> Flight:
        """A point that is to be sent at the levels in force, stored in the capture.

        Args:
            spec: the point.
            sent: symbols of every task sent (not only of the distinct ones), [tx, task, use].
            labels: name -> integers [task], for the capture.
            fade: complex64 [tx, task], drawn gains that multiply the payload; None for 1.
        """
        said = {
            "tx_gain_db": [level.gain_db for level in self.levels],
            "tx_back_off_db": [level.back_off_db for level in self.levels],
        }
        attrs = {"calibration": [asdict(link) for link in self.links], "radios": self.bench.describe()}
        match = clock_match(spec, self.bench.true_config, self.first_links())
        return Flight(self, spec, sent, labels, said=said, attrs=attrs, fade=fade, match=match)

    def measure(
        self,
        spec: PointSpec,
        sent: Sent,
        labels: Mapping[str, NDArray[Any]],
        levels: Sequence[Level],
        progress: Callable[[int], None],
        *,
        fade: Tensor | None = None,
    ) -> OnAir:
        """Measure one point from its first frame to its last one, by itself.

        Args:
            spec, sent, labels, fade: as `start` takes them.
            levels: of the transmitters.
            progress: told the frames done.

        Raises:
            HilError: as `Flight.send`.
        """
        self.set_levels(levels)
        flight = self.start(spec, sent, labels, fade=fade)
        for visit in range(spec.repeats):
            for frames in pieces(spec, visit):
                flight.send(frames, progress)
        return flight.finish()
