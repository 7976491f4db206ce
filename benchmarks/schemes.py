"""`scripts/bench schemes`: trained networks against what the papers' systems must hold, and what a task costs by stage.

All networks of a folder (`--models`; the shipped ones by default) answer the same test tasks of the built-in data through the
mathematical channel, networks for slow fading through fades of the same seed. Differences are paired by task, their intervals
simultaneous over a row's claims; those of the steps of one network's curve are Holm's. A row whose networks are not there has
no value. Nothing here chooses a network by its test result: rivals of the SNR-aware ones are chosen by the validation
accuracies in their metrics, at the nearest SNR there.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch

import hil
from benchmarks.rows import Row, row
from hil.cli.schemes import scheme_row, variants
from hil.goals.contract import Goal, headline
from hil.models.load import weights_file
from hil.models.recipe import load_recipe
from hil.places import folders
from hil.points.contender import Contender
from hil.points.simulate import Medium, awgn_noise, seed_of, simulate
from hil.registry import SCHEMES
from hil.results.codewords import codeword_rows
from hil.results.compare import Answer, Condition, comparison_rows
from hil.results.curves import Reading
from hil.results.document import Comparison, MeanOverSnrs
from hil.results.estimate import aligned, estimate
from hil.results.intervals import Claims, judged
from hil.results.sample import Sample
from hil.runs.config import RunConfig
from hil.runs.groups import grouped
from hil.runs.plan import drawn_fade, repeated
from hil.runs.work import load_work
from hil.timing import spent, watch

__all__ = ["rows"]

SNRS = (-6.0, -3.0, 0.0, 3.0, 6.0, 9.0, 12.0, 15.0)
AWARE_SNRS = (*SNRS, 18.0)
TASKS, AWARE_TASKS, QUICK_TASKS, DRAWS = 2016, 4032, 252, 4
MANY_PEOPLE = "synthetic:tested=1400"
"""Test people of SNR-aware networks: three tasks each, of which every one is another; the usual 500 have 1,500."""
TABLE_I = {"jscc-oma": 0.0151, "jscc-noma": 0.7523, "jscc-oma-csir": 0.0165, "jscc-noma-csir": 0.8234}
POINTS = 100


@dataclass
class Exam:
    """Networks by name on common tasks; each is simulated once, when it is asked for."""

    models: str | None
    tasks: int
    names: tuple[str, ...]
    dataset: str = ""
    _said: dict[tuple[str, float, bool], Sample] = field(default_factory=dict)

    @cached_property
    def work(self) -> Any:
        """Tasks, networks and the goal."""
        size = {"tasks": self.tasks, "distinct_tasks": self.tasks}
        return load_work(RunConfig(schemes=self.names, models=self.models, dataset=self.dataset, draws=DRAWS, **size))

    @property
    def goal(self) -> Goal:
        """The first one."""
        goal: Goal = next(iter(self.work.goals.values()))
        return goal

    def has(self, *names: str) -> bool:
        """Whether all of these are there."""
        return set(names) <= set(self.names)

    def said(self, name: str, snr_db: float, *, fades: bool = False) -> Sample:
        """How a network answered at an SNR."""
        if (name, snr_db, fades) not in self._said:
            self._said[name, snr_db, fades] = self._simulated(self.work.contenders[name], snr_db, fades=fades)
        return self._said[name, snr_db, fades]

    def _simulated(self, contender: Contender, snr_db: float, *, fades: bool) -> Sample:
        plan = contender.plan
        told = [snr_db] * plan.transmitters if plan.tx_csi != "none" else None
        sent, index, channel, draws = contender.encode(told), None, None, DRAWS
        if fades:  # the same fades at every SNR and for all networks of as many transmitters
            index, draws = torch.arange(DRAWS * len(self.work.tasks)) % len(self.work.tasks), 1
            sent = repeated(sent, index)
            channel = drawn_fade(1, plan.transmitters, len(index))[..., None].expand_as(sent.symbols)
        medium = Medium(noise_var=awgn_noise(plan, [snr_db]), channel=channel)
        media = dict.fromkeys(plan.receivers, medium)
        made = simulate(contender, sent, media, draws=draws, seed=seed_of(1, contender.name, snr_db), index=index)
        return made[next(key for key in made if key[0] == self.goal.name)]

    def noiseless(self, name: str) -> Sample:
        """How a network, or a reference that sends nothing, answers without noise."""
        everyone = torch.arange(len(self.work.tasks))
        contender = self.work.contenders.get(name) or dict(self.work.references(self.goal))[name]
        told = [max(SNRS)] * contender.plan.transmitters if contender.plan.tx_csi != "none" else None
        scored = contender.score(contender.noiseless(contender.encode(told)), everyone)
        return Sample(tasks=scored[next(key for key in scored if key[0] == self.goal.name)], index=everyone)

    def compared(self, curves: Mapping[str, Mapping[float, Sample]]) -> tuple[list[Comparison], list[MeanOverSnrs]]:
        """Every pair of curves, paired by task."""
        under = Condition(goal=self.goal.name, receiver=None, source="simulation", snr_basis="link", energy="per_use")
        answers = {
            name: [Answer(snr_db_target=at, sample=sample, reading=Reading(snr_db=at)) for at, sample in curve.items()]
            for name, curve in curves.items()
        }
        return comparison_rows({under: answers}, {}, self.work.tasks.clusters, self.work.goals)

    def value(self, sample: Sample) -> float:
        """The headline in percent."""
        return POINTS * sample.value(headline(self.goal))


def rows(quick: bool, models: str | None = None) -> tuple[list[Row], dict[str, str]]:
    """All rows; peers: none."""
    places = [Path(models)] if models else [place for place in folders("models", None) if place.is_dir()]
    found = [scheme_row(name, places) for name in (*SCHEMES.names(), *variants(places, known=SCHEMES.names()))]
    served = [one for one in found if one["outputs"] == "features"]  # what the first goal judges
    trained = tuple(one["name"] for one in served if one["trained"] and one["access"] and sum(one["uses"] or [0]))
    known = _trained_as(places)
    lacking = [one["name"] for one in found if not one["trained"] and one["name"] not in known]
    tasks = QUICK_TASKS if quick else TASKS
    exam = Exam(models=models, tasks=tasks, names=trained)
    wide = exam if quick else Exam(models=models, tasks=AWARE_TASKS, names=trained, dataset=MANY_PEOPLE)
    made = [
        row("schemes with weights, of those listed", len(found) - len(lacking), "", target=float(len(found)), lacking=lacking),
        *_to_baseline(exam), *_monotone(exam), *_cliffs(exam), *_aware(wide, found), *_csir(exam), *_alike(exam),
        *_coder(found), *_cost(models, trained, quick=quick),
    ]  # fmt: skip
    return made, {}


def _trained_as(places: Sequence[Path]) -> set[str]:
    """Schemes that a recipe with weights at hand trains: task networks have none under their own name."""
    recipes = [file for place in places for file in place.glob("[!.]*.toml") if weights_file(file.stem, places)]
    return {load_recipe(file).scheme for file in recipes}


def _to_baseline(exam: Exam) -> Iterator[Row]:
    """JSCC-AE of high training SNR and B ≥ p against its equally fine-tuned baseline."""
    for name in [one for one in exam.names if re.fullmatch(r"jscc-single(-at1[258]dB)?|jscc-ae-(256|512|1024)", one)]:
        if "baseline-single" not in dict(exam.work.references(exam.goal)):
            yield row(f"{name} − baseline-single", None, "points", target=2.0, better="lower")
            continue
        reference = exam.noiseless("baseline-single")
        for at, sample in (("15 dB", exam.said(name, 15.0)), ("noiseless", exam.noiseless(name))):
            (item,), _ = exam.compared({name: {15.0: sample}, "baseline-single": {15.0: reference}})
            low, high = _ends(item)
            said = abs(POINTS * item.difference)
            asked = 2.0 if "-at1" in name else None  # the others are trained from −6 dB on
            yield row(
                f"|{name} − baseline-single| at {at}", said, "points", target=asked, better="lower",
                difference=POINTS * item.difference, ci=[low, high],
            )  # fmt: skip


def _monotone(exam: Exam) -> Iterator[Row]:
    """Steps of one network's curve whose interval, by Holm over the steps of that curve, lies wholly below −1 point.

    Networks for slow fading go through fades. Further training seeds (``@``) are left out.
    """
    worst: dict[str, float] = {}
    below = []
    for name in [one for one in exam.names if exam.work.contenders[one].scheme.card.kind != "bound" and "@" not in one]:
        fades = re.search("fading|csir|derotated", name) is not None
        rises, falls = falling_steps([exam.said(name, snr, fades=fades) for snr in SNRS], exam.work.tasks.clusters, exam.goal)
        worst[name] = -POINTS * min(rises)
        below += [f"{name} {SNRS[step]:g}→{SNRS[step + 1]:g} dB" for step in falls]
    yield row(
        "steps up in SNR that lose more than 1 point by interval", len(below), "", target=0.0, better="lower",
        where=below, largest_loss=worst,
    )  # fmt: skip


def falling_steps(curve: Sequence[Sample], clusters: torch.Tensor, goal: Goal) -> tuple[list[float], list[int]]:
    """Rise of the headline at each step of a curve, and the steps that lose more than 1 point by their interval.

    Differences are paired by task; intervals are Holm's over the curve's steps: where some of k steps lie wholly below at a
    level of 1 − 0.05/k, the others are judged again, as so many fewer.

    Args:
        curve: answers of one network, by rising SNR.
        clusters: int64 [distinct task].
        goal: whose headline, a share, is compared.

    Source: Holm, A simple sequentially rejective multiple test procedure, 1979.
    """
    metric = headline(goal)
    estimates = [estimate(metric, sample, clusters, balanced=True) for sample in aligned(curve)]
    steps = np.diff(np.eye(len(curve)), axis=0)
    rises = steps @ np.array([one.value for one in estimates])
    claims = Claims(values=rises, unit=metric.unit, weights=steps, others=np.zeros((len(steps), 0)))
    left, fell = set(range(len(steps))), set[int]()
    while left:
        said = judged(estimates, claims, level=1 - 0.05 / len(left))
        found = {step for step in left if POINTS * said[step].ci[1] < -1.0}
        if not found:
            break
        left, fell = left - found, fell | found
    return rises.tolist(), sorted(fell)


def _cliffs(exam: Exam) -> Iterator[Row]:
    """The largest rise from one SNR to the next, 3 dB on: digital's beside JSCC's of as many devices."""
    for digital, peer in (("digital-single", "jscc-single"), ("digital-pair", "jscc-noma")):
        if exam.has(digital, peer):
            rises = []
            for name in (digital, peer):
                values = [exam.value(exam.said(name, snr)) for snr in SNRS]
                rises.append(max(high - low for low, high in pairwise(values)))
            yield row(f"cliff of {digital}: largest rise over 3 dB", rises[0], "points", peer=peer, peer_value=rises[1])


def _aware(exam: Exam, found: Sequence[Mapping[str, Any]]) -> Iterator[Row]:
    """SNR-aware against the best network of one training SNR, chosen at each SNR by validation identities."""
    metrics = {one["name"]: (one["metrics"] or {}).get("validation") or {} for one in found}
    for access in ("single", "oma", "noma"):
        own = f"jscc-{access}-aware"
        rivals = [name for name in exam.names if re.fullmatch(rf"jscc-{access}-at-?\d+dB", name) and metrics.get(name)]
        mean_name, above_name = f"best at one SNR − {own}, mean", f"SNRs with best − {own} wholly above 3 points"
        if not exam.has(own) or not rivals:
            yield row(mean_name, None, "points", target=1.5, better="lower")
            yield row(above_name, None, "", target=0.0, better="lower")
            continue
        best = {snr: best_validated({name: metrics[name] for name in rivals}, snr) for snr in AWARE_SNRS}
        curves = {
            "best": {snr: exam.said(rival, snr) for snr, (rival, _) in best.items()},
            own: {snr: exam.said(own, snr) for snr in best},
        }
        pairs, means = exam.compared(curves)
        over = next(item for item in means if item.second == own)
        told = {f"{snr:g} dB": {"rival": rival, "validated_at_db": list(at)} for snr, (rival, at) in best.items()}
        more = {"chosen": told, "ci": _ends(over), "tasks": len(exam.work.tasks)}
        yield row(mean_name, POINTS * over.value, "points", target=1.5, better="lower", **more)
        yield row(above_name, sum(_ends(item)[0] > 3.0 for item in pairs), "", target=0.0, better="lower")


def best_validated(accuracies: Mapping[str, Mapping[str, Any]], snr_db: float) -> tuple[str, tuple[float, ...]]:
    """The network that is best on validation identities at the SNR nearest to one, of those that all were validated at.

    Args:
        accuracies: network -> ``"6 dB"`` -> accuracy, and others.
        snr_db: where it is to be used.

    Returns:
        its name, and the nearest SNR (dB); both where two are as near, and their mean decides.
    """
    common = set.intersection(*(set(own) for own in accuracies.values()))
    known = sorted(float(key.removesuffix(" dB")) for key in common if key.endswith(" dB"))
    nearest = min(abs(at - snr_db) for at in known)
    near = tuple(at for at in known if abs(at - snr_db) == nearest)
    return max(accuracies, key=lambda name: sum(accuracies[name][f"{at:g} dB"] for at in near)), near


def _csir(exam: Exam) -> Iterator[Row]:
    """Channel knowledge at the receiver in slow fading: the lower end of the mean's interval."""
    for access in ("single", "oma", "noma"):
        own, blind = f"jscc-{access}-csir", f"jscc-{access}-fading"
        name = f"{own} − {blind}, mean over SNRs, lower end"
        if not exam.has(own, blind):
            yield row(name, None, "points", target=0.0)
            continue
        curves = {one: {snr: exam.said(one, snr, fades=True) for snr in SNRS} for one in (own, blind)}
        _, means = exam.compared(curves)
        over = next(item for item in means if item.second == blind)
        yield row(name, _ends(over)[0], "points", target=0.0, mean=POINTS * over.value, ci=_ends(over))


