"""What a run or a replay works on: the data set, its tasks, the schemes with their weights, and the goals that judge them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from hil.config import validate
from hil.datasets.card import DatasetEntry
from hil.datasets.dataset import Dataset, load_dataset
from hil.datasets.images import mean_image
from hil.errors import ConfigError, DatasetError, DriverMissingError, ModelError
from hil.foreign import is_foreign, load_foreign
from hil.goals.card import GoalEntry
from hil.goals.contract import Goal, GoalOptions, Tasks, headline
from hil.goals.network import usual_network
from hil.models.branches import check_images
from hil.models.card import SchemeEntry
from hil.models.contract import Fits, Scheme
from hil.models.load import load_scheme, weights_file
from hil.places import folders
from hil.points.contender import Contender
from hil.points.kinds import UNALIGNED_NAME
from hil.points.spec import PointSpec
from hil.registry import DATASETS, GOALS, SCHEMES
from hil.runs.at_hand import noted_objects
from hil.runs.config import RunConfig
from hil.runs.forms import Form, form_of, forms_of, in_forms
from hil.runs.groups import grouped
from hil.runs.sources import Sources
from hil.runs.trained import other_data, other_networks
from hil.spelling import did_you_mean
from hil.timing import timed

__all__ = ["Work", "bind", "fitting_goals", "load_goals", "load_work", "point_labels"]


@dataclass(frozen=True, kw_only=True)
class Work:
    """Schemes by name, on one data set and one set of distinct tasks, and the goals that judge them.

    `goal_specs` are the goals as they were asked for, in their order: what loads them again.
    `sources`: of those that are a third party's files.
    """

    dataset_spec: str
    tasks: Tasks
    goals: Mapping[str, Goal]
    goal_specs: Sequence[str]
    options: Mapping[str, GoalOptions]
    contenders: Mapping[str, Contender]
    model_folders: Sequence[Path]
    sources: Sources
    datasets: Mapping[Form, Dataset] = field(repr=False)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the data set's pixels and labels, as the first scheme sees them."""
        return next(iter(self.contenders.values())).dataset.fingerprint

    @property
    def fingerprints(self) -> dict[str, str]:
        """The same for every scheme: each sees the images at its own size."""
        return {name: contender.dataset.fingerprint for name, contender in self.contenders.items()}

    @property
    def about_data(self) -> dict[str, Any]:
        """The data set for results and captures: which one, how tasks of people are formed, and files that were left out."""
        first = next(iter(self.contenders.values())).dataset
        about: dict[str, Any] = {"spec": self.dataset_spec, "fingerprint": self.fingerprint}
        if first.query is not None:
            about["pairing"] = first.pairing
        if first.left_out:
            about["left_out"] = list(first.left_out)
        if first.file_sha256:
            about["file_sha256"] = first.file_sha256
        return about

    @property
    def weights(self) -> dict[str, str]:
        """SHA-256 of each scheme's weights file, or ""."""
        return {name: contender.sha256 for name, contender in self.contenders.items()}

    def resolved(self, config: RunConfig) -> RunConfig:
        """The configuration with full names and all options of this work."""
        options = {key: value.model_dump(mode="json") for key, value in self.options.items()}
        return config.resolved(tuple(self.contenders), self.goal_specs, options, dataset=self.dataset_spec)

    def references(self, goal: Goal) -> Iterable[tuple[str, Contender]]:
        """Schemes that put out what a goal needs, to be judged without noise, where their weights are at hand.

        Those that send nothing, and controls: built-in schemes of the same kind that use the weights of one of this work's.
        They are of the goals that are built in; another one says itself what it is to be compared with (`Judge.references`).
        """
        if goal.name not in GOALS.builtin:
            return
        for name, entry in SCHEMES.builtin.items():
            card = cast(SchemeEntry, entry)
            other = self.contenders.get(card.weights)
            if (
                not (card.reference or (other is not None and other.scheme.card.kind == card.card.kind))
                or card.card.outputs != goal.needs
                or name in self.contenders
                or card.receivers > 1
            ):
                continue
            try:
                scheme = load_scheme(name, list(self.model_folders))
                form = form_of(scheme)
                dataset = self.datasets.get(form) or load_dataset(self.dataset_spec, **form._asdict())
                check_images(scheme, dataset.train.images)
            except (ModelError, DatasetError):
                continue  # a user's folder need not hold them, and not every data set has images of any size
            if scheme.plan.transmitters <= self.tasks.views.shape[1]:
                yield name, bind(name, scheme, dataset, self.tasks, {goal.name: goal}, self.options)


