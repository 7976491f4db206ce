"""Points on the air: calibrate a bench, set each link's SNR, align superposed transmitters, send, keep, receive."""

from __future__ import annotations

import platform
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hil import __version__
from hil.calibration.links import LinkCalibration, Sounder, calibrate_links
from hil.calibration.precode import Precoder, align
from hil.captures import CapturePlan, CaptureWriter, plan_capture
from hil.collect import Collection, Collector, PointSpec, decibels, to_complex
from hil.errors import CalibrationError, RadioError, RadioTimeoutError, TransmitRefusedError
from hil.phy.frame import FrameConfig, FrameFormat, frame_for_snr
from hil.phy.receive import FrameReception, ReceiverConfig
from hil.phy.transmit import FrameBuilder
from hil.radios.bench import BenchConfig
from hil.radios.burst import BurstReception
from hil.radios.session import Bench
from hil.units import db_to_power, power_to_db

__all__ = [
    "ALIGNMENT_TRIES",
    "CALIBRATION_FRAMES",
    "EXPIRIES",
    "AirRun",
    "capture_needs",
    "frame_for",
    "receiver_for",
    "versions",
]

LEAD_SAMPLES = 400
"""The frame starts at most so far into a burst's window (the session draws where); the receiver is not told."""
TAIL_SAMPLES = 64
CALIBRATION_FRAMES = 64
"""Most frames that the first calibration takes (planning)."""
ALIGNMENT_SOUNDING = 64
"""Sounding symbols a transmitter with which superposed transmitters are aligned."""
EXPIRIES = 2
"""Deadlines that may pass in a point; the last of them ends it."""
ALIGNMENT_TRIES = 3
"""Sounding frames sent at most before a superposed point; as many frame numbers are kept free ahead of each point."""


def receiver_for(bench: BenchConfig) -> ReceiverConfig:
    """The receiver that fits a bench: no CFO search on a shared reference, oscillators within ±20 ppm each otherwise."""
    shared = bench.clock == "shared"
    return ReceiverConfig(
        sample_rate_hz=bench.sample_rate_hz,
        center_freq_hz=bench.center_freq_hz,
        max_cfo_hz=0.0 if shared else 40e-6 * bench.center_freq_hz,
        phase_walk_rad2=0.0 if shared else 1e-4,
        aligned=shared,
    )


def frame_for(receiver: ReceiverConfig, lowest_snr_db: float, *, tasks_per_frame: int, interleave: bool) -> FrameConfig:
    """Frames that still work at the lowest SNR of the plan: preamble, sounding and header sized for it."""
    base = FrameConfig(interleave=interleave, tasks_per_frame=tasks_per_frame)
    return frame_for_snr(lowest_snr_db, taps=receiver.taps, base=base)


def capture_needs(points: Sequence[PointSpec], rate_hz: float) -> CapturePlan:
    """Samples, bytes and time of a run."""
    samples = frames = symbols = received = 0
    for point in points:
        form = point.format()
        window = LEAD_SAMPLES + TAIL_SAMPLES
        samples += point.frames * (form.samples + window)
        if point.access == "noma":
            slot = ALIGNMENT_SOUNDING * form.numerology.symbol_samples
            samples += form.sounding_start + form.header_symbols * form.numerology.symbol_samples
            samples += form.transmitters * slot + window
        frames += point.frames + 1
        symbols += form.transmitters * point.tasks * form.occupied.shape[1]
        received += point.tasks * form.occupied.shape[1]
    extra = CALIBRATION_FRAMES * 8000
    return plan_capture(
        samples=samples + extra,
        sample_rate_hz=rate_hz,
        frames=frames + CALIBRATION_FRAMES,
        bursts=frames + CALIBRATION_FRAMES,
        symbols=symbols,
        received=received,
        other_bytes=sum(point.tasks * 24 for point in points),
    )


def versions() -> dict[str, Any]:
    """What the bits of a result depend on."""
    return {
        "hil": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "numba": _version_of("numba"),
        "platform": platform.platform(),
        "cpu": _cpu(),
        "torch_threads": torch.get_num_threads(),
        "torch_capability": torch.backends.cpu.get_cpu_capability(),
        "argv": sys.argv,
    }


