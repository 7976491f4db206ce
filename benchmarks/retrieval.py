"""`scripts/bench retrieval`: ranking at Market-1501's size against the bare product, and memory for a gallery of that size."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from benchmarks.rows import Row, row
from hil.datasets.dataset import DISTRACTOR, JUNK, Dataset, Split
from hil.goals.retrieval.goal import Retrieval, RetrievalOptions
from hil.goals.retrieval.ranking import Ranker
from hil.goals.retrieval.tasks import TaskSet
from hil.models.card import Card
from hil.models.contract import Features, Plan
from hil.models.load import build_network
from hil.models.recipe import load_recipe
from hil.models.weights import write_weights

__all__ = ["rows"]

ROOT = Path(__file__).resolve().parent.parent
QUERIES, GALLERY, LENGTH, PEOPLE, DISTRACTORS, JUNKS = 3368, 19732, 2048, 750, 2793, 3819
"""Market-1501's test split; features of a ResNet-50."""
SIZE = (256, 128)
TRAIN = 1000
"""Images to train on in the tree of the memory row: a run reads them once, for the fingerprint."""


@dataclass
class _Given:
    """A scheme whose gallery features are given: what a judge looks at of a scheme, and nothing to wait for."""

    stored: Tensor
    place: int = 0
    card = Card(name="given")
    plan = Plan(occupied=torch.ones(1, 1, dtype=torch.bool))

    def embed(self, images: Tensor, mode: str = "reconstructed") -> Tensor:
        """The next ones."""
        self.place += len(images)
        return self.stored[None, self.place - len(images) : self.place]


def _people(seed: int, queries: int) -> tuple[Dataset, TaskSet, Tensor, Tensor]:
    """Labels as Market-1501 has them; features of people around centres of their own (top-1 about 80 %).

    Returns:
        the data set, a task a query image, their features float32 [task, 1, p], and those of the gallery float32 [image, p].
    """
    draw = np.random.default_rng(seed)
    who = draw.integers(1, PEOPLE + 1, GALLERY)
    who[:DISTRACTORS] = DISTRACTOR
    who[DISTRACTORS : DISTRACTORS + JUNKS] = JUNK
    asked = draw.integers(1, PEOPLE + 1, queries)
    centres = torch.from_numpy(draw.standard_normal((PEOPLE + 1, LENGTH), np.float32))

    def features(people: Any) -> Tensor:
        known = torch.from_numpy(np.maximum(people, 0))
        return (
            torch.from_numpy(draw.standard_normal((len(people), LENGTH), np.float32)) * 2.2
            + centres[known] * (known > 0)[:, None]
        )

    def split(people: Any) -> Split:
        cameras = torch.from_numpy(draw.integers(1, 7, len(people)))
        images = torch.zeros(len(people), 1, 1, 1, dtype=torch.uint8)
        return Split.people(images=images, identities=torch.from_numpy(people), cameras=cameras, names=[""] * len(people))

    query, stored = split(asked), split(who)
    dataset = Dataset(name="as Market-1501", train=query, query=query, gallery=stored, pairing="none")
    tasks = TaskSet(views=torch.arange(queries)[:, None], identities=query.identities, cameras=query.cameras[:, None])
    return dataset, tasks, features(asked)[:, None], features(who)


