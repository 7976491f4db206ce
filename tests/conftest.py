"""Shared by all tests: one thread, a small trained-nothing set of schemes, and the command line in a process."""

import fcntl
import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.warm import AIR, COMMAND, Started, Warm

os.environ.setdefault("OMP_NUM_THREADS", "1")
ROOT = Path(__file__).resolve().parent.parent
DATASET = "synthetic:identities=12"

# Started in the background, or under nohup, tests would hand "ignored" on to the programs that they stop by these signals.
for number, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(number) == signal.SIG_IGN:
        signal.signal(number, handler)


@pytest.fixture(scope="session", autouse=True)
def _one_thread():
    import torch

    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def once(tmp_path_factory) -> Callable[[str, Callable[[Path], object]], Path]:
    """Fills a named folder once for all workers: the first that asks for it fills it, and the others wait for that."""
    root = tmp_path_factory.getbasetemp()
    root = root.parent if "PYTEST_XDIST_WORKER" in os.environ else root

    def folder(name: str, fill: Callable[[Path], object]) -> Path:
        place = root / name
        with (root / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not (root / f"{name}.filled").exists():
                place.mkdir()
                fill(place)
                (root / f"{name}.filled").touch()
        return place

    return folder


@pytest.fixture(scope="session")
def untrained(once) -> Path:
    """A folder with untrained weights for every shipped scheme: everything but the accuracies is real. Only to be read."""
    return once("models", write_untrained)


def write_untrained(folder: Path) -> None:
    import torch

    from hil.models.load import build_network
    from hil.models.recipe import load_recipe
    from hil.models.weights import write_weights
    from hil.registry import SCHEMES

    recipes = [ROOT / "models" / f"{name}.toml" for name in SCHEMES.builtin]
    for recipe in [load_recipe(path) for path in recipes if path.is_file()]:  # one without a recipe has nothing to train
        torch.manual_seed(7)
        network = build_network(recipe).eval()
        write_weights(folder / f"{recipe.name}.safetensors", network.state_dict(), recipe, dataset="none", fingerprint="none")


def environment(site: Path | None = None) -> dict[str, str]:
    """Of a process that a test starts; `site` is a folder of packages that are installed beside hil."""
    path = os.pathsep.join(map(str, [ROOT, *([site] if site is not None else [])]))
    return os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1", "COLUMNS": "200"}


@pytest.fixture(scope="session")
def warm():
    """The process from which programs are forked."""
    process = Warm(environment())
    yield process
    process.close()


@pytest.fixture(scope="session", autouse=True)
def _airs_are_forked(warm):
    """An air that a test serves is `hil.radios.virtual.process.main` as ever, in a process that need not start from nothing."""
    from hil.radios.virtual import process

    cold = process.start_air

    def start(wanted):
        if not warm.forks(wanted):
            return cold(wanted)
        return warm.start(AIR, environment=wanted, text=False, errors=False, new_session=True)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(process, "start_air", start)
        yield


class Hil:
    """`hil` in processes of its own, as a user runs it."""

    def __init__(self, warm: Warm) -> None:
        self._warm = warm

    def __call__(
        self, *arguments: object, cwd: Path | None = None, timeout: float = 240, site: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        """The finished process; `site` is a folder of packages that are installed beside hil."""
        return self._warm.run([str(one) for one in arguments], environment(site), cwd, timeout)

    def start(self, *arguments: object, cwd: Path | None = None) -> Started:
        """A process that runs on, with pipes, and that is taken apart at its end as every other."""
        assert self._warm.forks(environment())
        return self._warm.start(COMMAND, arguments, environment=environment(), cwd=cwd)


@pytest.fixture(scope="session")
def hil(warm) -> Hil:
    """Runs `hil` with arguments."""
    return Hil(warm)


@pytest.fixture(scope="session")
def small_run(hil, once, untrained, tmp_path_factory) -> Path:
    """A finished small run over the built-in bench: three schemes, two SNRs, one capture. Each worker has its copy."""

    def fill(out: Path) -> None:
        finished = hil(
            "run", "--models", untrained, "--dataset", DATASET, "--snr", "0,12", "--tasks", 36, "--distinct-tasks", 18,
            "--tasks-per-frame", 12, "--draws", 3, "--out", out, "--name", "small",
        )  # fmt: skip
        assert finished.returncode == 0, finished.stderr

    return Path(shutil.copytree(once("small", fill) / "small", tmp_path_factory.mktemp("runs") / "small"))
