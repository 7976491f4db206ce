"""A file whose changes arrive all together or not at all, for HDF5 to write into.

HDF5 updates its own metadata (B-tree nodes, object headers, the superblock) in place, with one system call each; a process
killed between two of them leaves a file that may not open, or that has lost rows it had. This layer stands between HDF5
and the disk so that this cannot happen:

- bytes beyond the committed end go straight to the disk: nothing committed refers to them yet;
- bytes below it stay in memory, by pages, until `commit`;
- `commit` writes those pages behind the end as a journal, points to it from the file's first 512 bytes (which HDF5 leaves
  to its user), copies the pages to their places, and clears the pointer.

The pointer is written in one call inside one page, which a kill cannot split. A reader that finds a pointer reads the
pages from the journal, without writing anything. With no pointer the file is plain HDF5, for any reader.
"""

from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path
from typing import Any

from hil.errors import CaptureFormatError

__all__ = ["PAGE", "USERBLOCK", "JournaledFile", "has_pending_journal", "settle"]

USERBLOCK = 512
PAGE = 4096
_MAGIC = b"HILJRNL1"
_POINTER = struct.Struct("<8sQQI")  # magic, journal's offset, its length, CRC-32 of its body
_EXTENT = struct.Struct("<QQ")  # file offset, length; the bytes follow
_TITLE = b"hil capture: HDF5 behind a 512-byte user block (docs/capture-format.md)"