def _alike(exam: Exam) -> Iterator[Row]:
    """cos² of two transmitters beside Lo et al., Table I, and chance."""
    for name, published in TABLE_I.items():
        if not exam.has(name):
            yield row(f"cos² of {name}", None, "", peer="Lo et al., Table I", peer_value=published)
            continue
        one = exam.work.contenders[name]
        told = [15.0] * one.plan.transmitters if one.plan.tx_csi != "none" else None
        (entry,) = codeword_rows(name, one.plan, one.encode(told), exam.work.tasks.clusters, seed=1)
        yield row(
            f"cos² of {name}", entry.cos2, "", peer="Lo et al., Table I", peer_value=published, ci=entry.cos2_ci,
            chance=entry.cos2_chance, different_identities=entry.cos2_others,
        )  # fmt: skip


def _coder(found: Sequence[Mapping[str, Any]]) -> Iterator[Row]:
    """Coded bits of a message beyond −Σ log2 p, on real latents."""
    for one in found:
        bits = ((one["metrics"] or {}).get("test") or {}).get("bits") if one["trained"] else None
        if bits:
            beyond = bits["coded"] - bits["entropy"]
            yield row(f"{one['name']}: coded bits beyond −Σ log2 p", beyond, "bit", target=2.0, better="lower", bits=bits)


