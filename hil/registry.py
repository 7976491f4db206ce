"""Name -> implementation, found when asked for.

A registry reads the light cards of a package's folders: every subpackage whose ``__init__`` has a tuple ``REGISTERED`` of
`Entry` is part of it, so a built-in is added by one folder and named nowhere else. Other packages add names through entry
points, and a single file is named ``path.py:Attribute``. Nothing heavy is imported before `Registry.load`.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from operator import attrgetter
from typing import Any

from hil.errors import ConfigError, DriverMissingError
from hil.foreign import is_foreign, load_foreign
from hil.spelling import did_you_mean

__all__ = ["DATASETS", "DRIVERS", "GOALS", "SCHEMES", "Entry", "Registry"]


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A light card: what can be said of an implementation without importing it.

    Attributes:
        name: what users write.
        target: ``"module:attribute"``.
        summary: one line for lists.
        install: how to get a library that it needs.
        alias: a shorter name.
        default: taken where the user names none.
    """

    name: str
    target: str
    summary: str = ""
    install: str = ""
    alias: str = ""
    default: bool = False


@dataclass(frozen=True, kw_only=True)
class Registry:
    """A named family of implementations.

    Args:
        what: one of them, for messages.
        package: whose folders are read.
        group: of entry points.
    """

    what: str
    package: str
    group: str
    _found: dict[str, Entry] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def builtin(self) -> dict[str, Entry]:
        """Entries of the package's folders by name.

        Raises:
            ConfigError: two folders use one name.
        """
        if not self._found:
            taken: set[str] = set()
            for entry in self._cards():
                own = {entry.name, entry.alias} - {""}
                if own & taken:
                    self._found.clear()
                    raise ConfigError(f"two {self.what}s are named '{(own & taken).pop()}'")
                taken |= own
                self._found[entry.name] = entry
        return dict(self._found)

    def _cards(self) -> Iterator[Entry]:
        for module in pkgutil.iter_modules(importlib.import_module(self.package).__path__):
            if module.ispkg:
                yield from getattr(importlib.import_module(f"{self.package}.{module.name}"), "REGISTERED", ())

    def names(self) -> list[str]:
        """All known names, built in or from entry points, sorted."""
        return sorted({*self.builtin, *(point.name for point in entry_points(group=self.group))})

    def spellings(self) -> list[str]:
        """All that a user may write for a name: aliases, too."""
        return [*self.names(), *(entry.alias for entry in self.builtin.values() if entry.alias)]

    def defaults(self) -> tuple[str, ...]:
        """Names taken where the user names none, in the order of their folders."""
        return tuple(name for name, entry in self.builtin.items() if entry.default)

    def resolve(self, name: str) -> str:
        """The full name behind an alias; any other name unchanged."""
        return next((entry.name for entry in self.builtin.values() if entry.alias == name), name)

    def entry(self, name: str) -> Entry:
        """The card of a name, of an entry point one that holds only the target.

        Raises:
            ConfigError: the name is unknown, or taken twice.
        """
        builtin = self.builtin
        name = self.resolve(name)
        points = [point for point in entry_points(group=self.group) if point.name == name]
        if len(points) + (name in builtin) > 1:
            owners = ", ".join(point.value for point in points)
            raise ConfigError(f"the {self.what} name '{name}' is taken twice: {owners}; uninstall one of the packages")
        if name in builtin:
            return builtin[name]
        if not points:
            known = self.names()
            raise ConfigError(f"unknown {self.what} '{name}'{did_you_mean(name, self.spellings())}; known: {', '.join(known)}")
        return Entry(name=name, target=points[0].value)

    def load(self, name: str) -> Any:
        """The implementation behind a name, an alias or ``path.py:Attribute``.

        Raises:
            ConfigError: the name is unknown, leads nowhere, or the file cannot be loaded.
            DriverMissingError: its module needs a library that is not installed.
        """
        if is_foreign(name):
            return load_foreign(name, self.what)
        entry = self.entry(name)
        module, _, attribute = entry.target.partition(":")
        nowhere = f"{self.what} '{name}' leads to {entry.target}, which is not there"
        try:
            found = importlib.import_module(module)
        except ModuleNotFoundError as err:
            if err.name and (module == err.name or module.startswith(err.name + ".")):
                raise ConfigError(f"{nowhere}: {err}") from err
            hint = entry.install or f"pip install {err.name}"
            raise DriverMissingError(f"{self.what} '{name}' needs the module '{err.name}'; install it with: {hint}") from err
        try:
            return attrgetter(attribute)(found)
        except AttributeError as err:
            raise ConfigError(f"{nowhere}: {err}") from err


DRIVERS = Registry(what="radio driver", package="hil.radios.drivers", group="hil.radios")
SCHEMES = Registry(what="scheme", package="hil.models", group="hil.schemes")
GOALS = Registry(what="goal", package="hil.goals", group="hil.goals")
DATASETS = Registry(what="data set", package="hil.datasets", group="hil.datasets")
