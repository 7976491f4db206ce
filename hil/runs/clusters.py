"""Where a sweep's jobs go through dask.distributed: workers here, jobs of Slurm, or a scheduler that somebody else started."""

from __future__ import annotations

import importlib
import importlib.util
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hil.errors import ConfigError, DriverMissingError

__all__ = ["connected"]

PATIENCE_S = 60.0
"""After it without any worker the user is told where to look; a queue may well take hours."""


@contextmanager
def connected(
    cluster: str, workers: int, options: Mapping[str, Any], folder: Path, say: Callable[[str], None], *, losses: int
) -> Iterator[tuple[Any, Any]]:
    """A client of a cluster that has a worker; what was started here is ended afterwards.

    Args:
        cluster: ``local``, ``slurm``, or the address of a scheduler.
        workers: to start; of a scheduler's address, those that are there.
        options: of SLURMCluster, in the place of one core and 4 GB a worker.
        folder: of the sweep; Slurm's own words go into ``workers`` in it.
        say: told where the dashboard is, and that no worker comes.
        losses: of workers that a job survives.

    Yields:
        the client, and the module ``distributed``.

    Raises:
        DriverMissingError: no dask, or no Slurm.
        ConfigError: what Slurm does not take, or no scheduler at the address.
    """
    distributed = _module("distributed")
    _module("dask").config.set({"distributed.scheduler.allowed-failures": losses})
    bokeh = importlib.util.find_spec("bokeh") is not None
    with _place(distributed, cluster, workers, options, folder, bokeh) as place:
        try:
            client = distributed.Client(place)
        except (OSError, ValueError) as err:
            raise ConfigError(
                f"--cluster must be local, slurm or a scheduler's address, such as tcp://HOST:8786; {cluster}: {err}"
            ) from err
        with client:
            foreign = cluster not in ("local", "slurm")
            seen = client.dashboard_link if bokeh or foreign else "none without bokeh (pip install bokeh)"
            say(f"workers: {cluster}; dashboard: {seen}")
            try:
                client.wait_for_workers(1, timeout=PATIENCE_S)
            except TimeoutError:
                where = f"; if its job has ended (squeue), {folder / 'workers'} says why" if cluster == "slurm" else ""
                say(f"no worker after {PATIENCE_S:g} s, still waiting{where}")
            yield client, distributed


def _module(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as err:
        raise DriverMissingError(f"--cluster needs {name} ({err}); install it with: pip install 'hil[cluster]'") from err


@contextmanager
def _place(
    distributed: Any, cluster: str, workers: int, options: Mapping[str, Any], folder: Path, bokeh: bool
) -> Iterator[Any]:
    """What a client is given."""
    port = ":0" if bokeh else None
    if cluster == "local":
        with distributed.LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=port) as own:
            yield own
    elif cluster == "slurm":
        with _slurm(port, options, folder) as own:
            # Slurm ends a worker at its walltime; one that scale() asked for would not be replaced
            own.adapt(minimum=workers, maximum=workers)
            yield own
    else:
        yield cluster


def _slurm(port: str | None, options: Mapping[str, Any], folder: Path) -> Any:
    """A SLURMCluster without workers whose jobs Slurm takes."""
    given = {"cores": 1, "processes": 1, "memory": "4GB", "log_directory": str(folder / "workers"), **options}
    given["scheduler_options"] = {"dashboard_address": port, **given.get("scheduler_options", {})}
    try:
        cluster = _module("dask_jobqueue").SLURMCluster(**given)
    except (ValueError, TypeError, RuntimeError) as err:
        raise ConfigError(f"[cluster] or --slurm: {str(err).partition('. Very likely')[0]}") from err
    try:
        _accepted(cluster.job_script())
    except BaseException:
        cluster.close()
        raise
    return cluster


def _accepted(script: str) -> None:
    """Submit a worker's job that is held, and cancel it: dask_jobqueue waits for ever for one that Slurm does not take.

    ``sbatch --test-only`` would also refuse what has to wait for nodes that are down.
    """
    try:
        asked = subprocess.run(["sbatch", "--hold", "--parsable"], input=script, capture_output=True, text=True, check=False)
    except OSError as err:
        raise DriverMissingError(
            f"--cluster slurm needs Slurm's sbatch here ({err}); start it where jobs are submitted"
        ) from err
    if asked.returncode:
        header = ", ".join(line.removeprefix("#SBATCH ") for line in script.splitlines() if line.startswith("#SBATCH "))
        words = " ".join(asked.stderr.split()) or f"exit code {asked.returncode}"
        raise ConfigError(f"Slurm does not take the workers' jobs ({header}): {words}; change [cluster] or --slurm KEY=VALUE")
    subprocess.run(["scancel", asked.stdout.strip().partition(";")[0]], capture_output=True, check=False)