def _cost(models: str | None, names: Sequence[str], *, quick: bool) -> Iterator[Row]:
    """One run over the simulated radio, with simulation beside, of what ``--schemes all`` is: in all, and a task by stage.

    Of a folder of sweeps, the networks that are shipped.
    """
    snrs, tasks = ((0.0,), 84) if quick else (SNRS, 2000)
    shipped = [place for place in folders("models", None) if place.is_dir()]
    of_all = SCHEMES.defaults() if quick else grouped(RunConfig(schemes=("all",)), shipped) or ()
    every = [name for name in of_all if name in names]
    watch()
    with tempfile.TemporaryDirectory() as folder:
        hil.run(schemes=every, models=models, snr_db=snrs, tasks=tasks, distinct_tasks=min(tasks, 1008), out=folder, name="all")
    parts = spent()
    total = sum(one.wall_s for one in parts.values())
    yield row(
        f"run of {len(every)} schemes, {len(snrs)} SNRs × {tasks} tasks, over the air", total, "s",
        target=None if quick else 600.0, better="lower", schemes=every,
    )  # fmt: skip
    count = len(every) * len(snrs) * tasks
    for name, one in parts.items():
        yield row(f"a task: {name}", 1e6 * one.wall_s / count, "µs", better="lower", cpu_us=1e6 * one.cpu_s / count)


def _ends(item: Comparison | MeanOverSnrs) -> tuple[float, float]:
    """The simultaneous interval in points."""
    low, high = item.simultaneous_ci or item.ci or (None, None)
    return (-POINTS if low is None else POINTS * low), (POINTS if high is None else POINTS * high)
