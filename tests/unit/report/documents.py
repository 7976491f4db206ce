"""Small typed documents of every kind that the report must read; their numbers are closed forms, so that tests know them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from hil.results.document import Agreement, Comparison, MeanOverSnrs, MetricValue, Noise, ResultsDocument, Row

NO_NOISE = 60.0
FURTHER = 0.7
"""Further metrics are so much of the headline (of its part of the highest, in another unit)."""
EVIL = '<script>alert("x")</script>&'
SNRS = (-6.0, 3.0, 15.0)
THREE = {"jscc-single": "single", "jscc-oma": "oma", "jscc-noma": "noma"}
LINK = {"tx": 0, "gain_db": -29.5, "snr_db": 14.7, "snr_db_std": 0.1, "cfo_hz": 0.0, "noise_dbfs": -48.0, "frames": 40}
NOISE = Noise(receiver="rx", pool="run", noise_dbfs=-48.0, looks=60_000, drift_p=0.4, trend_db=0.01, points=9)
USES = {"single": [8], "oma": [4, 4], "noma": [8, 8]}


@dataclass(frozen=True, kw_only=True)
class Judge:
    """A goal of a document: its headline, further metrics, and the value that scheme number k has at an SNR."""

    goal: str
    metric: str
    title: str
    unit: str = "share"
    better: str = "higher"
    low: float = 0.2
    high: float = 0.9
    spread: float = 0.02
    bound: float = 0.03
    further: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    constants: Mapping[str, float] = field(default_factory=dict)

    def value(self, place: int, snr: float) -> float:
        """Rises (or falls) from `low` to `high`; every further scheme a little higher."""
        rise = 1 / (1 + math.exp(-(snr + place) / 4))
        return self.low + (self.high - self.low) * rise

    def metrics(self, value: float, *, ci: bool = True, further: bool = True, n: int = 2016) -> dict[str, MetricValue]:
        """All metrics of a row."""
        common: dict[str, Any] = {"n": n, "better": self.better}
        ends = (value - self.spread, value + self.spread) if ci else None
        found = {
            self.metric: MetricValue(
                value=value, ci=ends, unit=self.unit, title=self.title, headline=True, scored=value, **common
            )
        }
        for name, (title, unit) in self.further.items() if further else ():
            scale = FURTHER if unit == self.unit else FURTHER / self.high
            ends = (scale * (value - self.spread), scale * (value + self.spread)) if ci else None
            found[name] = MetricValue(value=scale * value, ci=ends, unit=unit, title=title, **common)
        return found


RETRIEVAL = Judge(
    goal="retrieval", metric="top1", title="top-1", further={"map": ("mAP", "share")}, options={"gallery": "reconstructed"},
    constants={"chance": 0.0012},
)  # fmt: skip
IMAGE = Judge(
    goal="image", metric="psnr", title="PSNR", unit="dB", low=12.0, high=31.0, spread=0.4, bound=0.3,
    further={"ssim": ("SSIM", "1"), "psnr_of_mean": ("PSNR of the mean error", "dB")}, constants={"mean image": 11.0},
)  # fmt: skip
ERROR = Judge(goal="distortion", metric="nmse", title="NMSE", unit="1", better="lower", low=0.9, high=0.05, spread=0.02)


def row(judge: Judge, scheme: str, access: str | None, source: str, value: float, **more: Any) -> Row:
    """One row; `value` is the headline's."""
    known: dict[str, Any] = {
        "kind": "measured", "goal_version": 1, "uses": USES.get(access or ""), "tasks": 2016, "distinct_tasks": 1008,
        "identities": 477, "dropped_tasks": 0, "fading": "none", "snr_train_db": "uniform", "training_seed": 1,
        "csi": {"tx": "none", "rx": "none"}, "options": dict(judge.options), **judge.options,
    }  # fmt: skip
    metrics = more.pop("metrics", None) or judge.metrics(value, further=source != "simulation")
    flat = {judge.metric: value}
    return Row(scheme=scheme, access=access, goal=judge.goal, source=source, metrics=metrics, **flat, **(known | more))


def air_row(judge: Judge, scheme: str, access: str, place: int, snr: float, *, shift: float = 0.0, **more: Any) -> Row:
    """A row over the air: links a little above their target, a fixed receiver loss, one frame of four lost."""
    links = [snr + shift + 0.11 * tx for tx in range(len(USES[access]))]
    known: dict[str, Any] = {
        "snr_basis": "link", "snr_db_target": snr, "snr_db": links, "snr_eff_db": snr + shift - 0.21, "energy": "per_use",
        "snr_db_error": [0.03] * len(links), "snr_mean_db_ci": (links[0] - 0.06, links[0] + 0.06),
        "noise_pool": "run", "noise_looks": 60_000, "uses_with_overhead": 11.5 + place,
        "power": [1.0] * len(links), "receiver_loss_db": 0.21 + 0.01 * place,
        "receiver_loss_db_ci": (0.15 + 0.01 * place, 0.27 + 0.01 * place),
        "frames": {"sent": 4, "scored": 3, "lost": 1, "gated": 0},
    }  # fmt: skip
    return row(judge, scheme, access, "air", judge.value(place, snr + shift), **(known | more))


