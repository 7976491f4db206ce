"""Safety: what the operator allows real transmitters, and the refusal of everything else."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from hil.errors import TransmitRefusedError
from hil.radios.bench import BenchConfig
from hil.radios.contract import RadioInfo, RadioSettings

__all__ = ["HEADROOM_DB", "Permit", "check_burst", "check_consent", "check_transmit", "check_transmitter"]

HEADROOM_DB = 10.0
"""What must lie between the strongest possible input and what the receiver survives."""


def check_transmit(bench: BenchConfig, info: RadioInfo, consent: bool, settings: RadioSettings | None = None) -> None:
    """Refuse to drive a real transmitter without the operator's limits and consent.

    Checked for every transmitter of the radio: the band, its oscillator's leakage included, and that its power less the
    attenuation to the receivers stays 10 dB below what they survive.

    Args:
        bench: with the limits.
        info: of the radio.
        consent: the command was given --transmit.
        settings: what the radio is set to; None = what the bench file asks for.

    Raises:
        TransmitRefusedError: naming what is missing or exceeded, and where to set it.
    """
    if not info.virtual:
        check_transmitter(bench, info.name, consent, settings)


def check_transmitter(bench: BenchConfig, name: str, consent: bool, settings: RadioSettings | None = None) -> None:
    """The same for a radio that has an antenna, by its name: it need not be open.

    Raises:
        TransmitRefusedError: see `check_transmit`.
    """
    limits = bench.limits
    check_consent(name, consent)
    if not limits.freq_ranges_hz:
        raise TransmitRefusedError(
            f"bench '{bench.name}' must set freq_ranges_hz under [limits] before radio '{name}' may transmit"
        )
    center_hz, rate_hz, offset_hz = bench.center_freq_hz, bench.sample_rate_hz, 0.0
    if settings is not None:
        center_hz, rate_hz, offset_hz = settings.center_freq_hz, settings.sample_rate_hz, settings.lo_offset_hz
    low, high = center_hz + min(0.0, offset_hz) - rate_hz / 2, center_hz + max(0.0, offset_hz) + rate_hz / 2
    if not any(start <= low and high <= end for start, end in limits.freq_ranges_hz):
        raise TransmitRefusedError(
            f"bench '{bench.name}': the band {low:.6g} … {high:.6g} Hz is outside limits.freq_ranges_hz "
            f"{[list(pair) for pair in limits.freq_ranges_hz]}"
        )
    own = [tx for tx, end in enumerate(bench.transmitters) if end.radio == name]
    if not own:
        raise TransmitRefusedError(f"bench '{bench.name}': radio '{name}' has no entry in 'transmitters'")
    for tx in own:
        _check_levels(bench, tx)


def check_consent(name: str, consent: bool) -> None:
    """Refuse a real transmitter without the operator's word.

    Raises:
        TransmitRefusedError: `consent` is missing.
    """
    if not consent:
        raise TransmitRefusedError(f"radio '{name}' would transmit: give --transmit to allow it")


def check_burst(bench: BenchConfig, seconds: float) -> None:
    """Refuse a burst that is longer than the bench allows any radio, virtual ones too.

    Raises:
        TransmitRefusedError: it is.
    """
    longest = bench.limits.max_burst_s
    if longest is not None and seconds > longest:
        raise TransmitRefusedError(
            f"bench '{bench.name}': a burst of {seconds:.3g} s is longer than limits.max_burst_s = {longest:g}; "
            "send fewer tasks in a frame (frame.tasks_per_frame)"
        )


def _check_levels(bench: BenchConfig, tx: int) -> None:
    limits, end = bench.limits, bench.transmitters[tx]
    power = end.max_tx_dbm if end.max_tx_dbm is not None else limits.max_tx_dbm
    loss = end.min_path_loss_db if end.min_path_loss_db is not None else limits.min_path_loss_db
    where = f"bench '{bench.name}', transmitter {tx}"
    if power is None or bench.max_tx_gain_db(tx) is None:
        raise TransmitRefusedError(f"{where}: set max_tx_gain_db and max_tx_dbm, under [limits] or for this transmitter")
    if loss is None or limits.max_rx_dbm is None:
        raise TransmitRefusedError(
            f"{where}: set min_path_loss_db, under [limits] or for this transmitter, and max_rx_dbm under [limits]"
        )
    if power - loss > limits.max_rx_dbm - HEADROOM_DB:
        raise TransmitRefusedError(
            f"{where}: max_tx_dbm {power:g} − min_path_loss_db {loss:g} comes within {HEADROOM_DB:g} dB of max_rx_dbm "
            f"{limits.max_rx_dbm:g}; add attenuation"
        )


class Permit:
    """What a driver asks before it lets a sample out, however it was reached; and its memory of what it let out.

    Args:
        bench: with the operator's limits.
        shared: of `Radio.open`; "consent" is true where the command was given --transmit.
    """

    def __init__(self, bench: BenchConfig, shared: Mapping[str, Any]) -> None:
        self._bench, self._consent = bench, bool(shared.get("consent", False))
        self._rested_at = 0.0

    def check(self, info: RadioInfo, settings: RadioSettings) -> None:
        """Refuse what the limits forbid, the gains now set included.

        Raises:
            TransmitRefusedError: see `check_transmit`.
        """
        check_transmit(self._bench, info, self._consent, settings)
        self.check_gains(info, settings)
        known = {end.channel for end in self._bench.transmitters if end.radio == info.name}
        strangers = [channel for channel in settings.tx_channels if channel not in known]
        if strangers and not info.virtual:
            raise TransmitRefusedError(f"radio '{info.name}': the bench has no transmitter on channel {strangers[0]}")

    def check_gains(self, info: RadioInfo, settings: RadioSettings) -> None:
        """Refuse gains above the limits: a radio may be sending when they are set.

        Raises:
            TransmitRefusedError: naming the transmitter.
        """
        if info.virtual:
            return
        for tx, end in enumerate(self._bench.transmitters):
            most = self._bench.max_tx_gain_db(tx)
            if end.radio == info.name and most is not None and end.channel in settings.tx_channels:
                gain_db = settings.tx_gain_db[settings.tx_channels.index(end.channel)]
                if gain_db > most + 1e-9:
                    raise TransmitRefusedError(f"transmitter {tx}: a gain of {gain_db:g} dB is above max_tx_gain_db = {most:g}")

    def rest(self, info: RadioInfo) -> None:
        """Wait until `max_duty` lets the next burst out."""
        if not info.virtual:
            time.sleep(max(0.0, self._rested_at - time.monotonic()))

    def spend(self, info: RadioInfo, seconds: float) -> None:
        """Account for a burst of so many seconds, after the rest that the ones before it are owed.

        Raises:
            TransmitRefusedError: it is longer than `max_burst_s`.
        """
        limits = self._bench.limits
        if info.virtual:
            return
        if limits.max_burst_s is not None and seconds > limits.max_burst_s:
            raise TransmitRefusedError(
                f"radio '{info.name}': a burst of {seconds:.3g} s is longer than limits.max_burst_s = {limits.max_burst_s:g}"
            )
        self.rest(info)
        if limits.max_duty is not None:
            self._rested_at = time.monotonic() + seconds / limits.max_duty

    @property
    def longest_s(self) -> float | None:
        """How long a repeated buffer may play; None = until it is stopped."""
        return self._bench.limits.max_burst_s
