"""Outputs are whole or not there: a file is written beside its place and moved into it at the end.

The one place for this: weights, checkpoints, results, reports, figures, received symbols, manifests and caches use it.
Captures grow while they are read, and have a journal for that (`hil.captures.commit`).
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hil.errors import OutputError

__all__ = [
    "check_name",
    "check_writable",
    "claim",
    "free_name",
    "make_folder",
    "replace_file",
    "replacing",
    "takes_files",
    "write_error",
]

LONGEST_NAME = 200
"""Bytes; file systems take 255, and names get additions such as ``-new-12``."""


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Where to write a file that is to become `path`: under the same name, in a hidden folder beside it.

    At the end of the block the new file takes the place of `path` in one step, on the disk itself before it has the name; after
    an error, or a kill, `path` is what it was. A symbolic link is followed; a device or a pipe is written to as it is.

    Raises:
        OutputError: `path` is a folder or cannot be made, or the disk refuses (also what the block writes).
    """
    try:
        special = _is_special(path)
        target = path if special else Path(os.path.realpath(path))
        if not special:
            make_folder(target.parent)
        hidden = Path(tempfile.mkdtemp(prefix=".hil-", suffix=".part", dir=None if special else target.parent))
    except (OSError, ValueError) as err:
        raise write_error(path, err) from err
    try:
        new = hidden / target.name
        yield new
        _sync(new)
        if special:
            target.write_bytes(new.read_bytes())
        else:
            new.replace(target)
            _sync(target.parent)
    except OSError as err:
        raise write_error(path, err) from err
    finally:
        shutil.rmtree(hidden, ignore_errors=True)


def replace_file(path: Path, data: bytes) -> None:
    """Write `data` to `path`, whole or not at all.

    Raises:
        OutputError: it cannot be written.
    """
    with replacing(path) as new:
        new.write_bytes(data)


def check_name(name: str, what: str) -> None:
    """Refuse what cannot safely name a file or folder of its own: a path, nothing, a hidden or a mangled name.

    Args:
        name: as given.
        what: gave it, for messages, such as ``--name``.

    Raises:
        OutputError: naming the constraint.
    """
    wrong = ""
    if not name or name.startswith(".") or "/" in name or os.sep in name:
        wrong = "must be a plain name, without '/' and not beginning with '.'"
    elif not name.isprintable() or name != name.strip():  # line ends, control characters, bytes that are no UTF-8
        wrong = "must have printable characters only, and no space at its ends"
    elif len(name.encode()) > LONGEST_NAME:
        wrong = f"must have at most {LONGEST_NAME} bytes"
    if wrong:
        raise OutputError(f"{what} {wrong}, not {name[:40]!r}{'…' if len(name) > 40 else ''}")


def claim(new: Path, path: Path) -> bool:
    """Give the file `new` the name `path` if nothing has it: whether that worked. Of several processes one succeeds.

    Raises:
        OSError: the file system refuses.
    """
    try:
        os.link(new, path)  # unlike a rename it never replaces
    except FileExistsError:
        return False
    except OSError:  # a file system without links
        try:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return False
        new.replace(path)
    else:
        new.unlink()
    return True


def free_name(path: Path, suffix: str = "") -> Iterator[Path]:
    """`path`, then the same with ``-2``, ``-3``, … before `suffix`, for whoever looks for a name that is not taken."""
    yield path
    for number in range(2, 10_000):
        yield path.with_name(f"{path.name.removesuffix(suffix)}-{number}{suffix}")
    raise OutputError(f"{path} and 9,999 names like it are taken; move some away")


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, where they are not there.

    Raises:
        OutputError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as err:
        raise OutputError(f"cannot make the folder {folder}: {_reason(err)}; choose another with --out") from err


def takes_files(folder: Path) -> bool:
    """Whether files can be written to a folder, which is made if need be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def check_writable(folder: Path) -> None:
    """Refuse a folder that takes no files, before work is done whose result could not be kept; it is made if need be.

    Raises:
        OutputError: see above.
    """
    make_folder(folder)
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as err:
        raise write_error(folder, err) from err


def write_error(path: Path, err: Exception) -> OutputError:
    """What is said of an output that could not be written."""
    if isinstance(err, IsADirectoryError):
        return OutputError(f"cannot write {path}: it is a folder; name a file in it")
    full = _number(err) in (errno.ENOSPC, errno.EDQUOT)
    way_out = "free some space, or choose another place" if full else "choose another place"
    return OutputError(f"cannot write {path}: {_reason(err)}; {way_out}")


def _reason(err: Exception) -> str:
    number = _number(err)
    return str(getattr(err, "strerror", None) or (os.strerror(number) if number else err))


def _number(err: Exception) -> int | None:
    """The system's number of an error; HDF5 has it in its words only."""
    if not isinstance(err, OSError):
        return None
    said = re.search(r"\berrno = (\d+)", str(err))
    return err.errno or (int(said[1]) if said else None)


def _is_special(path: Path) -> bool:
    """Whether there is something that is no plain file: a device, a pipe.

    Raises:
        IsADirectoryError: it is a folder.
    """
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):  # the folder's making tells what is wrong
        return False
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    return not stat.S_ISREG(mode)


def _sync(path: Path) -> None:
    """Bring a file, or a folder's list of names, to the disk itself; some file systems cannot for folders."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError:
        if not path.is_dir():
            raise
    finally:
        os.close(handle)
