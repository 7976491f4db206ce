"""What may be chosen of a digital scheme: it follows the name, as in ``digital-webp?uses=972&mcs=5``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from hil.config import Config
from hil.models.separate.mcs import TABLES, Mcs
from hil.spelling import did_you_mean

__all__ = ["DEFAULT_USES", "DigitalOptions"]

DEFAULT_USES = 512
"""A sixth of the 3072 values of a 32×32 picture in colour."""
ADAPTED = ("adapt", "hybrid")
USUAL = {"wifi": 4, "lte-cqi": 9}
"""16-QAM 3/4 (Sun et al.), and LTE's fastest of 16-QAM."""


class DigitalOptions(Config):
    """See `hil.models.separate.schemes.DigitalImages`.

    Attributes:
        table: which modulations and code rates there are: 802.11n's, or LTE's by CQI.
        mcs: index in that table; ``adapt``: the fastest that the calibrated SNR carries; ``hybrid``: the same, but none that
            is faster than `most`; None: 16-QAM, 3/4 or 616/1024.
        most: index in that table, for hybrid; None: as for `mcs`.
        code: ``ldpc``; or ``ideal``: whatever its threshold carries comes through, a bound.
        uses: complex channel uses a task at most (equal uses); None: 512, or what `bpp` takes.
        bpp: bits a pixel that the stream may have (equal bits a pixel); instead of `uses`.
        headers: ``known``: receivers make a file's header from size and quality; ``sent``: it is part of the stream.
        interleave: a task's coded bits are spread over all of its uses.
    """

    table: Literal["wifi", "lte-cqi"] = "wifi"
    mcs: int | Literal["adapt", "hybrid"] | None = None
    most: int | None = None
    code: Literal["ldpc", "ideal"] = "ldpc"
    uses: int | None = Field(None, ge=1)
    bpp: float | None = Field(None, gt=0)
    headers: Literal["known", "sent"] = "known"
    interleave: bool = True

    @field_validator("mcs", mode="before")
    @classmethod
    def _word_or_index(cls, given: Any) -> Any:
        if isinstance(given, str) and given not in ADAPTED and not given.lstrip("+-").isdecimal():
            raise ValueError(f"must be adapt, hybrid, or an index in the table{did_you_mean(given, ADAPTED)}")
        return given

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        known = TABLES[self.table]
        if self.adapted is None and self.index not in known:
            raise ValueError(f"mcs must be adapt, hybrid, or {min(known)}…{max(known)}, not {self.mcs}")
        if self.most is not None and (self.mcs != "hybrid" or self.most not in known):
            raise ValueError(f"most is for mcs = hybrid, {min(known)}…{max(known)}, not {self.most} with mcs = {self.mcs}")
        if self.bpp is not None and self.uses is not None:
            raise ValueError(
                f"bpp = {self.bpp:g} fixes the uses, so it cannot be with uses = {self.uses}: leave one of them out"
            )
        if self.bpp is not None and self.adapted is not None:
            raise ValueError(f"bpp = {self.bpp:g} is for one mcs, not for mcs = {self.mcs}: give uses = N instead of bpp")
        return self

    @property
    def adapted(self) -> Literal["adapt", "hybrid"] | None:
        """How modulation and code rate follow the SNR; None: they do not."""
        return self.mcs if self.mcs == "adapt" or self.mcs == "hybrid" else None

    @property
    def index(self) -> int:
        """Of the one that is fixed, or the fastest of ``hybrid``."""
        given = self.most if self.adapted else self.mcs
        return USUAL[self.table] if given is None else int(given)

    @property
    def choices(self) -> Mapping[int, Mcs]:
        """Those that may be sent."""
        table = TABLES[self.table]
        if self.adapted is None:
            return {self.index: table[self.index]}
        return {index: one for index, one in table.items() if self.adapted == "adapt" or index <= self.index}
