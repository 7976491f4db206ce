"""Foreign code and the files that it opened, as part of a result: noted in the capture, and looked at before a replay.

A name is the path of the foreign file as the configuration has it, ``lab/mine.py``; of another file that came with it that
path, a colon and the file's own, from the folder of the first where it lies in there: ``lab/mine.py:weights/net.pt``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from hil.captures import SourceFile
from hil.config import flattened
from hil.datasets.dataset import split_spec
from hil.errors import CaptureError, ModelError
from hil.foreign import files_of, is_foreign

__all__ = ["Sources", "check_sources"]

MOST_FILES = 200
"""Files that one foreign file may have opened and that are noted."""


class Sources:
    """The files of a run's foreign code, as they are on the disk when first asked for.

    Of a data set the code alone counts: its pixels have a fingerprint, and may lie elsewhere tomorrow.

    Args:
        names: of schemes and goals.
        dataset: spec of the data set.
        options: of goals, by name; task networks stand there.
        objects: what is noted of schemes in memory (`hil.runs.at_hand`).
    """

    def __init__(
        self, names: Iterable[str], dataset: str, options: Mapping[str, Any], objects: Mapping[str, SourceFile] | None = None
    ) -> None:
        chosen = [value for value in flattened(options).values() if isinstance(value, str)]
        self._whole = _paths([*names, *chosen])
        self.paths = tuple(dict.fromkeys([*self._whole, *_paths([split_spec(dataset).name])]))
        self._read: dict[str, SourceFile] = dict(objects or {})

    def read(self) -> dict[str, SourceFile]:
        """All files known until now: code with its text, others with their checksum; those gone meanwhile are left out."""
        for path in self.paths:
            files = files_of(path)
            opened = sorted(files.opened)[:MOST_FILES] if path in self._whole else ()
            for file in (*files.code, *opened):
                name = _name(path, files.path, file)
                if name not in self._read:
                    with suppress(CaptureError):
                        self._read[name] = SourceFile.read(file, text=file in files.code)
        return dict(self._read)


def _paths(specs: Iterable[str]) -> tuple[str, ...]:
    """Of the foreign files among specs, each once."""
    return tuple(dict.fromkeys(spec.rpartition(":")[0] for spec in specs if is_foreign(spec)))


def _name(path: str, main: Path, file: Path) -> str:
    if file == main:
        return path
    folder = main.parent
    return f"{path}:{file.relative_to(folder) if file.is_relative_to(folder) else file}"


def check_sources(noted: Mapping[str, SourceFile], at_hand: Sources) -> None:
    """Refuse code and files that are not those of the run: before they are loaded, and after, when more may have been opened.

    Args:
        noted: in the capture; empty in those of before it was noted.
        at_hand: what a replay uses. What it does not use is not looked at.

    Raises:
        ModelError: naming what differs, and the way out.
    """
    own = {name: source for name, source in noted.items() if _main(name) in at_hand.paths}
    wrong = [f"{name} {why}" for name, source in own.items() if (why := _difference(name, source))]
    known = {_main(name) for name in own}
    wrong += [f"{name} was not used" for name in at_hand.read() if name not in own and _main(name) in known]
    if wrong:
        more = f" and {len(wrong) - 4} more" if len(wrong) > 4 else ""
        raise ModelError(
            f"code or files are not those of the run: {'; '.join(wrong[:4])}{more}; bring them back, or score with these by "
            "--other-weights"
        )


def _main(name: str) -> str:
    """The foreign file that a name belongs to."""
    return f"{name.partition('.py:')[0]}.py" if ".py:" in name else name


def _difference(name: str, source: SourceFile) -> str:
    main = Path(_main(name)).expanduser().resolve()
    file = main if name == _main(name) else main.parent / name.removeprefix(f"{_main(name)}:")
    try:
        now = SourceFile.read(file, text=False).sha256
    except CaptureError:
        return "is not there"
    return "" if now == source.sha256 else f"is another (SHA-256 {now[:12]}…, not {source.sha256[:12]}…)"
