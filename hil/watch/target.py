"""What `hil watch TARGET` means: a capture, a run, or a bench."""

from __future__ import annotations

from pathlib import Path

from hil.captures import Capture, Tail
from hil.errors import ConfigError
from hil.radios.bench import find_bench
from hil.watch.listening import Listening
from hil.watch.recording import Recording
from hil.watch.source import Source

__all__ = ["open_source"]


def open_source(target: str | None, home: Path | None = None) -> Source:
    """The source for a target.

    Args:
        target: a capture's file; a run's folder, or its name under ``runs/``; a bench's file or name; None: the newest run.
        home: the user's bench folder.

    Raises:
        ConfigError: nothing has that name.
        CaptureFormatError: a file is no capture.
        RadioError: the bench's radios cannot be opened.
    """
    if target is None:
        return _run(_newest())
    path = Path(target)
    if path.suffix == ".toml":
        return Listening(find_bench(target, home))
    for place in (path, Path("runs") / path):
        if place.is_dir():
            return _run(place)
        if place.is_file():
            return _capture(place)
    try:
        bench = find_bench(target, home)
    except ConfigError as err:
        raise ConfigError(
            f"{target!r} is neither a run, nor a capture, nor a bench ({err}); give a run's folder or its name under runs/, "
            "a capture.h5, or a bench"
        ) from err
    return Listening(bench)


def _run(folder: Path) -> Source:
    capture = folder / "capture.h5"
    if not capture.exists() and not (folder / "run.toml").exists():
        raise ConfigError(f"{folder} holds neither a capture.h5 nor a run.toml, so no run; give a run's folder")
    if not capture.exists() and (folder / "results.json").exists():
        raise ConfigError(
            f"the run in {folder} has no capture: it was simulated without radios, so there is no signal to watch"
        )
    return (
        _capture(capture, folder.resolve().name)
        if capture.exists()
        else Recording(capture, folder.resolve().name, growing=True)
    )


def _capture(path: Path, name: str | None = None) -> Source:
    """One that a run may be writing: it is looked at until it is complete.

    Raises:
        CaptureFormatError: it is no capture.
    """
    tail = Tail(path)
    if not any(tail.look() for _ in range(3)):
        Capture.open(path).close()  # says what is wrong with it
    return Recording(path, name or path.name, growing=not tail.complete)


def _newest() -> Path:
    runs = [folder for folder in Path("runs").glob("*") if (folder / "run.toml").exists()] if Path("runs").is_dir() else []
    if not runs:
        raise ConfigError("there is no run under runs/ here; name a run's folder, a capture.h5, or a bench to listen to")
    return max(runs, key=lambda folder: (folder / "run.toml").stat().st_mtime)