def _medians(runs: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Process CPU time of each, s: medians over rounds in which they take turns, after one to warm up."""
    times: dict[str, list[float]] = {name: [] for name in runs}
    for number in range(rounds + 1):
        for name, run in runs.items():
            begin = time.process_time()
            run()
            if number:
                times[name].append(time.process_time() - begin)
    return {name: float(np.median(values)) for name, values in times.items()}


def _ranking(quick: bool) -> tuple[list[Row], dict[str, Any]]:
    dataset, tasks, features, stored = _people(1, QUERIES // 4 if quick else QUERIES)
    ours, theirs = features[:, 0].numpy(), stored.numpy()
    judge = Retrieval().judge(_Given(stored), dataset, tasks.as_tasks(), RetrievalOptions())  # type: ignore[arg-type]
    ranker = Ranker(stored[None], tasks, dataset.split("gallery"), views=1)
    index, kept = torch.arange(len(tasks)), torch.zeros(len(tasks), dtype=torch.bool)
    output = Features(features=features, erased=kept)
    shape = f"{len(ours)} × {len(theirs)} × {ours.shape[1]}"
    took = _medians(
        {
            "numpy @": lambda: ours @ theirs.T,
            "torch.mm": lambda: torch.mm(features[:, 0], stored.T),
            "top-1": lambda: judge.headline(output, index),
            "top-50": lambda: ranker.nearest(features, index, 50),
            "CMC and both mAP": lambda: judge.score(output, index, kept),
        },
        3 if quick else 7,
    )
    fastest = min(("numpy @", "torch.mm"), key=took.__getitem__)
    found = [
        row(f"ranking {shape}, exact: {name}", took[name], "s", better="lower", target=most * took[fastest],
            peer=fastest, peer_value=took[fastest])
        for name, most in (("top-1", 1.25), ("top-50", 1.25), ("CMC and both mAP", 2.0))
    ]  # fmt: skip
    found += [row(f"the product alone: {name}", took[name], "s", better="lower") for name in ("numpy @", "torch.mm")]
    top1 = judge.headline(output, index).values["top1"].double().mean()
    found.append(row("top-1 of these features", float(top1), "share"))
    return found, {name: took[name] for name in ("numpy @", "torch.mm")}


def _tree(folder: Path, images: int) -> Path:
    """A set of Market-1501's form whose gallery has so many images of 256 × 128; some 64 pictures, over and over."""
    draw = np.random.default_rng(2)
    pictures = []
    for _ in range(64):
        stored = BytesIO()
        flat = draw.integers(0, 256, (16, 8, 3), np.uint8).repeat(16, 0).repeat(16, 1)
        Image.fromarray(flat ^ draw.integers(0, 16, (*SIZE, 3), np.uint8)).save(stored, "JPEG", quality=85)
        pictures.append(stored.getvalue())
    for name, count, first in (("bounding_box_train", TRAIN, 1000), ("query", QUERIES, 1), ("bounding_box_test", images, 1)):
        (folder / name).mkdir(parents=True)
        for number in range(count):
            person, camera = first + number % PEOPLE, 1 + (number // PEOPLE + (name == "query")) % 6
            (folder / name / f"{person:04d}_c{camera}s1_{number:06d}_00.jpg").write_bytes(pictures[number % 64])
    return folder


def _memory(quick: bool) -> list[Row]:
    """A run over such a tree twice: with nothing kept, and with what the first one kept."""
    images = GALLERY // 10 if quick else GALLERY
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        recipe = load_recipe(ROOT / "models" / "jscc-single.toml", {"image_size": list(SIZE)})
        torch.manual_seed(1)
        weights = build_network(recipe).eval().state_dict()
        write_weights(folder / "models" / "jscc-single.safetensors", weights, recipe, dataset="", fingerprint="")
        tree = _tree(folder / "tree", images)
        environment = os.environ | {"HIL_CACHE": str(folder / "cache"), "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        found = []
        for start in ("first", "second"):
            command = [sys.executable, "-m", "benchmarks.gallery", str(tree), str(folder / "models"), str(folder / start)]
            done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT, env=environment)
            found.append(json.loads(done.stdout))
    name, whole = f"gallery of {images} images of 256 × 128", images * 3 * SIZE[0] * SIZE[1] / 2**20
    first, second = found
    return [
        row(f"{name}: most memory beyond the start", first["most_mb"] - first["start_mb"], "MB", better="lower", target=1500,
            peer="its pixels in one tensor", peer_value=whole),
        row(f"{name}: the same from what was kept", second["most_mb"] - second["start_mb"], "MB", better="lower", target=1500,
            peer="its pixels in one tensor", peer_value=whole),
        row(f"{name}: a run of 1,008 tasks, first start", first["cpu_s"], "s", better="lower"),
        row(f"{name}: a run of 1,008 tasks, second start", second["cpu_s"], "s", better="lower", peer="first start",
            peer_value=first["cpu_s"]),
    ]  # fmt: skip


def rows(quick: bool) -> tuple[list[Row], dict[str, Any]]:
    """All rows, and the peers' figures as measured."""
    ranking, peers = _ranking(quick)
    return [*ranking, *_memory(quick)], peers
