"""Code that is no part of hil: a scheme, a goal or a data set of somebody's own, as it was when the capture was made."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from hil.errors import CaptureError, ShapeError

__all__ = ["SourceFile"]


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
        """Take a file's checksum and, if asked for, its text (if it is UTF-8: else the checksum alone).

        Raises:
            CaptureError: the file cannot be read.
        """
        try:
            data = Path(path).read_bytes()
        except OSError as err:
            raise CaptureError(f"cannot read {path}: {err.strerror}; the capture must note what it depends on") from err
        try:
            kept = data.decode("utf-8") if text else None
        except UnicodeDecodeError:
            kept = None
        return cls(sha256=hashlib.sha256(data).hexdigest(), text=kept)