class JournaledFile:
    """The file object given to h5py: seek, read, write, truncate; and `commit`, which makes the changes last.

    Errors of the disk are not raised inside HDF5's callbacks, where they would leave the library in an undefined state:
    the first one is kept in `failure`, later writes are dropped, and the caller looks after each flush. The file then
    holds the last committed state.

    Args:
        path: the file; made anew when `create`, else opened read-only.
        create: make and write the file.
        append: write on in one that is there and was settled (`settle`).

    Raises:
        OSError: the file cannot be opened.
        CaptureFormatError: the journal is damaged.
    """

    def __init__(self, path: Path, *, create: bool = False, append: bool = False) -> None:
        self.path = path
        flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC if create else os.O_RDWR if append else os.O_RDONLY
        self._fd = os.open(path, flags | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0), 0o644)
        self._writable = create or append
        self._pages: dict[int, bytearray] = {}
        self._position = 0
        self.failure: OSError | None = None
        self._committed = self._size = os.fstat(self._fd).st_size
        if not create:
            try:
                self._load_journal()
            except BaseException:
                self.close()
                raise

    # What h5py calls

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move; returns the new position."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        self._position = base + offset
        return self._position

    def tell(self) -> int:
        """The position."""
        return self._position

    def read(self, size: int = -1) -> bytes:
        """Read `size` bytes, or all that follow."""
        room = max(0, self._size - self._position)
        buffer = bytearray(room if size < 0 else min(size, room))
        return bytes(buffer[: self.readinto(buffer)])

    def readinto(self, buffer: Any) -> int:
        """Fill `buffer` from the position on, as far as the file goes; returns the count of bytes."""
        view = memoryview(buffer).cast("B")
        start, count = self._position, max(0, min(len(view), self._size - self._position))
        view[:count] = _pread(self._fd, start, count) if self._fd >= 0 else bytes(count)
        for page in range(start // PAGE, -(-(start + count) // PAGE)) if self._pages else ():
            kept = self._pages.get(page)
            if kept is not None:
                low, high = max(start, page * PAGE), min(start + count, page * PAGE + len(kept))
                if low < high:
                    view[low - start : high - start] = kept[low - page * PAGE : high - page * PAGE]
        self._position += count
        return count

    def write(self, data: Any) -> int:
        """Write at the position: to memory below the committed end, to the disk beyond it."""
        view = memoryview(data).cast("B")
        start, end = self._position, self._position + len(view)
        self._position = end
        if self.failure is None and self._fd >= 0:  # after a failure HDF5 may come by once more, when its objects end
            split = max(start, min(end, self._committed))
            try:
                self._keep(start, view[: split - start])
                if split < end:
                    _pwrite(self._fd, split, view[split - start :])
            except OSError as err:
                self.failure = err
        self._size = max(self._size, end)
        return len(view)

    def truncate(self, size: int | None = None) -> int:
        """Set the length; the disk follows at `commit`."""
        self._size = self._position if size is None else size
        return self._size

    def flush(self) -> None:
        """Nothing: HDF5's flush is no commit."""

    # What the writer calls

    def commit(self) -> None:
        """Make everything written so far the file's state, in one step that a kill cannot split.

        Raises:
            OSError: the disk refused; the file's state is the last committed one.
        """
        if self.failure is not None:
            raise self.failure
        try:
            self._commit()
        except OSError as err:
            self.failure = err
            raise

    def _commit(self) -> None:
        if self._committed == 0:  # the first: nobody has seen this file yet
            _pwrite(self._fd, 0, _userblock())
            self._pages.clear()
        if self._pages:
            extents = [(page * PAGE, bytes(kept)) for page, kept in sorted(self._pages.items())]
            if extents[0][0] == 0:  # the pointer must stand until all pages are in place
                extents[0] = (USERBLOCK, extents[0][1][USERBLOCK:])
            body = b"".join(_EXTENT.pack(offset, len(data)) + data for offset, data in _joined(extents))
            place = -(-max(self._size, self._committed) // PAGE) * PAGE
            _pwrite(self._fd, place, body)
            _pwrite(self._fd, 0, _userblock(place, body))
            for offset, data in _extents(body):
                _pwrite(self._fd, offset, data)
            _pwrite(self._fd, 0, _userblock())
            self._pages.clear()
        if self._size < self._committed or os.fstat(self._fd).st_size < self._size:  # HDF5 sets room aside unwritten
            os.ftruncate(self._fd, self._size)
        self._committed = self._size

    def sync(self) -> None:
        """Ask the system to bring the file to the disk itself, for a power cut."""
        if self.failure is None:
            os.fsync(self._fd)

    def close(self) -> None:
        """Close; what is not committed is forgotten, and the room behind the end is given back."""
        if self._fd < 0:
            return
        self._size = self._committed
        try:
            if self._writable and _pointer(os.pread(self._fd, USERBLOCK, 0)) is None:
                os.ftruncate(self._fd, self._committed)
        except OSError as err:  # only tidying: the file is whole without it
            self.failure = self.failure or err
        finally:
            os.close(self._fd)
            self._fd = -1

    # Pages

    def _keep(self, offset: int, data: memoryview) -> None:
        done = 0
        while done < len(data):
            page, inside = divmod(offset + done, PAGE)
            count = min(PAGE - inside, len(data) - done)
            kept = self._pages.get(page)
            if kept is None:
                whole = min(PAGE, self._committed - page * PAGE)
                kept = self._pages[page] = bytearray(_pread(self._fd, page * PAGE, whole))
            kept[inside : inside + count] = data[done : done + count]
            done += count

    def _load_journal(self) -> None:
        pending = _pointer(os.pread(self._fd, USERBLOCK, 0))
        if pending is None:
            return
        place, length, checksum = pending
        body = _pread(self._fd, place, length) if place + length <= self._size else b""
        if len(body) != length or zlib.crc32(body) != checksum:
            raise CaptureFormatError(
                f"{self.path}: the journal of its last change, {length} bytes at {place}, is damaged or cut off"
                f" (the file has {self._size} bytes); take another copy of the file"
            )
        for offset, data in _extents(body):
            self._keep(offset, memoryview(data))


def has_pending_journal(path: Path) -> bool:
    """Whether the writer was killed inside a commit, so that `path` must be read through `JournaledFile`."""
    with path.open("rb") as file:
        return _pointer(file.read(USERBLOCK)) is not None


def settle(path: Path) -> None:
    """Copy a pending journal to its places and clear it: plain HDF5 again. For a copy, never for somebody's source."""
    whole = JournaledFile(path)
    whole.close()
    fd = os.open(path, os.O_RDWR | getattr(os, "O_BINARY", 0))
    try:
        pending = _pointer(os.pread(fd, USERBLOCK, 0))
        if pending is not None:
            place, length, _ = pending
            for offset, data in _extents(_pread(fd, place, length)):
                _pwrite(fd, offset, data)
            _pwrite(fd, 0, _userblock())
    finally:
        os.close(fd)


def _userblock(place: int = 0, body: bytes = b"") -> bytes:
    pointer = _POINTER.pack(_MAGIC, place, len(body), zlib.crc32(body))
    seal = struct.pack("<I", zlib.crc32(pointer))
    return (pointer + seal + _TITLE).ljust(USERBLOCK, b"\0")


def _pointer(block: bytes) -> tuple[int, int, int] | None:
    if len(block) < _POINTER.size + 4:
        return None
    magic, place, length, checksum = _POINTER.unpack_from(block)
    (seal,) = struct.unpack_from("<I", block, _POINTER.size)
    if magic != _MAGIC or length == 0 or seal != zlib.crc32(block[: _POINTER.size]):
        return None
    return place, length, checksum


def _joined(extents: list[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
    runs: list[tuple[int, list[bytes], int]] = []
    for offset, data in extents:
        if runs and runs[-1][2] == offset:
            start, parts, end = runs[-1]
            parts.append(data)
            runs[-1] = (start, parts, end + len(data))
        else:
            runs.append((offset, [data], offset + len(data)))
    return [(start, b"".join(parts)) for start, parts, _ in runs]


def _extents(body: bytes) -> list[tuple[int, bytes]]:
    extents, at = [], 0
    while at < len(body):
        offset, length = _EXTENT.unpack_from(body, at)
        at += _EXTENT.size
        extents.append((offset, body[at : at + length]))
        at += length
    return extents


def _pread(fd: int, offset: int, count: int) -> bytes:
    """`count` bytes from `offset`; what lies beyond the end reads as zeros."""
    parts = []
    while count > 0 and (part := os.pread(fd, count, offset)):
        parts.append(part)
        offset, count = offset + len(part), count - len(part)
    return b"".join(parts) + bytes(count)


def _pwrite(fd: int, offset: int, data: bytes | memoryview) -> None:
    view = memoryview(data)
    while len(view):
        done = os.pwrite(fd, view, offset)
        offset, view = offset + done, view[done:]
