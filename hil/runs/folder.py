"""Where a run is kept: its folder is taken by one run alone, and what lies there stays whole until the new run is complete."""

from __future__ import annotations

import errno
import os
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from hil.errors import ConfigError, HilError, OutputError
from hil.files import check_name, free_name, make_folder, replacing, write_error
from hil.interrupts import uninterrupted
from hil.spelling import did_you_mean

__all__ = [
    "OUTPUTS", "RunFolder", "capture_place", "check_free", "find_run", "fresh_folder", "resumed_folder", "run_folder"
]  # fmt: skip

OUTPUTS = ("capture.h5", "report.html", "run.toml", "results.json")
"""What a run leaves, in the order in which it takes the place of an earlier one."""
SHOWN = 6
"""Names of runs in an error."""


@dataclass(frozen=True, kw_only=True)
class RunFolder:
    """A run's folder while the run goes on.

    Attributes:
        path: where it writes.
        final: where its files lie once it is complete; another folder only where an earlier run is replaced.
    """

    path: Path
    final: Path

    @property
    def capture(self) -> Path:
        """The capture, where it is written."""
        return self.path / "capture.h5"


def check_free(out: Path, name: str | None, *, overwrite: bool = False) -> None:
    """Refuse a name, or an earlier run's folder, before work is done. Nothing is made.

    Raises:
        OutputError: no plain name, or `out` is no folder.
        ConfigError: a run is there already.
    """
    if name is not None:
        check_name(name, "--name")
        if not overwrite:
            _refuse(out / name)
    try:
        if out.exists() and not out.is_dir():
            raise OutputError(f"--out must be a folder, and {out} is none; choose another")
    except (OSError, ValueError) as err:
        raise write_error(out, err) from err


@contextmanager
def run_folder(out: Path, name: str | None, settings: str, *, overwrite: bool = False) -> Iterator[RunFolder]:
    """Take a folder for a run, exclusively, also among processes.

    A run without a name gets date and time, with a number behind it where that is taken. One that replaces an earlier run
    writes in a folder beside it, ``NAME-new``, and its files move at the end. A run that fails or is stopped leaves its folder
    if it measured something (the error gets a note that says where), else nothing.

    Args:
        out: folder of runs.
        name: of the folder; None: date and time.
        settings: content of ``run.toml``.
        overwrite: replace a run of the same name.

    Raises:
        ConfigError: a run is there already, or going on.
        OutputError: the folder cannot be made.
    """
    check_free(out, name, overwrite=overwrite)
    with ExitStack() as stack:
        stack.callback(_remove_empty, _missing(out))
        make_folder(out)
        try:
            folder = _take(stack, out, name, settings, overwrite=overwrite)
        except OSError as err:
            raise write_error(out / (name or ""), err) from err
        try:
            yield folder
        except BaseException as err:
            with uninterrupted():
                _leave(folder, err)
            raise
        if folder.path != folder.final:
            with uninterrupted():
                _move(folder)


@contextmanager
def resumed_folder(out: Path, name: str) -> Iterator[RunFolder]:
    """Take the folder of a run that was killed or ended, to go on with it. It stays, whatever happens.

    Raises:
        ConfigError: there is no such run, or it is going on.
        OutputError: no plain name.
    """
    check_name(name, "--resume")
    folder = out / name
    if not (folder / "run.toml").is_file():
        known = [one.parent.name for one in out.glob("*/run.toml")]
        raise ConfigError(
            f"no run {folder}{did_you_mean(name, known)}: --resume goes on with one that has a run.toml there{_some(known)}"
        )
    with ExitStack() as stack:
        if not _locked(stack, folder):
            raise ConfigError(f"the run in {folder} is still going on; wait for its end, or stop it")
        for left in folder.glob(".hil-*.part"):  # of a process that was killed before its capture had a name
            left.unlink(missing_ok=True)
        run = RunFolder(path=folder, final=folder)
        try:
            yield run
        except BaseException as err:
            with uninterrupted():
                _note_samples(run.capture, err, "")
            raise


@contextmanager
def capture_place(path: Path, *, overwrite: bool = False) -> Iterator[Path]:
    """Where to write a capture that is to become `path`: there, or beside an earlier one until the block ends well.

    Raises:
        OutputError: it is there already, and may not be replaced.
    """
    if not path.exists():
        place = path
    elif path.is_file() and overwrite:
        place = next(one for one in free_name(path.with_name(f"{path.stem}-new{path.suffix}"), path.suffix) if not one.exists())
    else:
        raise OutputError(f"{path} exists already; choose another --out, or give --overwrite")
    try:
        yield place
    except BaseException as err:
        with uninterrupted():
            _note_samples(place, err, "" if place == path else f"{path} is as before; ")
        raise
    if place != path:
        with uninterrupted():
            place.replace(path)


@contextmanager
def fresh_folder(path: Path) -> Iterator[Path]:
    """A new folder of that name, or of the next free one; taken away if an error leaves nothing in it.

    Raises:
        OutputError: it cannot be made.
    """
    with ExitStack() as stack:
        stack.callback(_remove_empty, _missing(path.parent))
        make_folder(path.parent)
        try:
            folder = next(one for one in free_name(path) if _made(one))
        except OSError as err:
            raise write_error(path, err) from err
        stack.callback(_remove_empty, [folder])
        yield folder