def simulated_row(
    judge: Judge, scheme: str, access: str, value: float, snr: float, *, basis: str, energy: str, **more: Any
) -> Row:
    """A row simulated at a point's SNR."""
    known = {"snr_basis": basis, "snr_db_target": snr, "snr_db": [snr], "snr_eff_db": snr, "energy": energy, "draws": 20}
    return row(judge, scheme, access, "simulation", value, **(known | more))


def references(judge: Judge, schemes: Mapping[str, str]) -> list[Row]:
    """Without a channel: every scheme, one network beside them, the constants."""
    rows = [
        row(judge, name, access, "noiseless", judge.value(place, NO_NOISE))
        for place, (name, access) in enumerate(schemes.items())
    ]
    rows.append(row(judge, "other-network", "single", "noiseless", judge.high, kind="bound", uses=None, options={}))
    rows += [
        row(judge, name, None, "noiseless", value, kind="bound", uses=None, options={},
            metrics=judge.metrics(value, ci=False, further=False), training_seed=None, snr_train_db=None)
        for name, value in judge.constants.items()
    ]  # fmt: skip
    return rows


def agreement_of(judge: Judge, measured: Row, difference: float) -> Agreement:
    """Air − simulation with an interval of ±⅔ of the bound around it."""
    half = judge.bound * 2 / 3
    low, high = difference - half, difference + half
    inside, beyond = -judge.bound <= low and high <= judge.bound, low > judge.bound or high < -judge.bound
    return Agreement(
        scheme=measured.scheme, goal=judge.goal, receiver=measured.receiver, snr_basis="effective",
        snr_db_target=float(measured.snr_db_target or 0.0), difference=difference, standard_error=half / 3,
        ci=(difference - 0.7 * half, difference + 0.7 * half), simultaneous_ci=(low, high), bound=judge.bound,
        verdict="inside" if inside else "beyond" if beyond else "undetermined", outside_bound=beyond,
        family="9 differences of air and simulation",
    )  # fmt: skip


def comparison_of(judge: Judge, first: Row, second: Row | None, difference: float, half: float) -> Comparison:
    """A difference with a simultaneous interval of ±half; without a second row, to the first one's own noiseless."""
    value = first.metrics[judge.metric].value or 0.0
    low, high = difference - half, difference + half
    better = "undetermined" if low <= 0 <= high else "first" if (low > 0) == (judge.better == "higher") else "second"
    return Comparison(
        goal=judge.goal, receiver=first.receiver, source=first.source, snr_basis=first.snr_basis, energy=str(first.energy),
        snr_db_target=float(first.snr_db_target or 0.0), snr_db=first.snr_db_target, snr_gap_db=0.02 if second else None,
        first=first.scheme, second=second.scheme if second else "noiseless", values=(value, value - difference),
        difference=difference, ci=(difference - 0.7 * half, difference + 0.7 * half), simultaneous_ci=(low, high),
        direction=better, family=f"9 comparisons: {judge.goal}",
    )  # fmt: skip


def mean_of(judge: Judge, first: str, second: str | None, value: float, half: float, **more: Any) -> MeanOverSnrs:
    """A mean over the SNRs of one scheme, of a difference, or of air − simulation."""
    known: dict[str, Any] = {"source": "air", "snr_basis": "link", "energy": "per_use", "snr_db": (SNRS[0], SNRS[-1])}
    ends = (value - half, value + half)
    compared = {"simultaneous_ci": ends, "values": (value, 0.0)} if second else {}
    return MeanOverSnrs(
        goal=judge.goal, first=first, second=second, snrs=len(SNRS), value=value, ci=ends, **(known | compared | more)
    )


