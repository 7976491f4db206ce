"""Options of `driver = "soapy"` in a bench file."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from hil.config import Config

__all__ = ["SoapyOptions"]

_REMOTE_DEVICE = {"remote:timeout": "2000000"}  # µs; the library's 0.1 s is less than a busy host takes to answer
_REMOTE_STREAM = {"remote:prot": "tcp", "remote:mtu": "65536"}  # UDP loses samples, and breaks transmissions above 4096


class SoapyOptions(Config):
    """Options of a Soapy device.

    Attributes:
        args: SoapySDR's device arguments; `driver` is a must: looking through all drivers is slow and touches devices that
            are not ours.
        stream_args: of both streams.
        settings: written with `writeSetting`.
        tx_gain_element: amplifier that the bench's `gain_db` sets; None = the overall gain.
        rx_gain_element: the same for the receiver.
        tx_gains: amplifiers with a fixed gain, beside `tx_gain_element`.
        rx_gains: the same for the receiver.
        lo_offset_hz: LO placed off the carrier by this much in both directions, where the driver takes it: moves its leakage
            out of the band.
        full_scale: int16 value of amplitude 1.0, where the driver does not tell it rightly.
        stale_s: samples of an endless reception that have waited longer than this are not delivered: it starts anew.
    """

    args: dict[str, str]
    stream_args: dict[str, str] = Field(default_factory=dict)
    settings: dict[str, str] = Field(default_factory=dict)
    tx_gain_element: str | None = None
    rx_gain_element: str | None = None
    tx_gains: dict[str, float] = Field(default_factory=dict)
    rx_gains: dict[str, float] = Field(default_factory=dict)
    lo_offset_hz: float = 0.0
    full_scale: float | None = Field(default=None, gt=1, le=32768)
    stale_s: float = Field(default=0.25, gt=0)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not self.args.get("driver"):
            raise ValueError("'args' must name a SoapySDR driver, as in args = { driver = \"lime\" }; see: SoapySDRUtil --info")
        if (self.tx_gains and self.tx_gain_element is None) or (self.rx_gains and self.rx_gain_element is None):
            raise ValueError("fixed gains need a 'tx_gain_element' / 'rx_gain_element': an overall gain would change them")
        return self

    @property
    def remote(self) -> bool:
        """Whether it is reached through SoapyRemote."""
        return self.args["driver"] == "remote"

    def device_args(self) -> dict[str, str]:
        """For `SoapySDR.Device`."""
        return (_REMOTE_DEVICE if self.remote else {}) | self.args

    def all_stream_args(self) -> dict[str, str]:
        """For `setupStream`."""
        return (_REMOTE_STREAM if self.remote else {}) | self.stream_args

    def text(self) -> str:
        """The device arguments as SoapySDR's tools take them."""
        return ",".join(f"{key}={value}" for key, value in self.args.items())

    def gain_element(self, side: Literal["tx", "rx"]) -> str | None:
        """The amplifier that `gain_db` sets."""
        return self.tx_gain_element if side == "tx" else self.rx_gain_element

    def fixed_gains(self, side: Literal["tx", "rx"]) -> dict[str, float]:
        """Amplifiers with a fixed gain."""
        return self.tx_gains if side == "tx" else self.rx_gains
