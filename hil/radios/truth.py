"""What a simulated bench knows about itself, for comparison with what the modem measures.

Per complex sample, thermal noise has power σ² = kTB·F with B the sample rate, and rounding adds 2Δ²/12 at the converter. A
unitary FFT keeps white noise: σ² is also the noise power of every carrier. So with mean power P of the payload symbol on an
active carrier (unitary transform; digital, full scale = 1), SNR = P · full-scale power · mean over active carriers |H|² / σ².
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from hil.channel.frontend import iq_power
from hil.channel.multipath import fade, frequency_response
from hil.errors import RadioError
from hil.radios.air import Air, Link, Port
from hil.radios.airconfig import SimRadioConfig
from hil.radios.bench import BenchConfig, ReceiverConfig
from hil.radios.contract import Radio, RadioSettings
from hil.units import power_to_db

__all__ = ["SimulatedRadio", "Truth"]


@runtime_checkable
class SimulatedRadio(Protocol):
    """What a radio on a simulated air of this process tells of itself.

    Attributes:
        tx_ports: by channel.
        rx_ports: by channel.
    """

    tx_ports: list[Port]
    rx_ports: list[Port]

    @property
    def air(self) -> Air:
        """The medium it is on."""

    @property
    def config(self) -> SimRadioConfig:
        """What it is like."""

    def noise_power(self) -> float:
        """Thermal noise at the antenna over the whole sample rate (mW)."""

    def quantisation_power(self, rx_gain_db: float) -> float:
        """The converter's rounding noise referred to the antenna (mW)."""

    def full_scale_power(self, tx_gain_db: float) -> float:
        """Power of a full-scale tone at the antenna (mW)."""


class Truth:
    """The air's own figures as one receiver hears it, at the gains now applied.

    Args:
        config: of the bench.
        radios: all of them, open.
        applied: per radio what it read back, kept up to date.
        receiver: one of the bench's.

    Raises:
        RadioError: a radio of the bench is not simulated.
    """

    def __init__(
        self,
        config: BenchConfig,
        radios: Mapping[str, Radio],
        applied: Mapping[str, RadioSettings],
        receiver: ReceiverConfig,
    ) -> None:
        known: dict[str, SimulatedRadio] = {}
        for name, radio in radios.items():
            if not isinstance(radio, SimulatedRadio):
                raise RadioError(f"radio '{name}' is not simulated: nobody knows the truth about it")
            known[name] = radio
        self._config, self._applied, self._end = config, applied, receiver
        self._receiver = known[receiver.radio]
        self._sink = self._receiver.rx_ports[receiver.channel]
        self._senders = [known[tx.radio] for tx in config.transmitters]
        self._ports = [known[tx.radio].tx_ports[tx.channel] for tx in config.transmitters]
        self._links: list[Link] = [self._receiver.air.links[port, self._sink] for port in self._ports]

    def _tx_gain(self, tx: int) -> float:
        end = self._config.transmitters[tx]
        applied = self._applied[end.radio]
        return applied.tx_gain_db[applied.tx_channels.index(end.channel)]

    def _rx_gain(self) -> float:
        applied = self._applied[self._end.radio]
        return applied.rx_gain_db[applied.rx_channels.index(self._end.channel)]

    def noise_power(self) -> float:
        """Thermal + rounding noise of a complex sample, and of a carrier of a unitary FFT, at the antenna (mW)."""
        return self._receiver.noise_power() + self._receiver.quantisation_power(self._rx_gain())

    def noise_dbfs(self) -> float:
        """The same relative to the receiver's full scale (complex power 1.0 = 0 dBFS)."""
        return power_to_db(self.noise_power()) + self._rx_gain() - self._receiver.config.rx_full_scale_dbm

    def link_gain(self, tx: int, freqs_hz: NDArray[np.float64] | None = None) -> float:
        """Mean |H|² of the propagation of one link; over ±0.4 of the sample rate when no frequencies are given."""
        rate = self._applied[self._end.radio].sample_rate_hz
        band = np.linspace(-0.4, 0.4, 257) * rate if freqs_hz is None else freqs_hz
        return self._links[tx].power_gain(band)

    def snr(self, tx: int, carrier_power: float, freqs_hz: NDArray[np.float64] | None = None) -> float:
        """SNR (linear) of one link by the definition of SIGNALS.md.

        Args:
            tx: transmitter.
            carrier_power: mean |symbol|² of the payload on an active carrier as the DAC sees it: digital units (full scale
                1.0), unitary transform. A time-domain rms r over a payload with A of N carriers active is r² · N / A.
            freqs_hz: baseband frequencies of the active carriers.
        """
        config = self._senders[tx].config
        sent = self._senders[tx].full_scale_power(self._tx_gain(tx)) * carrier_power
        sent *= iq_power(config.tx_iq_gain_db, config.tx_iq_phase_deg)  # what an unbalanced mixer lets out beside the image
        return sent * self.link_gain(tx, freqs_hz) / self.noise_power()

    def snr_db(self, tx: int, carrier_power: float, freqs_hz: NDArray[np.float64] | None = None) -> float:
        """`snr` in dB."""
        return power_to_db(self.snr(tx, carrier_power, freqs_hz))

    def response(self, tx: int, freqs_hz: NDArray[np.float64]) -> NDArray[np.complex128]:
        """H at baseband frequencies in received digital units per sent digital unit, static phases included."""
        port = self._ports[tx]
        power = self._senders[tx].full_scale_power(self._tx_gain(tx))
        gain_db = self._rx_gain() - self._receiver.config.rx_full_scale_dbm
        scale = np.sqrt(power) * 10 ** (gain_db / 20) * np.exp(1j * (port.phase - self._sink.phase))
        return np.asarray(scale * frequency_response(self._links[tx].paths, freqs_hz))

    def cfo_hz(self, tx: int) -> float:
        """Carrier of one transmitter minus the receiver's (Hz)."""
        return 1e-6 * (self._ports[tx].ppm - self._sink.ppm) * self._config.center_freq_hz

    def fade(self, tx: int, position: int) -> complex:
        """The CN(0, 1) gain of one link's block fading at a device sample of the receiver; 1 where it does not fade."""
        link = self._links[tx]
        return fade(self._receiver.air.seed, link.name, position // link.fading_block) if link.fading_block else 1 + 0j

    def describe(self) -> dict[str, Any]:
        """For a capture: JSON types only."""
        links = [
            {
                "transmitter": tx,
                "tx_gain_db": self._tx_gain(tx),
                "link_gain_db": power_to_db(self.link_gain(tx)),
                "delay_s": link.paths[0].delay_s,
                "cfo_hz": self.cfo_hz(tx),
                "snr_db_full_scale": self.snr_db(tx, 1.0),
            }
            for tx, link in enumerate(self._links)
        ]
        return {"rx_gain_db": self._rx_gain(), "noise_dbfs": self.noise_dbfs(), "links": links}
