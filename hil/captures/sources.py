"""Code that is no part of hil: a scheme, a goal or a data set of somebody's own, as it was when the capture was made."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from hil.errors import CaptureError, ShapeError

__all__ = ["LONGEST_TEXT", "SourceFile"]

LONGEST_TEXT = 1 << 18
"""Bytes of a file whose text is kept; of a longer one the checksum must do."""


@dataclass(frozen=True, kw_only=True)
class SourceFile:
    """A file that a result depends on.

    Attributes:
        sha256: of its bytes, hexadecimal.
        text: its content, for code, so that the capture can show what ran; None for files that code loads (weights, tables),
            of which the checksum is enough to refuse others.

    Raises:
        ShapeError: the text does not have that checksum.
    """

    sha256: str
    text: str | None = None

    def __post_init__(self) -> None:
        if self.text is not None and hashlib.sha256(self.text.encode("utf-8", "surrogatepass")).hexdigest() != self.sha256:
            raise ShapeError(f"text must have the SHA-256 given with it, {self.sha256[:12]}…: pass the file's text as it is")

    @classmethod
    def read(cls, path: str | Path, *, text: bool) -> SourceFile:
        """Take a file's checksum and, if asked for, its text, if it is UTF-8 and no longer than `LONGEST_TEXT`.

        Raises:
            CaptureError: the file cannot be read.
        """
        try:
            with Path(path).open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
                file.seek(0)
                data = file.read(LONGEST_TEXT + 1) if text else b""
        except OSError as err:
            raise CaptureError(f"cannot read {path}: {err.strerror}; the capture must note what it depends on") from err
        try:
            kept = data.decode("utf-8") if text and len(data) <= LONGEST_TEXT else None
        except UnicodeDecodeError:
            kept = None
        return cls(sha256=digest, text=kept)
