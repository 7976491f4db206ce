"""Amplifiers of simulated transmitters: the file of a memory polynomial, and what a run sets in the place of a bench's."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError, model_validator

from hil.config import Config, problems, read_toml
from hil.errors import ConfigError
from hil.radios.airconfig import Term
from hil.radios.bench import BenchConfig

__all__ = ["AmplifierConfig", "amplified", "read_polynomial"]


class PolynomialFile(Config):
    """A file of coefficients: ``terms = [[order, delay, lag, re, im], …]``; see `hil.channel.frontend.memory_polynomial`."""

    terms: tuple[Term, ...] = Field(min_length=1)


class AmplifierConfig(Config):
    """Amplifiers of all simulated transmitters of a bench, in the place of what its file says.

    Attributes:
        saturation_dbfs: of a Rapp amplifier, its largest output relative to the converter's full scale; back-off is how far
            that lies above the signal's rms, by default −12 dBFS.
        smoothness: Rapp's p.
        polynomial: file with the coefficients of a generalised memory polynomial; instead of `saturation_dbfs`.
    """

    saturation_dbfs: float | None = None
    smoothness: float = Field(2.0, gt=0)
    polynomial: str | None = None

    @model_validator(mode="after")
    def _one_of_them(self) -> AmplifierConfig:
        if (self.saturation_dbfs is None) == (self.polynomial is None):
            raise ValueError("an amplifier has either saturation_dbfs (Rapp) or polynomial (a file of coefficients)")
        return self


def read_polynomial(path: str | Path) -> tuple[Term, ...]:
    """Terms of a generalised memory polynomial, each (order, delay, lag, real part, imaginary part).

    Raises:
        ConfigError: the file cannot be read, or holds something else.
    """
    try:
        return PolynomialFile.model_validate(read_toml(Path(path))).terms
    except ValidationError as err:
        raise ConfigError(
            f"{path}: an amplifier's file has terms = [[order, delay, lag, re, im], …]: {problems(PolynomialFile, err)}"
        ) from err


def amplified(bench: BenchConfig, amplifier: AmplifierConfig) -> BenchConfig:
    """The bench with these amplifiers in all of its transmitters; a polynomial's coefficients, not its file, stand in it.

    Raises:
        ConfigError: a transmitter is not simulated in this process, or the file is none.
    """
    terms = () if amplifier.polynomial is None else read_polynomial(amplifier.polynomial)
    changes: Mapping[str, Any] = {
        "pa_saturation_dbfs": amplifier.saturation_dbfs,
        "pa_smoothness": amplifier.smoothness,
        "pa_terms": terms,
    }
    plain = bench.model_dump()
    for name in {end.radio for end in bench.transmitters}:
        try:
            known = bench.radios[name].sim.model_dump(exclude_unset=True)
        except ConfigError as err:
            raise ConfigError(
                f"'amplifier' is for radios that are simulated in this process, and radio '{name}' of bench '{bench.name}' is "
                "not; the amplifier of a virtual radio stands in the bench file, under its 'virtual' table"
            ) from err
        plain["radios"][name] = {"driver": bench.radios[name].driver, **known, **changes}
    return BenchConfig.model_validate(plain)
