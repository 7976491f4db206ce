"""Name -> implementation, found when asked for.

A registry maps a name to ``"module:attribute"`` and to what to install when the module is missing. Other packages add
names through entry points (groups ``hil.radios``, ``hil.schemes``, ``hil.datasets``); nothing is imported before `load`.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Any

from hil.errors import ConfigError, DriverMissingError

__all__ = ["DATASETS", "RADIOS", "SCHEMES", "Entry", "Registry"]


@dataclass(frozen=True, kw_only=True)
class Entry:
    """Where an implementation lives (`target` = ``"module:attribute"``) and how to get what it needs."""

    target: str
    install: str = ""


@dataclass(frozen=True, kw_only=True)
class Registry:
    """A named family of implementations."""

    what: str
    group: str
    builtin: dict[str, Entry]

    def names(self) -> list[str]:
        """All known names, built in or from entry points, sorted."""
        return sorted({*self.builtin, *(point.name for point in entry_points(group=self.group))})

    def load(self, name: str) -> Any:
        """The implementation behind `name`.

        Raises:
            ConfigError: the name is unknown.
            DriverMissingError: its module needs a library that is not installed.
        """
        if name in self.builtin:
            entry = self.builtin[name]
        else:
            points = [point for point in entry_points(group=self.group) if point.name == name]
            if not points:
                raise ConfigError(f"unknown {self.what} '{name}'; known: {', '.join(self.names())}")
            entry = Entry(target=points[0].value)
        module, _, attribute = entry.target.partition(":")
        try:
            return getattr(importlib.import_module(module), attribute)
        except ModuleNotFoundError as err:
            if err.name and (module == err.name or module.startswith(err.name + ".")):
                raise
            hint = entry.install or f"pip install {err.name}"
            raise DriverMissingError(f"{self.what} '{name}' needs the module '{err.name}'; install it with: {hint}") from err


RADIOS = Registry(
    what="radio driver",
    group="hil.radios",
    builtin={
        "sim": Entry(target="hil.radios.sim:SimulatedRadio"),
        "uhd": Entry(
            target="hil.radios.uhd:UhdRadio",
            install="apt install python3-uhd uhd-host (conda: conda install -c conda-forge uhd); see: hil doctor",
        ),
        "pluto": Entry(
            target="hil.radios.pluto:PlutoRadio",
            install="apt install libiio0 (conda: conda install -c conda-forge libiio), then pip install 'hil[pluto]'",
        ),
        "soapy": Entry(
            target="hil.radios.soapy:SoapyRadio",
            install="apt install python3-soapysdr and the device's module, soapysdr-module-… (conda: "
            "conda install -c conda-forge soapysdr soapysdr-module-…); see: hil doctor",
        ),
    },
)
SCHEMES = Registry(
    what="scheme",
    group="hil.schemes",
    builtin={
        "baseline-single": Entry(target="hil.models.baseline:SingleBaseline"),
        "baseline-pair": Entry(target="hil.models.baseline:PairBaseline"),
        "jscc-single": Entry(target="hil.models.jscc:SingleJscc"),
        "jscc-oma": Entry(target="hil.models.jscc:OmaJscc"),
        "jscc-noma": Entry(target="hil.models.jscc:NomaJscc"),
    },
)
DATASETS = Registry(
    what="dataset",
    group="hil.datasets",
    builtin={
        "synthetic": Entry(target="hil.datasets.synthetic:load"),
        "market1501": Entry(target="hil.datasets.market1501:load"),
        "cuhk03": Entry(target="hil.datasets.cuhk03:load"),
    },
)
