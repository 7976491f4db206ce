"""Safety: what the operator allows real transmitters, and the refusal of everything else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from hil.config import Config
from hil.errors import TransmitRefusedError
from hil.radios.contract import RadioInfo

if TYPE_CHECKING:
    from hil.radios.bench import BenchConfig

__all__ = ["LimitsConfig", "check_transmit"]


class LimitsConfig(Config):
    """What the operator allows real transmitters. Virtual radios need none of it.

    Attributes:
        freq_ranges_hz: bands, lowest and highest frequency; the whole occupied band must lie in one.
        max_tx_gain_db: highest transmit gain; holds for virtual radios too.
        max_tx_dbm: highest output power of the transmitters at that gain.
        max_rx_dbm: highest input power that the receiver survives.
        min_path_loss_db: attenuation that is surely between them; max_tx − loss must stay 10 dB below max_rx.
        max_burst_s: longest burst.
        max_duty: largest share of the time on the air; the session waits between bursts.
    """

    freq_ranges_hz: tuple[tuple[float, float], ...] = ()
    max_tx_gain_db: float | None = None
    max_tx_dbm: float | None = None
    max_rx_dbm: float | None = None
    min_path_loss_db: float | None = None
    max_burst_s: float | None = Field(default=None, gt=0)
    max_duty: float | None = Field(default=None, gt=0, le=1)


def check_transmit(bench: BenchConfig, info: RadioInfo, consent: bool) -> None:
    """Refuse to drive a real transmitter without the operator's limits and consent.

    Raises:
        TransmitRefusedError: naming what is missing or exceeded, and where to set it.
    """
    if info.virtual:
        return
    limits = bench.limits
    if not consent:
        raise TransmitRefusedError(f"radio '{info.name}' would transmit: give --transmit to allow it")
    if not limits.freq_ranges_hz or limits.max_tx_gain_db is None or limits.max_tx_dbm is None:
        raise TransmitRefusedError(
            f"bench '{bench.name}' must set freq_ranges_hz, max_tx_gain_db and max_tx_dbm under [limits] before "
            f"radio '{info.name}' may transmit"
        )
    low, high = bench.center_freq_hz - bench.sample_rate_hz / 2, bench.center_freq_hz + bench.sample_rate_hz / 2
    if not any(start <= low and high <= end for start, end in limits.freq_ranges_hz):
        raise TransmitRefusedError(
            f"bench '{bench.name}': the band {low:.6g} … {high:.6g} Hz is outside limits.freq_ranges_hz "
            f"{[list(pair) for pair in limits.freq_ranges_hz]}"
        )
    if limits.max_rx_dbm is None or limits.min_path_loss_db is None:
        raise TransmitRefusedError(f"bench '{bench.name}' must set max_rx_dbm and min_path_loss_db under [limits]")
    if limits.max_tx_dbm - limits.min_path_loss_db > limits.max_rx_dbm - 10:
        raise TransmitRefusedError(
            f"bench '{bench.name}': max_tx_dbm {limits.max_tx_dbm:g} − min_path_loss_db {limits.min_path_loss_db:g} comes "
            f"within 10 dB of max_rx_dbm {limits.max_rx_dbm:g}; add attenuation"
        )
