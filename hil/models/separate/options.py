"""What may be chosen of a digital scheme: it follows the name, as in ``digital-webp?uses=972&mcs=5``."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from hil.config import Config
from hil.models.separate.mcs import MCS, Mcs

__all__ = ["DEFAULT_USES", "DigitalOptions"]

DEFAULT_USES = 512
"""A sixth of the 3072 values of a 32×32 picture in colour."""


class DigitalOptions(Config):
    """See `hil.models.separate.schemes.DigitalImages`.

    Attributes:
        mcs: index of modulation and code rate in IEEE 802.11n, or ``adapt``: the fastest that the calibrated SNR carries.
        uses: complex channel uses a task at most (equal uses); None: 512, or what `bpp` takes.
        bpp: bits a pixel that the stream may have (equal bits a pixel); instead of `uses`.
        headers: ``known``: receivers make a file's header from size and quality; ``sent``: it is part of the stream.
        interleave: a task's coded bits are spread over all of its uses.
    """

    mcs: int | Literal["adapt"] = 4
    uses: int | None = Field(None, ge=1)
    bpp: float | None = Field(None, gt=0)
    headers: Literal["known", "sent"] = "known"
    interleave: bool = True

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        if self.mcs != "adapt" and self.mcs not in MCS:
            raise ValueError(f"mcs must be adapt, or {min(MCS)}…{max(MCS)}, not {self.mcs}")
        if self.bpp is not None and (self.uses is not None or self.mcs == "adapt"):
            raise ValueError("bpp fixes the uses for one mcs: give it without uses, and without mcs = adapt")
        return self

    @property
    def fixed(self) -> Mcs | None:
        """The modulation and code rate; None where they are adapted."""
        return None if self.mcs == "adapt" else MCS[self.mcs]
