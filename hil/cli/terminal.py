"""What a command has to do with the terminal: streams that take any text, and signals that end it in one line."""

from __future__ import annotations

import codecs
import os
import signal
import sys
import threading
from contextlib import suppress
from typing import Any, TextIO, cast

from hil.interrupts import STOPPING

__all__ = ["Stop", "finish_streams", "prepare_streams"]

PLAIN = {
    "−": "-", "–": "-", "—": "-", "…": "...", "×": "x", "·": "*", "±": "+-", "²": "^2", "≤": "<=", "≥": ">=", "≈": "~",
    "→": "->", "√": "sqrt", "σ": "sigma", "Σ": "sum", "µ": "u", "°": " deg", "“": '"', "”": '"', "’": "'",
}  # fmt: skip
"""For terminals that know no other letters."""


class Stop:
    """The signal that ends this process, once one has come.

    Attributes:
        number: of the first signal; None: none came.
    """

    def __init__(self) -> None:
        self.number: int | None = None

    def listen(self) -> None:
        """Unwind the program at SIGINT, SIGTERM and SIGHUP, unless they are ignored as under nohup."""
        for number in STOPPING:
            if signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, self._unwind)
        sys.unraisablehook = self._again

    def _unwind(self, number: int, _frame: Any) -> None:
        self.number = self.number or number
        raise KeyboardInterrupt if number == signal.SIGINT else SystemExit(128 + number)

    def _again(self, lost: sys.UnraisableHookArgs) -> None:
        """Come again where the exception could not be raised: in a destructor, or a callback of C."""
        if self.number is None or not issubclass(lost.exc_type, KeyboardInterrupt | SystemExit):
            sys.__unraisablehook__(lost)
            return
        threading.Timer(0.05, os.kill, (os.getpid(), self.number)).start()

    def deaf(self) -> None:
        """From now on signals change nothing: all is done but the interpreter's own end."""
        for number in STOPPING:
            with suppress(ValueError):  # not the main thread
                signal.signal(number, signal.SIG_IGN)


class _Forgiving:
    """A text stream whose reader may be gone: a measurement does not end because nobody watches it."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with suppress(OSError, ValueError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def prepare_streams() -> None:
    """Let standard output and error take any text in any encoding, and be closed or gone."""
    while True:  # a file opened later must not be taken for a closed stream
        spare = os.open(os.devnull, os.O_RDWR)
        if spare > 2:
            os.close(spare)
            break
    codecs.register_error("hil", _plain)
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_WRONLY), "w", encoding="utf-8"))
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="hil")
    sys.stderr = cast(TextIO, _Forgiving(sys.stderr))


def _plain(err: UnicodeError) -> tuple[str, int]:
    if not isinstance(err, UnicodeEncodeError):
        raise err
    return "".join(PLAIN.get(letter, "?") for letter in err.object[err.start : err.end]), err.end


def finish_streams() -> OSError | None:
    """Flush standard output; why that failed, if it did. Nothing is left for the interpreter to complain about."""
    try:
        sys.stdout.flush()
    except ValueError:  # closed
        return None
    except OSError as err:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.close(null)
        return err
    return None
