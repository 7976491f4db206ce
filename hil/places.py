"""Where the things on the bench lie: a bare name becomes a path.

Looked up in this order: the name as a given path; under ``--home`` (else the environment variable ``HIL_HOME``); in the
current directory; then in the copy that comes with the package (`hil/shipped/KIND` in a wheel, `KIND/` beside the package
in a clone). KIND is ``models``, ``radios``, ``calibration`` or ``captures``.
"""

from __future__ import annotations

import os
from pathlib import Path

from hil.errors import ConfigError
from hil.spelling import did_you_mean

__all__ = ["find", "folders"]


def folders(kind: str, home: Path | None = None) -> list[Path]:
    """The folders that may hold things of `kind`, in the order of precedence; not all need exist."""
    package = Path(__file__).resolve().parent
    given = home if home is not None else Path(os.environ["HIL_HOME"]) if os.environ.get("HIL_HOME") else None
    own = [given / kind] if given is not None else []
    return [*own, Path.cwd() / kind, package / "shipped" / kind, package.parent / kind]


def find(kind: str, name: str | Path, suffix: str = "", home: Path | None = None) -> Path:
    """The path of a thing that lies on the bench.

    Args:
        kind: folder to look in, for instance ``"radios"``.
        name: a path, or a bare name with or without `suffix`.
        suffix: with the dot, for instance ``".toml"``; "" for folders.
        home: the user's ``--home``; the environment variable ``HIL_HOME`` when None.

    Raises:
        ConfigError: nothing has that name; the message lists the places looked at.
    """
    given = Path(name)
    places = [given]
    if not given.is_absolute():
        if given.parent == Path() and suffix and given.suffix != suffix:
            given = Path(f"{given}{suffix}")
            places.append(given)
        places += [folder / given for folder in folders(kind, home)]
    for place in places:
        if place.exists() and (place.is_dir() if not suffix else place.is_file()):
            return place
    looked = ", ".join(dict.fromkeys(str(place) for place in places))
    known = [item.stem for folder in folders(kind, home) if folder.is_dir() for item in folder.glob(f"*{suffix}")]
    hint = did_you_mean(Path(name).stem, known)
    raise ConfigError(f"no {kind} entry named '{name}'{hint}; looked for {looked}. Give a path, or set --home or HIL_HOME")
