"""An HDF5 file that is written commit by commit, and says so when the disk refuses."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py

from hil.captures.journal import USERBLOCK, JournaledFile, settle
from hil.errors import CaptureError, DiskFullError
from hil.files import claim, make_folder, write_error
from hil.interrupts import uninterrupted

__all__ = ["CommittedFile"]

_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class CommittedFile:
    """A new HDF5 file behind a journal. It lies hidden beside `path` until `publish` gives it its name.

    Attributes:
        path: what it is called, for messages.
        h5: the open `h5py.File`; change it inside `committing` only.
        holds: what is committed, in words, for messages.

    Args:
        path: of the file.
        append: one that is there is written on; it has its name already.

    Raises:
        OutputError: the file cannot be made.
    """

    def __init__(self, path: Path, *, append: bool = False) -> None:
        self.path = path
        self.holds = "nothing"
        self._closed = False
        self._hidden = path if append else path.with_name(f".hil-{os.getpid()}-{secrets.token_hex(4)}.part")
        make_folder(path.parent)
        try:
            if append:
                settle(path)
            self._file = JournaledFile(self._hidden, create=not append, append=append)
        except OSError as err:
            raise write_error(path, err) from err
        self.h5: Any = h5py.File(self._file, "r+") if append else h5py.File(self._file, "w", userblock_size=USERBLOCK)

    def publish(self, *, overwrite: bool) -> None:
        """Give the file its name; `overwrite`: in the place of one that has it.

        Raises:
            CaptureError: the name is taken.
        """
        if overwrite:
            self._hidden.replace(self.path)
        elif not claim(self._hidden, self.path):
            raise CaptureError(f"{self.path} exists already; choose another name, or ask to overwrite it")

    def discard(self) -> None:
        """Close, and take a file away that was not published."""
        self.release(keep=False)
        self._hidden.unlink(missing_ok=True)

    @contextmanager
    def committing(self, *, sync: bool = False) -> Iterator[None]:
        """All changes made inside become the file's state together at the end, or none do, and then it takes no more.

        Args:
            sync: bring the file to the disk itself as well, for a power cut.

        Raises:
            CaptureError: the file is closed, or a change failed, now or before.
            DiskFullError: there was no room.
        """
        if self._closed:
            raise CaptureError(f"{self.path} is closed; nothing more can be written to it")
        if self._file.failure is not None:
            raise self._error(self._file.failure) from self._file.failure
        with uninterrupted():  # HDF5 makes something else of an exception in its callbacks
            try:
                yield
                self.h5.flush()
                self._file.commit()
                if sync:
                    self._file.sync()
            except BaseException as err:
                # Half a change is in HDF5's memory: from now on nothing of it may reach the disk.
                if self._file.failure is None:
                    self._file.failure = err if isinstance(err, OSError) else OSError(errno.EIO, f"stopped by {err!r}")
                if isinstance(err, OSError | RuntimeError | ValueError | KeyError):  # what h5py raises for a failed write
                    raise self._error(self._file.failure) from err
                raise

    def close(self) -> None:
        """Close the file.

        Raises:
            DiskFullError: no room for the last bytes; what was committed is readable.
        """
        if self._closed:
            return
        healthy = self._file.failure is None
        self.release(keep=healthy)
        if healthy and self._file.failure is not None:
            raise self._error(self._file.failure) from self._file.failure

    def release(self, *, keep: bool = True) -> None:
        """Close the file without a word about what fails; with what HDF5 writes at its end if `keep` and nothing failed."""
        if self._closed:
            return
        self._closed = True
        keep = keep and self._file.failure is None
        with uninterrupted():
            try:
                if self.h5:
                    self.h5.close()
                if keep:
                    self._file.commit()
            except (OSError, RuntimeError) as err:
                self._file.failure = self._file.failure or OSError(*err.args)
            finally:
                self._file.close()

    def _error(self, err: OSError) -> CaptureError:
        if err.errno in _NO_ROOM:
            return DiskFullError(
                f"no room left for {self.path} ({err.strerror}); what was committed before ({self.holds}) is whole:"
                " free some space; `hil run --resume` goes on with a run, `hil replay` scores it as it is"
            )
        return CaptureError(f"cannot write {self.path}: {err}; what was committed before ({self.holds}) is whole")