def find_run(path: Path) -> Path:
    """The run, or the file of one, that a path or a name under ``runs/`` means.

    Raises:
        ConfigError: there is none.
    """
    under = Path("runs") / path
    try:
        for place in (path, under):
            if place.exists():
                return place
        known = [item.name for item in Path("runs").iterdir()] if Path("runs").is_dir() else []
    except (OSError, ValueError) as err:
        raise ConfigError(f"no such run: {str(path)[:200]!r} ({getattr(err, 'strerror', None) or err})") from err
    raise ConfigError(
        f"no such run: {path}{did_you_mean(str(path), known)}; give a run's folder, its results.json or its capture.h5"
        f"{_some(known)}"
    )


def _some(known: list[str]) -> str:
    """The last names there are, for an error: names that are dates sort by age."""
    return f"; there are {', '.join(sorted(known)[-SHOWN:])}" + (" and more" if len(known) > SHOWN else "") if known else ""


def _made(folder: Path) -> bool:
    try:
        folder.mkdir()
    except FileExistsError:
        return False
    return True


def _take(stack: ExitStack, out: Path, name: str | None, settings: str, *, overwrite: bool) -> RunFolder:
    if name is None:
        places = free_name(out / time.strftime("%Y%m%d-%H%M%S"))
        return next(RunFolder(path=place, final=place) for place in places if _claimed(stack, place, settings))
    final = out / name
    if _claimed(stack, final, settings):
        return RunFolder(path=final, final=final)
    if not overwrite:
        _refuse(final)
    if not _locked(stack, final):
        raise ConfigError(f"another run is being written to {final}; wait for its end, or choose another --name")
    places = free_name(out / f"{name}-new")
    return next(RunFolder(path=place, final=final) for place in places if _claimed(stack, place, settings))


def _claimed(stack: ExitStack, folder: Path, settings: str) -> bool:
    """Take a folder that holds no run, and is taken by nobody else: whether that worked."""
    folder.mkdir(exist_ok=True)
    with ExitStack() as own:
        if not _locked(own, folder) or _outputs(folder):
            return False
        try:
            with (folder / "run.toml").open("x", encoding="utf-8", errors="backslashreplace") as file:
                file.write(settings)
        except FileExistsError:  # where the file system knows no locks
            return False
        stack.push(own.pop_all())
    return True


def _locked(stack: ExitStack, folder: Path) -> bool:
    """Lock a folder until the process ends or `stack` does: False if another process has. The lock of a killed one is gone."""
    if sys.platform == "win32":  # where the exclusive creation of the first file must do
        return True
    import fcntl

    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return False
    except OSError as err:
        if err.errno not in (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL):
            os.close(handle)
            raise
    stack.callback(os.close, handle)
    return True


def _outputs(folder: Path) -> list[str]:
    return [name for name in OUTPUTS if (folder / name).exists()]


def _refuse(folder: Path) -> None:
    """Refuse a folder that holds a run.

    Raises:
        ConfigError: it does.
    """
    try:
        there = _outputs(folder)
    except OSError as err:
        raise write_error(folder, err) from err
    if there:
        raise ConfigError(
            f"{folder} holds a run already ({', '.join(there)}); go on where it stopped with --resume {folder.name}, choose "
            "another --name, or give --overwrite"
        )


def _leave(folder: RunFolder, err: BaseException) -> None:
    """After an error: keep what was measured, and note where; else take the folder away."""
    before = "" if folder.path == folder.final else f"{folder.final} is as before; "
    if (folder.path / "results.json").exists():
        err.add_note(f"{before}what was measured is kept in {folder.path}")
        return
    _note_samples(folder.capture, err, before)
    if not folder.capture.exists():
        for name in OUTPUTS:
            (folder.path / name).unlink(missing_ok=True)
        with suppress(OSError):  # somebody's notes lie in it
            folder.path.rmdir()


def _note_samples(capture: Path, err: BaseException, before: str) -> None:
    """Note in an error which capture holds what was received; one that holds nothing is taken away."""
    if not capture.exists():
        return
    from hil.captures import Capture  # commands that only look for a run need no HDF5

    try:
        with Capture.open(capture) as opened:
            empty = opened.committed["bursts"] == 0
    except HilError:
        empty = False
    if empty:
        capture.unlink()
    else:
        err.add_note(f"{before}what was received is kept in {capture}")


def _move(folder: RunFolder) -> None:
    """Put a complete run's files into the place of an earlier run's, each in one step."""
    for name in OUTPUTS:
        new, old = folder.path / name, folder.final / name
        if not new.exists():
            old.unlink(missing_ok=True)
            continue
        try:
            new.replace(old)
        except OSError:  # the folder is a link to another disk
            with replacing(old) as copy:
                shutil.copyfile(new, copy)
            new.unlink()
    with suppress(OSError):
        folder.path.rmdir()


def _missing(folder: Path) -> list[Path]:
    """The folder and those above it that are not there, the deepest first."""
    return [one for one in (folder, *folder.parents) if not one.exists()]


def _remove_empty(folders: list[Path]) -> None:
    for folder in folders:
        with suppress(OSError):
            folder.rmdir()