def load_goals(names: Sequence[str]) -> dict[str, Goal]:
    """Goals by name: those named, or all that are built in, in their order.

    Raises:
        ConfigError: an unknown name, or something that is no goal.
    """
    known = GOALS.builtin
    if not names:
        names = sorted(known, key=lambda name: cast(GoalEntry, known[name]).order)
    found: dict[str, Goal] = {}
    for name in names:
        made = load_foreign(name, GOALS.what, call=True) if is_foreign(name) else GOALS.load(name)
        goal = made() if isinstance(made, type) else made
        if not isinstance(goal, Goal):
            raise ConfigError(f"'{name}' is no goal: see hil.goals.contract.Goal for what it must offer")
        headline(goal)
        if goal.name in found:
            raise ConfigError(f"two goals are named '{goal.name}'; give each once")
        found[goal.name] = goal
    return found


@timed("data and networks")
def load_work(
    config: RunConfig,
    *,
    home: Path | None = None,
    objects: Mapping[str, Scheme] | None = None,
    chooser: str | None = None,
    receivers: Sequence[str] = (),
    say: Callable[[str], None] | None = None,
) -> Work:
    """Load everything that encoders, decoders and goals need.

    Args:
        config: of the run.
        home: the user's bench folder.
        objects: schemes at hand, by the name that `config.schemes` gives them.
        chooser: name of the goal that chooses the tasks; None: the first of the run's.
        receivers: names of the bench's; empty: rows call them as the plans do.
        say: told what the data set wants to be known.

    Raises:
        ConfigError: no scheme, one named twice, or no goal that fits.
        HilError: what data set or weights lack.
    """
    at_hand = objects or {}
    places = _places(config.models, home)
    group = grouped(config, places)
    names = _names(config.schemes if group is None else group, at_hand)
    loaded = {name: at_hand.get(name) or load_scheme(_own(name), places) for name in names}
    spec = config.dataset or _serving(loaded)
    forms = forms_of(loaded)
    datasets = in_forms(spec, loaded, forms, say)
    left_out = None if group is None else say or str
    schemes = _fitted(loaded, {name: datasets[form] for name, form in forms.items()}, left_out)
    goals, options = fitting_goals(config.goals, schemes, next(iter(datasets.values())), config.options, left_out)
    schemes = {name: scheme for name, scheme in schemes.items() if _is_judged(scheme, goals, options)}
    if unknown := sorted(set(config.options) - set(goals)):
        hint = did_you_mean(unknown[0], goals)
        raise ConfigError(f"options for '{unknown[0]}', which is no goal of this run{hint}; its goals: {', '.join(goals)}")
    views = max(scheme.plan.transmitters for scheme in schemes.values())
    choosing = next(iter(goals.values())) if chooser is None else next(iter(load_goals([chooser]).values()))
    first = datasets[forms[next(iter(schemes))]]
    tasks = choosing.tasks(first, views=views, seed=config.seed, limit=min(config.distinct_tasks, config.sent_tasks))
    contenders = {}
    for name, scheme in schemes.items():
        own = {key: goal for key, goal in goals.items() if not goal.refuses(scheme, options[key])}
        checksum = "" if name in at_hand else _checksum(_own(name), places)
        data = datasets[forms[name]]
        contenders[name] = bind(name, scheme, data, tasks, own, options, sha256=checksum, receivers=tuple(receivers))
    _tell_other_data([name for name in schemes if name not in at_hand], places, spec, options, say)
    return Work(
        dataset_spec=spec,
        tasks=tasks,
        goals=goals,
        goal_specs=config.goals or tuple(goals),  # all that were asked for are there
        options=options,
        contenders=contenders,
        model_folders=places,
        sources=_sources(config, spec, list(schemes), at_hand, {name: own.model_dump() for name, own in options.items()}),
        datasets=datasets,
    )


