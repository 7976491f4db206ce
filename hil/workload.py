"""What a run or a replay works on: the data set, its tasks, and the schemes with their weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch

from hil.collect import PointSpec
from hil.datasets.dataset import Dataset, load_dataset
from hil.datasets.tasks import TaskSet, make_tasks
from hil.errors import ConfigError, ModelError
from hil.places import folders
from hil.models.load import load_scheme, weights_file
from hil.results import point_row, rounded
from hil.retrieval import chance
from hil.scoring import Scorer

__all__ = ["ALIASES", "Workload", "load_workload", "reference_rows", "task_labels"]

ALIASES = {"single": "jscc-single", "oma": "jscc-oma", "noma": "jscc-noma"}
"""Short names of the shipped schemes."""

Gallery = Literal["reconstructed", "raw"]


@dataclass(frozen=True, kw_only=True)
class Workload:
    """Schemes by name, on one data set and one set of distinct tasks."""

    dataset_spec: str
    tasks: TaskSet
    scorers: dict[str, Scorer]
    model_folders: list[Path]
    gallery: Gallery
    datasets: dict[tuple[int, int] | None, Dataset] = field(repr=False)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the data set's pixels and labels, as the first scheme sees them."""
        return next(iter(self.scorers.values())).dataset.fingerprint

    @property
    def fingerprints(self) -> dict[str, str]:
        """The same for every scheme: each sees the images at its own size."""
        return {name: scorer.dataset.fingerprint for name, scorer in self.scorers.items()}


def _image_size(scheme: Any) -> tuple[int, int] | None:
    recipe = getattr(scheme, "recipe", None)
    size = getattr(recipe, "image_size", None) or getattr(scheme, "image_size", None)
    return (int(size[0]), int(size[1])) if size else None


def load_workload(
    schemes: Sequence[str],
    dataset_spec: str,
    *,
    models: Path | None,
    home: Path | None,
    distinct_tasks: int,
    seed: int,
    gallery: Gallery,
) -> Workload:
    """Load everything that encoders, decoders and the ranking need.

    Args:
        schemes: names (aliases allowed), weights files, or ``path.py:Class``.
        dataset_spec: ``synthetic``, ``market1501:PATH``, …
        models: folder of weights that comes first; None for the usual places.
        home: the user's bench folder.
        distinct_tasks: at most so many distinct tasks.
        seed: of the tasks' choice.
        gallery: which features stand for a gallery image.

    Raises:
        ConfigError: no scheme, or one named twice.
        HilError: what data set or weights lack.
    """
    names = [ALIASES.get(name, name) for name in schemes]
    if not names or len(set(names)) != len(names):
        raise ConfigError(f"--schemes must name at least one scheme, each once, not {', '.join(names) or 'none'}")
    if models is not None and not models.is_dir():
        raise ConfigError(f"no such folder of models: {models}; make it with: hil train RECIPE --out {models}")
    places = [models] if models is not None else [place for place in folders("models", home) if place.is_dir()]
    loaded = {name: load_scheme(name, places, gallery=gallery) for name in names}
    datasets: dict[tuple[int, int] | None, Dataset] = {}
    scorers: dict[str, Scorer] = {}
    tasks: TaskSet | None = None
    for name, scheme in loaded.items():
        size = _image_size(scheme)
        if size not in datasets:
            datasets[size] = load_dataset(dataset_spec, image_size=size)
        tasks = tasks or make_tasks(datasets[size], seed=seed, limit=distinct_tasks)
        scorers[name] = Scorer(name, scheme, datasets[size], tasks, weights=weights_file(name, places))
    assert tasks is not None  # there is at least one scheme
    return Workload(
        dataset_spec=dataset_spec, tasks=tasks, scorers=scorers, model_folders=places, gallery=gallery, datasets=datasets
    )


def task_labels(work: Workload, spec: PointSpec) -> dict[str, Any]:
    """Integer labels of each task sent, for the capture."""
    index = spec.task_index()
    tasks = work.tasks
    return {
        "task": index.numpy(),
        "identity": tasks.identities[index].numpy(),
        "view_0": tasks.views[index, 0].numpy(),
        "view_1": tasks.views[index, 1].numpy(),
    }


def reference_rows(work: Workload) -> list[dict[str, Any]]:
    """Rows that need no channel: each scheme noiseless with both galleries, the noiseless baselines, chance."""
    rows = []
    everyone = torch.arange(len(work.tasks))
    for scorer in work.scorers.values():
        sent = scorer.encode()
        for mode in ("reconstructed", "raw"):
            if not hasattr(scorer.scheme, "gallery_mode"):
                rows.append(point_row(scorer=scorer, source="noiseless", outcome=scorer.noiseless(sent), task_index=everyone))
                break
            other = scorer if mode == work.gallery else scorer.with_gallery(mode)
            row = point_row(scorer=other, source="noiseless", outcome=other.noiseless(sent), task_index=everyone)
            rows.append(row | {"gallery": mode})
    for name in ("baseline-single", "baseline-pair"):
        try:
            scheme = load_scheme(name, work.model_folders)
        except ModelError:
            continue  # a user's folder need not hold the baselines
        size = _image_size(scheme)
        dataset = work.datasets.get(size) or load_dataset(work.dataset_spec, image_size=size)
        scorer = Scorer(name, scheme, dataset, work.tasks)
        rows.append(point_row(scorer=scorer, source="noiseless", outcome=scorer.reference(), task_index=everyone))
    first = next(iter(work.scorers.values()))
    unused = dict.fromkeys(("access", "snr_basis", "snr_db_target", "snr_db", "snr_eff_db", "energy", "top1_ci", "gallery"))
    top1 = chance(work.tasks, first.dataset.gallery)
    rows.append(unused | {"scheme": "chance", "source": "noiseless", "kind": "bound", "top1": top1, "tasks": len(work.tasks)})
    checked: list[dict[str, Any]] = rounded(rows)
    return checked
