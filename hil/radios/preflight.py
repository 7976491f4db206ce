"""What can be refused of a bench before any of its radios is opened: drivers, the operator's limits, SNRs out of reach."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import numpy as np

from hil.channel.frontend import quantisation_noise
from hil.channel.multipath import Path, frequency_response
from hil.errors import CalibrationError, HilError
from hil.foreign import is_foreign
from hil.radios.airconfig import LinkConfig
from hil.radios.bench import BenchConfig
from hil.radios.card import is_simulated
from hil.radios.check import Check
from hil.radios.converters import full_scale_power, thermal_noise_mw
from hil.radios.limits import check_consent, check_transmitter
from hil.registry import DRIVERS
from hil.units import db_to_amplitude, db_to_power, power_to_db

__all__ = ["inspect", "preflight", "snr_range"]

MARGIN_DB = 2.0
"""What a measured link may differ from the bench file's figures."""

Step = tuple[str, Callable[[], str]]
"""What is looked at, and the look: returns what it saw, raises what is wrong."""


def preflight(bench: BenchConfig, *, consent: bool, snr_db: Sequence[float] = (), carrier_dbfs: float = 0.0) -> None:
    """Refuse what the bench file shows to be impossible or forbidden.

    Args:
        bench: as read.
        consent: the command was given --transmit.
        snr_db: targets of every link to the first receiver.
        carrier_dbfs: mean power of a payload symbol on an active carrier, unitary transform, relative to the DAC's full scale.

    Raises:
        DriverMissingError: a driver's library is not installed.
        TransmitRefusedError: consent or limits are missing, or forbid it.
        CalibrationError: an SNR that no gain gives.
    """
    for _, look in _steps(bench, consent, snr_db, carrier_dbfs):
        look()


def inspect(bench: BenchConfig, *, consent: bool, snr_db: Sequence[float] = (), carrier_dbfs: float = 0.0) -> list[Check]:
    """The same as a list, one entry for everything that was looked at."""
    found = []
    for name, look in _steps(bench, consent, snr_db, carrier_dbfs):
        try:
            found.append(Check(name=name, ok=True, detail=look()))
        except HilError as err:
            found.append(Check(name=name, ok=False, detail=str(err)))
    return found


def _steps(bench: BenchConfig, consent: bool, snr_db: Sequence[float], carrier_dbfs: float) -> Iterator[Step]:
    for name, radio in bench.radios.items():
        yield f"radio {name}", partial(_driver, radio.driver)
    for name in dict.fromkeys(end.radio for end in bench.transmitters):
        yield f"radio {name} may send", partial(_may_send, bench, name, consent)
        yield f"limits of radio {name}", partial(_limits, bench, name)
    for tx in range(len(bench.transmitters)):
        yield f"link {tx} to '{bench.receiver.name}'", partial(_reach, bench, tx, snr_db, carrier_dbfs)


def _driver(name: str) -> str:
    DRIVERS.load(name)
    return f"driver {name}"


def _may_send(bench: BenchConfig, name: str, consent: bool) -> str:
    radio = bench.radios[name]
    if radio.model is not None:
        return "no antenna: " + ("simulated" if is_simulated(radio.driver) else "served by hil air")
    if is_foreign(radio.driver):
        return "its driver tells when it is opened whether it has an antenna"
    check_consent(name, consent)
    return "--transmit"


def _limits(bench: BenchConfig, name: str) -> str:
    radio = bench.radios[name]
    if radio.model is not None or is_foreign(radio.driver):
        return "not needed"
    check_transmitter(bench, name, True)
    return "kept"


def _reach(bench: BenchConfig, tx: int, snr_db: Sequence[float], carrier_dbfs: float) -> str:
    known = snr_range(bench, tx, carrier_dbfs)
    if known is None:
        return "measured when the radios are there"
    low, high = known
    beyond = [target for target in snr_db if not low - MARGIN_DB <= target <= high + MARGIN_DB]
    if beyond:
        raise CalibrationError(
            f"{beyond[0]:g} dB on link {tx} is out of reach: by the bench file the transmit gains of '{bench.name}' give about "
            f"{low:.0f}…{high:.0f} dB; ask for SNRs in there, or change path_loss_db or the receiver's gain_db"
        )
    return f"about {low:.0f}…{high:.0f} dB of SNR by transmit gain"


def snr_range(bench: BenchConfig, tx: int, carrier_dbfs: float) -> tuple[float, float] | None:
    """SNR of a link to the first receiver at the least and the greatest transmit gain (dB), as the bench file has it.

    As `hil.radios.truth` says it of open radios; None where a radio is real, or the file has no such link.
    """
    sender, receiver = bench.radios[bench.transmitters[tx].radio].model, bench.radios[bench.receiver.radio].model
    links = [one for one in bench.links if one.transmitter == tx and one.receiver in (None, bench.receiver.name)]
    if sender is None or receiver is None or not links:
        return None
    least, greatest = sender.tx_gain_range_db
    most = bench.max_tx_gain_db(tx)
    greatest = greatest if most is None else min(greatest, most)
    rounding = quantisation_noise(receiver.adc_bits) * float(db_to_power(receiver.rx_full_scale_dbm - bench.receiver.gain_db))
    noise = thermal_noise_mw(bench.sample_rate_hz, receiver.noise_figure_db) + rounding
    gain_db = power_to_db(_power_gain(links[0], bench.sample_rate_hz)) + carrier_dbfs - power_to_db(noise)
    low, high = (power_to_db(full_scale_power(sender, gain)) + gain_db for gain in (least, greatest))
    return low, high


def _power_gain(link: LinkConfig, rate_hz: float) -> float:
    """Mean |H|² of a link's propagation over ±0.4 of the sample rate."""
    direct = float(db_to_amplitude(-link.path_loss_db))
    further = [
        Path(delay_s=tap.delay_s, gain=direct * float(db_to_amplitude(tap.gain_db)) * np.exp(1j * np.deg2rad(tap.phase_deg)))
        for tap in link.taps
    ]
    response = frequency_response((Path(delay_s=0.0, gain=direct), *further), np.linspace(-0.4, 0.4, 257) * rate_hz)
    return float(np.mean(np.abs(response) ** 2))