def _checksum(name: str, places: Sequence[Path]) -> str:
    """SHA-256 of a scheme's weights, or ""."""
    weights = weights_file(name, places)
    return "" if weights is None else hashlib.sha256(weights.read_bytes()).hexdigest()


def _places(models: str | None, home: Path | None) -> list[Path]:
    """Folders of weights: the one that is given, or the usual ones."""
    if models is None:
        return [place for place in folders("models", home) if place.is_dir()]
    given = Path(models).expanduser()
    if not given.is_dir():
        raise ConfigError(f"no such folder of models: {given}; make it with: hil train RECIPE --out {given}")
    return [given]


def _sources(
    config: RunConfig, spec: str, names: Sequence[str], at_hand: Mapping[str, Scheme], chosen: Mapping[str, Any]
) -> Sources:
    """A third party's code among schemes, goals and data, as files and as objects at hand."""
    files = [_own(name) for name in names if name not in at_hand]
    objects = noted_objects({name: at_hand[name] for name in names if name in at_hand})
    return Sources([*files, *config.goals], spec, chosen, objects=objects)


def _fitted(
    schemes: Mapping[str, Scheme], datasets: Mapping[str, Dataset], left_out: Callable[[str], object] | None
) -> dict[str, Scheme]:
    """The schemes, set up for the images of their data set where they ask for that.

    Args:
        schemes: by name.
        datasets: of each scheme.
        left_out: told of one that lacks something installed; None: it was asked for by name, and is refused.

    Raises:
        DriverMissingError: what one of them needs is not installed.
    """
    fitted = {}
    for name, scheme in schemes.items():
        try:
            fitted[name] = scheme.fit(*_shape_and_mean(datasets[name])) if isinstance(scheme, Fits) else scheme
        except DriverMissingError as err:
            if left_out is None:
                raise
            left_out(f"{name} is left out: {err}")
    return fitted


def _shape_and_mean(dataset: Dataset) -> tuple[tuple[int, int, int], Tensor]:
    """Of its training images: (C, H, W), and their mean float32 [C, H, W]."""
    images = dataset.train.images
    height, width = dataset.image_size
    return (images.shape[1], height, width), mean_image(images)


def _names(given: Sequence[str], at_hand: Mapping[str, Scheme]) -> list[str]:
    """Names of schemes in full.

    Raises:
        ConfigError: there is none, or one is named twice.
    """
    names = [name if name in at_hand else _resolved(name) for name in given]
    if not names or len(set(names)) != len(names):
        raise ConfigError(f"--schemes must name at least one scheme, each once, not {', '.join(names) or 'none'}")
    return names


def _own(name: str) -> str:
    """The scheme itself of one that is to be left unaligned."""
    return name.removesuffix(UNALIGNED_NAME)


def _resolved(name: str) -> str:
    return SCHEMES.resolve(_own(name)) + name[len(_own(name)) :]


def _serving(schemes: Mapping[str, Scheme]) -> str:
    """The built-in data set that serves what all schemes put out; the default one where none does."""
    outputs = {scheme.card.outputs for scheme in schemes.values()}
    entries = [entry for entry in DATASETS.builtin.values() if isinstance(entry, DatasetEntry)]
    return next((entry.name for entry in entries if outputs <= set(entry.serves)), DATASETS.defaults()[0])


def _tell_other_data(
    names: Sequence[str],
    places: Sequence[Path],
    spec: str,
    options: Mapping[str, GoalOptions],
    say: Callable[[str], None] | None,
) -> None:
    """Say of which schemes and task networks the weights were trained on another data set."""
    found = {name: file for name in names if (file := weights_file(_own(name), places)) is not None}
    for line in [*other_data(found, spec), *other_networks(options, spec)]:
        if say is not None:
            say(line)