def _version_of(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    wanted = ("model name", "cpu family", "model\t")
    return "; ".join(dict.fromkeys(line.split(":", 1)[1].strip() for line in lines if line.startswith(wanted)))


class AirRun:
    """One pass over the air; holds the bench, the capture and what calibration found."""

    def __init__(self, bench: Bench, writer: CaptureWriter, receiver: ReceiverConfig) -> None:
        self.bench, self.writer, self.receiver = bench, writer, receiver
        self._calibration = -1

    def burst(self, waveforms: Tensor) -> BurstReception:
        """Send and receive; transmitters without a waveform are silent."""
        if waveforms.shape[0] < self.bench.transmitters:
            rest = self.bench.transmitters - waveforms.shape[0]
            waveforms = torch.cat([waveforms, waveforms.new_zeros(rest, waveforms.shape[1])])
        return self.bench.burst(waveforms.numpy(), lead=LEAD_SAMPLES, tail=TAIL_SAMPLES)

    def exchange(
        self, waveforms: Tensor, number: int, receive: Callable[[Tensor], FrameReception | None]
    ) -> FrameReception | None:
        """A sounding burst: sent, received, and kept in the capture with what the receiver made of it.

        Raises:
            RadioTimeoutError: no answer came in time, twice.
        """
        kept: dict[str, Any] = {"point": self._calibration, "kind": "sounding", "number": number}
        for attempt in range(1, EXPIRIES + 1):
            try:
                got = self.burst(waveforms)
                break
            except RadioError as err:
                self._keep_failure(err, ledger={"status": "lost"}, **kept)
                if attempt == EXPIRIES or not isinstance(err, RadioTimeoutError):
                    raise
        heard = receive(to_complex(got.samples, self.bench.full_scale)) if got.whole and len(got.samples) else None
        row: dict[str, Any] = {"frame": number, "status": "lost" if got.whole else "late", "detected": False}
        if heard is not None:
            row |= {"status": "decoded", "detected": True, "metric": heard.metric, "start": got.start + heard.start}
            row |= {"snr_db": [decibels(value) for value in heard.snr.tolist()], "cfo_hz": heard.cfo_hz.tolist()}
        self._keep(got.samples, got.start, ledger=row, events=_event_rows(got), **kept)
        return heard

    def _keep(
        self,
        samples: NDArray[np.int16],
        start: int,
        *,
        point: int,
        kind: Literal["frame", "sounding"],
        number: int,
        ledger: dict[str, Any],
        events: list[dict[str, Any]],
    ) -> None:
        """Commit a burst with its frame's row of the ledger, which says what the radios reported of it."""
        told = Counter(event["kind"] for event in events)
        ledger |= {"late": told["late"], "underflow": told["underflow"], "overflow": told["overflow"] + told["gap"]}
        if ledger["status"] == "lost" and ledger["overflow"]:
            ledger["status"] = "overflow"
        self.writer.append_burst(point, samples, start=start, kind=kind, frame_numbers=[number], ledger=[ledger], events=events)

    def _keep_failure(self, err: RadioError, *, ledger: dict[str, Any], **burst: Any) -> None:
        """Commit that a burst failed and why; its samples, if there were any, never reached the host."""
        if isinstance(err, TransmitRefusedError):
            return  # nothing was sent
        event = {"kind": err.event, "radio": err.radio, "detail": str(err)}
        self._keep(np.zeros((0, 2), np.int16), -1, ledger=ledger, events=[event], **burst)

    def sounder(self, spec: FrameConfig, symbols: int) -> Sounder:
        """Sounds all transmitters of the bench with frames like the run's."""
        return Sounder(self.bench.transmitters, spec, self.receiver, self.exchange, symbols=symbols)

    def calibrate(self, frame: FrameConfig) -> list[LinkCalibration]:
        """The first calibration: gain against SNR of each link."""
        self._calibration = self.writer.add_point(
            "calibration",
            attrs={"kind": "calibration", "radios": self.bench.describe()},
            symbols=np.zeros((self.bench.transmitters, 0, 1), np.complex64),
            labels={},
        )
        return calibrate_links(self.sounder(frame, max(8, frame.sounding_symbols)), self.bench.set_tx_gain, self._gain_range)

    def _gain_range(self, tx: int) -> tuple[float, float]:
        limits = self.bench.tx_gain_range(tx)
        return limits.low, limits.high

    def set_gains(self, links: Sequence[LinkCalibration], snr_db: float) -> list[float]:
        """Set every link to a target SNR; the gains applied.

        Raises:
            CalibrationError: a gain is out of the radio's range.
        """
        applied = []
        for link in links:
            gain, (low, high) = link.gain_for(snr_db), self._gain_range(link.tx)
            if not low - 0.5 <= gain <= high + 0.5:
                raise CalibrationError(
                    f"{snr_db:g} dB on link {link.tx} needs a transmit gain of {gain:.1f} dB, the radio gives "
                    f"{low:g}…{high:g} dB; change the receive gain or the attenuation, or ask for SNRs in "
                    f"{link.snr_db + low - link.gain_db:.0f}…{link.snr_db + high - link.gain_db:.0f} dB"
                )
            applied.append(self.bench.set_tx_gain(link.tx, min(max(gain, low), high)))
        return applied

    def precoder(self, spec: PointSpec, noise_dbfs: float) -> Precoder:
        """Sound every transmitter alone and align them (SIGNALS.md, "NOMA with h = 1 over the air")."""
        sounder = self.sounder(spec.frame, ALIGNMENT_SOUNDING)
        for attempt in range(1, ALIGNMENT_TRIES + 1):
            heard = sounder.sound(spec.first_frame - attempt)
            if heard is not None:
                return align(heard.response, db_to_power(noise_dbfs), db_to_power(spec.snr_db_target))
        raise CalibrationError(
            f"{ALIGNMENT_TRIES} sounding frames in a row were lost at {spec.snr_db_target:g} dB; look at the ledger"
        )

    def measure(
        self,
        spec: PointSpec,
        sent: Tensor,
        labels: dict[str, Any],
        links: Sequence[LinkCalibration],
        progress: Callable[[int], None],
    ) -> tuple[Collection, dict[str, Any]]:
        """Measure one point: set gains, align if superposed, store what is sent, send it, receive it.

        A radio that does not answer by its deadline costs a frame; the second time it ends the point.

        Returns:
            what was received, and the point's further results: `point`, its index in the capture, and `ended`, why it was
            given up before its last frame (None: it was not).

        Raises:
            RadioTimeoutError: no answer to the sounding before the first frame, twice.
            RadioError: a radio is lost; the capture has what was measured before, and says what happened.
            CalibrationError: a gain is out of range, or the sounding was lost.
        """
        gains = self.set_gains(links, spec.snr_db_target)
        superposed = spec.access == "noma" and spec.receiver.aligned
        precoder = self.precoder(spec, links[0].noise_dbfs) if superposed else None
        form: FrameFormat = spec.format()
        order = spec.task_index()
        symbols = sent[:, order]
        more: dict[str, Any] = {"tx_gain_db": gains, "precoder_power_db": None, "precoder_limited": None, "ended": None}
        extra = {}
        if precoder is not None:
            more["precoder_power_db"] = [power_to_db(float(value)) for value in precoder.power]
            more["precoder_limited"] = precoder.limited
            extra["precoder"] = precoder.weights.numpy()
        name = f"{spec.scheme} {spec.snr_db_target:+g} dB {spec.energy}"
        point = self.writer.add_point(
            name,
            attrs={
                "kind": "point",
                "spec": spec.model_dump(mode="json"),
                "calibration": [asdict(link) for link in links],
                "radios": self.bench.describe(),
                **more,
            },
            symbols=symbols.contiguous().numpy(),
            labels=labels,
            extra=extra,
        )
        collector = Collector(spec, symbols)
        scale = torch.tensor(spec.power).sqrt()
        builder = FrameBuilder(form, precoder=precoder.weights if precoder is not None else None, scale=scale)
        expired = 0
        for index in range(spec.frames):
            number = spec.first_frame + index
            kept: dict[str, Any] = {"point": point, "kind": "frame", "number": number}
            rows = slice(index * form.tasks, (index + 1) * form.tasks)
            waveforms = builder.build(symbols[None, :, rows], [number])[0]
            try:
                got = self.burst(waveforms)
            except RadioError as err:
                self._keep_failure(err, ledger=collector.miss(number), **kept)
                if not isinstance(err, RadioTimeoutError):
                    raise
                expired += 1
                if expired == EXPIRIES:
                    more["ended"] = str(err)
                    progress(spec.frames - index)
                    break
            else:
                ledger = collector.add(got.samples, number, got.start) if got.whole else collector.miss(number, "late")
                self._keep(got.samples, got.start, ledger=ledger, events=_event_rows(got), **kept)
            progress(1)
        collection = collector.finish()
        return collection, more | {"point": point}


def _event_rows(got: BurstReception) -> list[dict[str, Any]]:
    """Stream events as rows of a capture."""
    return [
        {
            "kind": event.kind,
            "radio": event.radio,
            "channel": event.channel,
            "sample": event.position,
            "count": event.count,
        }
        for event in got.events
    ]
