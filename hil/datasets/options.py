"""``PATH?key=value&key=value``: where a folder data set lies, and what is chosen of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import cast, get_args

from hil.datasets.dataset import Pairing
from hil.errors import DatasetError
from hil.spelling import did_you_mean

__all__ = ["FolderOptions", "is_folder", "parse_options"]

PAIRINGS: tuple[Pairing, ...] = get_args(Pairing)


@dataclass(frozen=True, kw_only=True)
class FolderOptions:
    """What follows a data set's name.

    Attributes:
        root: the folder.
        pairing: as asked for; None: the data set's default.
        variant: the word without a value that was given, or the first of those that the data set knows.
    """

    root: Path
    pairing: Pairing | None = None
    variant: str = ""


def is_folder(path: Path) -> bool:
    """Whether a path leads to a folder; one that leads nowhere, in a circle or where nobody may look does not."""
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def parse_options(name: str, argument: str, *, variants: tuple[str, ...] = (), what: str = "variants") -> FolderOptions:
    """The folder and the options that follow a data set's name.

    A folder whose name has a ``?`` in it is found where it exists as written.

    Args:
        name: of the data set, for messages.
        argument: ``PATH``, or ``PATH?option&option``.
        variants: words without a value that the data set knows.
        what: these are, for messages.

    Raises:
        DatasetError: no path, an option that is unknown or given twice, or a value that is not known.
    """
    spec = f"{name}:PATH" + (f" or {name}:PATH?{variants[-1]}" if variants else "")
    path, mark, text = argument.rpartition("?")
    if not mark or is_folder(_expanded(name, argument)):
        path, text = argument, ""
    if not path:
        raise DatasetError(f"Data set '{name}' needs a path: write {spec}.")
    given: dict[str, str] = {}
    for option in text.split("&") if text else ():
        key, equals, value = option.partition("=")
        if not equals:
            if key not in variants:
                raise DatasetError(_unknown_word(name, key, variants, what))
            key, value = what, key
        elif key != "pairing":
            raise DatasetError(
                f"Data set '{name}' has no option '{key}'{did_you_mean(key, ['pairing'])}; it has pairing={'|'.join(PAIRINGS)}."
            )
        elif value not in PAIRINGS:
            raise DatasetError(
                f"Option 'pairing' of data set '{name}' must be {', '.join(PAIRINGS[:-1])} or {PAIRINGS[-1]}, "
                f"not '{value}'{did_you_mean(value, list(PAIRINGS))}."
            )
        if key in given:
            raise DatasetError(
                f"Option '{key}' of data set '{name}' is given twice: '{given[key]}' and '{value}'; give it once."
            )
        given[key] = value
    pairing = cast("Pairing | None", given.get("pairing"))
    return FolderOptions(root=_expanded(name, path), pairing=pairing, variant=given.get(what, variants[0] if variants else ""))


def _unknown_word(name: str, word: str, variants: tuple[str, ...], what: str) -> str:
    if variants:
        return f"Data set '{name}' has {what} {' or '.join(variants)}, not '{word}': write {name}:PATH?{variants[-1]}."
    return f"Data set '{name}' has no option '{word}'; it has pairing={'|'.join(PAIRINGS)}."


def _expanded(name: str, path: str) -> Path:
    try:
        return Path(path).expanduser()
    except RuntimeError as err:  # ~nobody
        raise DatasetError(f"Data set '{name}': cannot resolve {path}: {err}; give the path in full.") from err