def bind(
    name: str,
    scheme: Scheme,
    dataset: Dataset,
    tasks: Tasks,
    goals: Mapping[str, Goal],
    options: Mapping[str, GoalOptions],
    *,
    sha256: str = "",
    receivers: tuple[str, ...] = (),
) -> Contender:
    """A scheme on its images, judged by goals.

    Raises:
        ModelError: it takes pictures and the data set has features, or the other way round.
    """
    check_images(scheme, dataset.train.images)
    judges = {key: goal.judge(scheme, dataset, tasks, options[key]) for key, goal in goals.items()}
    own = {key: options[key] for key in goals}
    return Contender(
        name=name,
        scheme=scheme,
        dataset=dataset,
        tasks=tasks,
        goals=goals,
        judges=judges,
        options=own,
        sha256=sha256,
        receivers=receivers,
    )


def point_labels(work: Work, spec: PointSpec) -> dict[str, NDArray[Any]]:
    """Integer labels of each task sent, for the capture: distinct task, its views, and what the goal says of it."""
    index = spec.task_index()
    views = work.tasks.views[index]
    named = {f"view_{place}": views[:, place].numpy() for place in range(views.shape[1])}
    labels = {name: values[index].numpy() for name, values in work.tasks.labels.items()}
    return {"task": index.numpy(), **labels, **named, "cluster": np.asarray(work.tasks.clusters[index].numpy())}


def fitting_goals(
    asked: Sequence[str],
    schemes: Mapping[str, Scheme],
    dataset: Dataset,
    options: Mapping[str, Mapping[str, Any]],
    left_out: Callable[[str], object] | None = None,
) -> tuple[dict[str, Goal], dict[str, GoalOptions]]:
    """The goals of a run and their options: those asked for, or all that some scheme and the data set allow.

    Args:
        asked: names; empty: all.
        schemes: by name; each must be judged by some goal.
        dataset: whose images are sent.
        options: by the goal's name; what is not named has its default. A goal asked for judges images by the task network
            that a built-in data set has for it.
        left_out: told of schemes that no goal can judge; None: they were asked for by name, and are refused.

    Raises:
        ConfigError: a goal asked for fits no scheme or lacks something in the data; a scheme that no goal can judge; or
            options that do not fit their goal.
    """
    goals: dict[str, Goal] = {}
    chosen: dict[str, GoalOptions] = {}
    reasons = []
    for name, goal in load_goals(asked).items():
        usual = usual_network(goal, dataset) if asked else {}
        own = validate(goal.options, {**usual, **options.get(name, {})}, f"options.{name}")
        lacking = goal.lacks(dataset)
        refusals = {key: goal.refuses(scheme, own) for key, scheme in schemes.items()}
        why = f"data set '{dataset.name}' has {lacking}" if lacking else ""
        if not why and all(refusals.values()):
            why = "; ".join(f"scheme '{key}': {reason}" for key, reason in refusals.items())
        if not why:
            goals[name], chosen[name] = goal, own
        elif asked:
            raise ConfigError(f"goal '{name}' cannot be scored: {why}")
        else:
            reasons.append(f"{name}: {why}")
    unjudged = [key for key, scheme in schemes.items() if not _is_judged(scheme, goals, chosen)]
    if unjudged and (left_out is None or len(unjudged) == len(schemes)):
        raise ConfigError(f"no goal can judge scheme '{unjudged[0]}': {'; '.join(reasons) or 'see --goals'}")
    if unjudged and left_out is not None:
        left_out(f"left out, as no goal can judge them here: {', '.join(unjudged)}")
    return goals, chosen


def _is_judged(scheme: Scheme, goals: Mapping[str, Goal], options: Mapping[str, GoalOptions]) -> bool:
    return not all(goal.refuses(scheme, options[name]) for name, goal in goals.items())
