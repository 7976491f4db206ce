"""The open radios of a bench, set to what their roles need: which channel of which radio is which transmitter or receiver."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hil.errors import RadioError
from hil.radios.bench import BenchConfig, ReceiverConfig
from hil.radios.burst import Heard
from hil.radios.contract import Radio, RadioSettings, Reception
from hil.radios.windows import SEARCH_S, Windows, plan_windows, start_offsets
from hil.spelling import did_you_mean

__all__ = ["Rack"]

_SAME_RATE = 1e-9
_CARRIER_HZ = 1.0  # between radios on one reference: more is a carrier offset


class Rack:
    """Radios by role.

    Args:
        config: the bench.
        radios: its radios, open, by name.

    Attributes:
        applied: per radio what it read back.
        wanted_tx: per transmitter the gain asked for (dB).
        wanted_rx: per receiver the gain asked for (dB).
        delays: (transmitter, receiver) -> samples that the link between them delays, where it was measured.
    """

    def __init__(self, config: BenchConfig, radios: Mapping[str, Radio]) -> None:
        self.config, self.radios = config, radios
        self.applied: dict[str, RadioSettings] = {}
        self.wanted_tx = [float(tx.gain_db) for tx in config.transmitters]
        self.wanted_rx = {end.name: float(end.gain_db) for end in config.receivers}
        self.delays: dict[tuple[int, str], int] = {}

    @property
    def sinks(self) -> tuple[str, ...]:
        """The receiving radios, in the order of the bench's receivers."""
        return tuple(dict.fromkeys(end.radio for end in self.config.receivers))

    @property
    def sink(self) -> Radio:
        """The first receiver's radio: its clock is the session's."""
        return self.radios[self.config.receiver.radio]

    @property
    def rate_hz(self) -> float:
        """As read back from the first receiver's radio."""
        return self.applied[self.config.receiver.radio].sample_rate_hz

    @property
    def carrier_hz(self) -> float:
        """As read back from the first receiver's radio."""
        return self.applied[self.config.receiver.radio].center_freq_hz

    @property
    def paced(self) -> bool:
        """Whether time goes on between calls: some device's clock runs on its own."""
        return any(radio.info.clock_runs for radio in self.radios.values())

    def receiver(self, name: str | None) -> ReceiverConfig:
        """The receiver of that name; None = the first.

        Raises:
            RadioError: there is none.
        """
        known = [end.name for end in self.config.receivers]
        if name is not None and name not in known:
            raise RadioError(f"Argument 'receiver' must be one of {', '.join(known)}, not '{name}'{did_you_mean(name, known)}.")
        return self.config.receivers[0 if name is None else known.index(name)]

    def row(self, end: ReceiverConfig) -> int:
        """The row of its radio's receptions that is a receiver's."""
        return self.applied[end.radio].rx_channels.index(end.channel)

    def apply(self, name: str) -> None:
        """Set a radio to what its roles want; what it reads back is in `applied`."""
        config = self.config
        sending = [(tx, self.wanted_tx[k]) for k, tx in enumerate(config.transmitters) if tx.radio == name]
        receiving = [(rx, self.wanted_rx[rx.name]) for rx in config.receivers if rx.radio == name]
        self.applied[name] = self.radios[name].configure(
            RadioSettings(
                sample_rate_hz=config.sample_rate_hz,
                center_freq_hz=config.center_freq_hz,
                tx_channels=tuple(tx.channel for tx, _ in sending),
                tx_gain_db=tuple(gain for _, gain in sending),
                rx_channels=tuple(rx.channel for rx, _ in receiving),
                rx_gain_db=tuple(gain for _, gain in receiving),
                bandwidth_hz=config.bandwidth_hz,
                clock_source=config.clock_source,
                time_source=config.time_source,
                tx_antenna=sending[0][0].antenna if sending else None,
                rx_antenna=receiving[0][0].antenna if receiving else None,
            )
        )

    def check_agreement(self) -> None:
        """See that what the radios read back fits together.

        All must have come to the bench's rate and carrier within the resolution of the device (what is computed from them takes
        the values read back); on one clock to the same rate, as sample counts of one radio are used on the others, and to the
        same carrier, as no modem looks for an offset there.

        Raises:
            RadioError: naming the radio, what was asked and what was read back.
        """
        for name, applied in self.applied.items():
            info = self.radios[name].info
            for what, wanted, got, resolution in (
                ("sample_rate_hz", self.config.sample_rate_hz, applied.sample_rate_hz, info.rate_resolution_hz),
                ("center_freq_hz", self.config.center_freq_hz, applied.center_freq_hz, info.carrier_resolution_hz),
            ):
                if abs(got - wanted) > resolution:
                    raise RadioError(
                        f"radio '{name}': '{what}' {wanted:.10g} comes to {got:.10g} there, further off than its resolution of "
                        f"{resolution:g} Hz; take a value that every radio of the bench has"
                    )
        if self.config.clock != "shared":
            return
        sink = self.config.receiver.radio
        rate, carrier = self.applied[sink].sample_rate_hz, self.applied[sink].center_freq_hz
        for name, applied in self.applied.items():
            if abs(applied.sample_rate_hz / rate - 1) > _SAME_RATE:
                raise RadioError(
                    f"radio '{name}': 'sample_rate_hz' comes to {applied.sample_rate_hz:.9g} there and to {rate:.9g} on "
                    f"'{sink}', though they share a clock; take a rate that every radio of the bench has"
                )
            if abs(applied.center_freq_hz - carrier) > _CARRIER_HZ:
                raise RadioError(
                    f"radio '{name}': 'center_freq_hz' comes to {applied.center_freq_hz:.10g} there and to {carrier:.10g} on "
                    f"'{sink}', though they share a clock; take a carrier that every radio of the bench has, or set "
                    'clock = "independent"'
                )

    def check_side_by_side(self) -> None:
        """See that receivers on several radios can be received together.

        Raises:
            RadioError: a radio has no hardware time, by which alone their windows can be laid side by side.
        """
        if len(self.sinks) == 1:
            return
        blind = [name for name in self.sinks if not self.radios[name].info.hardware_time]
        blind += [tx.radio for tx in self.config.transmitters if not self.radios[tx.radio].info.timed_transmit]
        if blind:
            raise RadioError(
                f"bench '{self.config.name}': receivers on several radios ({', '.join(self.sinks)}) need hardware time on "
                f"every radio, and '{blind[0]}' has none; put all receivers on one radio, or measure them one after another"
            )

    @contextmanager
    def loud(self, name: str) -> Iterator[None]:
        """Hold a radio's transmit gains at least where the bench file starts them."""
        before = list(self.wanted_tx)
        for tx, end in enumerate(self.config.transmitters):
            if end.radio == name:
                self.wanted_tx[tx] = max(self.wanted_tx[tx], end.gain_db)
        try:
            self.apply(name)
            yield
        finally:
            self.wanted_tx[:] = before
            self.apply(name)

    def blocks(self, waveforms: NDArray[Any], *, together: bool = True) -> dict[str, NDArray[np.complex64]]:
        """Waveforms [tx, n] as those [channel, m] of every radio that has something to send.

        Args:
            waveforms: one per transmitter.
            together: each starts so that all arrive at the first receiver together; else all start together, and m = n.
        """
        sending = [tx for tx, row in enumerate(waveforms) if row.any()]
        offsets = start_offsets(self.config, self.delays if together else {}, sending)
        n, longest = waveforms.shape[1], max(offsets.values(), default=0)
        out: dict[str, NDArray[np.complex64]] = {}
        for tx, offset in offsets.items():
            end = self.config.transmitters[tx]
            channels = self.applied[end.radio].tx_channels
            block = out.setdefault(end.radio, np.zeros((len(channels), n + longest), np.complex64))
            block[channels.index(end.channel), offset : offset + n] = waveforms[tx]
        return out

    def sending(self, blocks: Mapping[str, NDArray[np.complex64]]) -> list[int]:
        """The transmitters that have something in the waveforms [channel, n] of their radios."""
        return [
            k
            for k, tx in enumerate(self.config.transmitters)
            if tx.radio in blocks and blocks[tx.radio][self.applied[tx.radio].tx_channels.index(tx.channel)].any()
        ]

    def starts(self, blocks: Mapping[str, NDArray[np.complex64]], times: Mapping[str, int]) -> tuple[int | None, ...]:
        """Device sample at which each transmitter starts, where its radio's block starts at a time; None: it sends nothing."""
        offsets = start_offsets(self.config, self.delays, self.sending(blocks))
        ends = enumerate(self.config.transmitters)
        return tuple(times[tx.radio] + offsets.get(k, 0) if tx.radio in times else None for k, tx in ends)

    def windows(self, blocks: Mapping[str, NDArray[np.complex64]], length: int, *, search: bool) -> Windows:
        """Where a burst is received; see `plan_windows`."""
        late = round(SEARCH_S * self.rate_hz) if search else 0
        return plan_windows(self.config, self.delays, self.sending(blocks), length, late=late)

    def heard(self, receptions: Mapping[str, Reception]) -> dict[str, Heard]:
        """Receptions by radio as what each receiver heard, in the bench's order."""
        return {
            end.name: Heard(samples=receptions[end.radio].samples[self.row(end)], start=receptions[end.radio].start)
            for end in self.config.receivers
        }

    def heard_in(
        self, windows: Windows, receptions: Mapping[str, Reception], due: Mapping[str, int], before: int
    ) -> dict[str, Heard]:
        """As `heard`, each receiver's window alone.

        Args:
            windows: of the burst.
            receptions: by radio.
            due: radio -> device sample at which the burst begins without delay.
            before: samples from a window's begin to there.
        """
        out = {}
        for end in self.config.receivers:
            got, begin = receptions[end.radio], due[end.radio] - before + windows.shifts[end.name]
            low, high = (
                min(max(edge - got.start, 0), got.samples.shape[1]) for edge in (begin, begin + windows.lengths[end.name])
            )
            start = got.start + low
            out[end.name] = Heard(samples=got.samples[self.row(end), low:high], start=start, due=due[end.radio] - start)
        return out

    def deadline_s(self, n: int) -> float:
        """How long n samples may take to arrive."""
        return n / self.rate_hz + 2.0

    def each(self, action: Callable[[Radio], None]) -> None:
        """Do something to every radio, whatever happens on the way; the first failure is raised at the end."""
        failures: list[BaseException] = []
        for radio in self.radios.values():
            try:
                action(radio)
            except BaseException as err:  # a second signal, too: the other radios are still to be silenced
                failures.append(err)
        if failures:
            raise failures[0]
