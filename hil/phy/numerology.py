"""Which carriers an OFDM symbol uses, and for what."""

from __future__ import annotations

from functools import cached_property

from pydantic import Field, model_validator

from hil.config import Config

__all__ = ["Numerology"]


class Numerology(Config):
    """OFDM numerology.

    Attributes:
        fft_size: points of the (unitary) FFT, N.
        cyclic_prefix: samples of cyclic prefix, CP.
        active_half: active carriers on each side of the null DC carrier; carriers ±1…±active_half are used.
        pilots: number of pilot carriers in a payload symbol, shared out among the transmitters superposed in it.
    """

    fft_size: int = Field(64, ge=16, le=65536)
    cyclic_prefix: int = Field(16, ge=0)
    active_half: int = Field(26, ge=2)
    pilots: int = Field(4, ge=2)

    @model_validator(mode="after")
    def _fits(self) -> Numerology:
        if 2 * self.active_half >= self.fft_size:
            raise ValueError(f"active_half = {self.active_half} needs fft_size > {2 * self.active_half}, not {self.fft_size}")
        if self.cyclic_prefix > self.fft_size:
            raise ValueError(f"cyclic_prefix = {self.cyclic_prefix} must be at most fft_size = {self.fft_size}")
        if self.pilots >= 2 * self.active_half:
            raise ValueError(f"pilots = {self.pilots} leaves no data carriers out of {2 * self.active_half}")
        return self

    @property
    def symbol_samples(self) -> int:
        """Samples of one OFDM symbol with its prefix."""
        return self.fft_size + self.cyclic_prefix

    @cached_property
    def carriers(self) -> tuple[int, ...]:
        """Active carriers as signed indices, ascending: −active_half…−1, 1…active_half."""
        return tuple(range(-self.active_half, 0)) + tuple(range(1, self.active_half + 1))

    @property
    def active(self) -> int:
        """Number of active carriers."""
        return 2 * self.active_half

    @cached_property
    def bins(self) -> tuple[int, ...]:
        """FFT bin of each active carrier, in the order of `carriers`."""
        return tuple(carrier % self.fft_size for carrier in self.carriers)

    @cached_property
    def null_bins(self) -> tuple[int, ...]:
        """FFT bins that carry nothing: DC and the guard band."""
        used = set(self.bins)
        return tuple(index for index in range(self.fft_size) if index not in used)

    @cached_property
    def pilot_positions(self) -> tuple[int, ...]:
        """Positions (indices into `carriers`) of the pilots, spread evenly and symmetrically."""
        step = self.active / self.pilots
        return tuple(int((index + 0.5) * step) for index in range(self.pilots))

    @cached_property
    def data_positions(self) -> tuple[int, ...]:
        """Positions (indices into `carriers`) of the data carriers of a payload symbol."""
        pilots = set(self.pilot_positions)
        return tuple(index for index in range(self.active) if index not in pilots)