def judged(
    judge: Judge,
    schemes: Mapping[str, str],
    snrs: Sequence[float],
    *,
    air: bool = True,
    receiver: str | None = None,
    shift: float = 0.0,
) -> tuple[list[Row], list[Agreement], list[Comparison]]:
    """All rows and entries of one goal at one receiver."""
    measured, simulated, agreement, comparisons = [], [], [], []
    for snr in snrs:
        own: list[Row] = []
        for place, (name, access) in enumerate(schemes.items()):
            value = judge.value(place, snr + shift)
            if air:
                own.append(air_row(judge, name, access, place, snr, shift=shift, receiver=receiver))
                # Scheme 1 at the middle SNR lies far beyond the bound, and scheme 2 at the first one is undetermined.
                off = 3.0 if (place, snr) == (1, snrs[len(snrs) // 2]) else 0.5 if (place, snr) == (2, snrs[0]) else 0.1
                agreement.append(agreement_of(judge, own[-1], off * judge.bound))
            less = 0.09 * (judge.high - judge.low) if access == "noma" else 0.0
            cases = (("link", "per_use", 0.0), ("effective", "per_use", 0.0), ("effective", "per_task", less))
            simulated += [
                simulated_row(judge, name, access, value - low, snr, basis=basis, energy=energy, receiver=receiver)
                for basis, energy, low in cases
                if air or basis == "link"
            ]
        measured += own
        for first, second in pairwise(own):
            values = (first.metrics[judge.metric].value or 0.0, second.metrics[judge.metric].value or 0.0)
            comparisons.append(comparison_of(judge, first, second, values[0] - values[1], judge.spread))
        if own and snr == snrs[-1]:
            last = len(schemes) - 1
            own_loss = judge.value(last, snr + shift) - judge.value(last, NO_NOISE)
            comparisons.append(comparison_of(judge, own[-1], None, own_loss, judge.spread))
    return [*measured, *simulated], agreement, comparisons


def document(*parts: tuple[list[Row], list[Agreement], list[Comparison]], **more: Any) -> ResultsDocument:
    """A whole document of such parts."""
    points = [item for part in parts for item in part[0]]
    air = any(item.source == "air" for item in points)
    known: dict[str, Any] = {
        "status": "complete",
        "received_sha256": "ab" * 32 if air else None,
        "points": points,
        "agreement": [item for part in parts for item in part[1]],
        "comparisons": [item for part in parts for item in part[2]],
        "experiment": {"bench": "builtin", "dataset": "synthetic", "energy": "per_use", "seeds": {"tasks": 1, "air": 2}},
        "dataset": {"spec": "synthetic", "fingerprint": "75" * 32},
        "noise": [NOISE] if air else [],
        "bench": "builtin" if air else None,
        "capture": "capture.h5" if air else None,
        "started": "2026-01-02T03:04:05+0000",
        "links": [LINK] if air else [],
        "provenance": {"hil": "0.1.0+gabcdef0.dirty", "commit": "abcdef0", "dirty": True, "python": "3.11", "note": EVIL,
                       "packages": {"numpy": "1.26.4"}, "argv": ["/somewhere/bin/hil", "run", "--snr=-6,3,15"]},
    }  # fmt: skip
    return ResultsDocument(**(known | more))


def three(*, air: bool = True, snrs: Sequence[float] = SNRS, **more: Any) -> ResultsDocument:
    """One goal, three schemes, as the built-in ones."""
    rows, agreement, comparisons = judged(RETRIEVAL, THREE, snrs, air=air)
    means = _means(RETRIEVAL, agreement) if air and len(snrs) > 1 else []
    return document(([*rows, *references(RETRIEVAL, THREE)], agreement, comparisons), **({"means": means} | more))


def _means(judge: Judge, agreement: Sequence[Agreement]) -> list[MeanOverSnrs]:
    """Of each scheme, of one difference, and of each scheme's air − simulation, ±⅙ of the bound."""
    found = [mean_of(judge, name, None, judge.value(place, 3.0), judge.spread) for place, name in enumerate(THREE)]
    found.append(mean_of(judge, "jscc-noma", "jscc-oma", 0.012, 0.03, direction="undetermined"))
    for name in THREE:
        own = [item.difference for item in agreement if item.scheme == name]
        gap = {"snr_basis": "effective"}
        found.append(mean_of(judge, name, "simulation", sum(own) / len(own), judge.bound / 6, **gap))
    return found


def two_goals() -> ResultsDocument:
    """A share and a metric in dB, of the same schemes and frames."""
    parts = [judged(judge, THREE, SNRS) for judge in (RETRIEVAL, IMAGE)]
    return document(*parts, ([*references(RETRIEVAL, THREE), *references(IMAGE, THREE)], [], []))


def lower_is_better() -> ResultsDocument:
    """A plain number that should be small."""
    rows, agreement, comparisons = judged(ERROR, THREE, SNRS)
    return document(([*rows, *references(ERROR, THREE)], agreement, comparisons))


def two_receivers() -> ResultsDocument:
    """Two receivers, the far one 4 dB below."""
    schemes = {"broadcast-a": "single", "broadcast-b": "single"}
    parts = [judged(IMAGE, schemes, SNRS, receiver=name, shift=shift) for name, shift in (("near", 0.0), ("far", -4.0))]
    return document(*parts, (references(IMAGE, schemes), [], []))


def many(count: int = 30) -> ResultsDocument:
    """Dozens of schemes with long names, at five SNRs."""
    schemes = {f"digital-rate-{index}-of-{count}": ("single", "oma", "noma")[index % 3] for index in range(count)}
    rows, agreement, comparisons = judged(IMAGE, schemes, (-6.0, 0.0, 6.0, 12.0, 18.0))
    return document(([*rows, *references(IMAGE, schemes)], agreement, comparisons))


def published_rows(judge: Judge, snrs: Sequence[float] = (-6.0, 0.0, 6.0, 12.0)) -> list[Row]:
    """A paper's curve: values by target, no interval."""
    return [
        row(judge, "paper's scheme", None, "published", judge.value(5, snr), snr_db_target=snr, snr_db=[snr], tasks=0,
            paper="Someone et al., Fig. 3", metrics=judge.metrics(judge.value(5, snr), ci=False, further=False, n=0))
        for snr in snrs
    ]  # fmt: skip


def beside_published() -> ResultsDocument:
    """A run with a paper's curve in it."""
    rows, agreement, comparisons = judged(RETRIEVAL, THREE, SNRS)
    return document(([*rows, *references(RETRIEVAL, THREE), *published_rows(RETRIEVAL)], agreement, comparisons))


def published_alone() -> ResultsDocument:
    """A paper's curve and nothing else."""
    return document((published_rows(IMAGE), [], []), experiment={}, dataset={}, provenance={})


def one_snr(count: int = 3) -> ResultsDocument:
    """Everything at one SNR."""
    schemes = THREE if count == 3 else {f"scheme-number-{index}": "single" for index in range(count)}
    rows, agreement, comparisons = judged(RETRIEVAL, schemes, (3.0,))
    return document(([*rows, *references(RETRIEVAL, schemes)], agreement, comparisons))


def stopped() -> ResultsDocument:
    """Cut short by the operator: one point given up, one impaired, one of which nothing was received."""
    whole = three()
    rows = list(whole.points)
    rows[1] = rows[1].model_copy(update={"impaired": "a tone in the band"})
    nothing = {"snr_db": [None], "snr_eff_db": None, "receiver_loss_db": None, "receiver_loss_db_ci": None,
               "snr_mean_db_ci": None, "metrics": RETRIEVAL.metrics(0.0, ci=False)}  # fmt: skip
    rows[0] = rows[0].model_copy(update=nothing | {"frames": {"sent": 4, "scored": 0, "lost": 4, "gated": 0}})
    given_up = {"scheme": "jscc-noma", "snr_db_target": 15.0, "frames_sent": 2, "frames_planned": 4, "why": "rx0: no answer"}
    return whole.with_(
        points=rows, status="stopped", why="Ctrl-C by the operator", ended_points=[given_up], agreement=whole.agreement[1:]
    )


def many_metrics(classes: int = 12) -> ResultsDocument:
    """A goal with two metrics of each class."""
    kinds = [(kind, index) for kind in ("recall", "precision") for index in range(classes)]
    names = {f"{kind}_{index}": (f"{kind} of class {index}", "share") for kind, index in kinds}
    judge = Judge(goal="classification", metric="accuracy", title="accuracy", further=names, constants={"chance": 1 / classes})
    rows, agreement, comparisons = judged(judge, {"only-one": "single"}, SNRS)
    return document(([*rows, *references(judge, {"only-one": "single"})], agreement, comparisons))


def nothing() -> ResultsDocument:
    """A run that was stopped before its first point was finished."""
    return ResultsDocument(status="stopped", why="Ctrl-C", points=[])


def references_alone() -> ResultsDocument:
    """A run that was stopped before its first point, but after its references."""
    return document((references(RETRIEVAL, THREE), [], []), status="failed", why="the radio was unplugged")


KINDS = {
    "three schemes": three,
    "simulation alone": lambda: three(air=False),
    "two goals": two_goals,
    "lower is better": lower_is_better,
    "two receivers": two_receivers,
    "dozens of schemes": many,
    "beside a published curve": beside_published,
    "published alone": published_alone,
    "one SNR": one_snr,
    "one SNR, dozens of schemes": lambda: one_snr(24),
    "stopped": stopped,
    "many metrics": many_metrics,
    "nothing": nothing,
    "references alone": references_alone,
}
"""Every kind of document that must render."""
