"""What a run says, in a few honest lines made from its numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hil.report.view import ACCESS_NAMES, Point, Row, View

__all__ = ["LOSS_LIMIT_DB", "PAPER_CLAIM", "Order", "number", "orders", "percent", "points", "snr_list", "summary_lines"]

PAPER_CLAIM = "The paper (Lo et al.) claims: NOMA at least as good as OMA at every SNR; single above OMA at very low SNR."
HIGH_SNR_DB = 12.0
LOSS_LIMIT_DB = 0.7
MEAN_LIMIT = 0.01


def percent(share: float | None, digits: int = 1) -> str:
    """A share as a percentage, without the sign."""
    return "–" if share is None else f"{100 * share:.{digits}f}"


def points(difference: float | None, digits: int = 2) -> str:
    """A difference of shares in percentage points, signed."""
    return "–" if difference is None else number(100 * difference, digits, sign=True)


def number(value: float | None, digits: int = 1, *, sign: bool = False) -> str:
    """A number with a true minus sign."""
    if value is None:
        return "–"
    return f"{round(value, digits) + 0.0:{'+' if sign else ''}.{digits}f}".replace("-", "−")


def snr_list(values: Sequence[float]) -> str:
    """``−6, −3 and 0 dB``."""
    texts = [f"{value:g}".replace("-", "−") for value in values]
    return f"{', '.join(texts[:-1])} and {texts[-1]} dB" if len(texts) > 1 else f"{texts[0]} dB"


class Order:
    """The order of single, OMA and NOMA over the SNRs, on one source under one rule of energy."""

    def __init__(self, view: View, source: str, basis: str | None, energy: str, items: Sequence[Row]) -> None:
        self.source, self.basis, self.energy = source, basis, energy
        self.items = sorted(items, key=lambda item: float(item["snr_db_target"]))
        self._apart = {
            (item["first"], item["second"], float(item["snr_db_target"]))
            for item in view.results.get("comparisons") or []
            if (item["source"], item["snr_basis"], item["energy"]) == (source, basis, energy)
            and (item["ci"][0] > 0 or item["ci"][1] < 0)
        }
        self._compared = bool(view.results.get("comparisons"))
        self._schemes = {row.get("access"): row["scheme"] for row in view.rows if row.get("snr_db_target") is not None}

    @property
    def title(self) -> str:
        """What was compared."""
        bases = {"effective": " at the effective SNR", "link": " at the link SNR", "channel": " through the captured channel"}
        where = "over the air" if self.source == "air" else "simulated" + bases.get(self.basis or "", "")
        return f"{self.energy} energy, {where}"

    def compare(self, first: str, second: str) -> dict[str, list[float]]:
        """SNRs at which `first` is above, equal to, below `second`; `apart`: where the paired interval excludes 0."""
        found: dict[str, list[float]] = {"above": [], "equal": [], "below": [], "apart": []}
        for item in self.items:
            top1 = _by_access(item)
            if first not in top1 or second not in top1:
                continue
            snr = float(item["snr_db_target"])
            difference = top1[first] - top1[second]
            found["above" if difference > 0 else "below" if difference < 0 else "equal"].append(snr)
            one, other = self._schemes.get(first), self._schemes.get(second)
            if (one, other, snr) in self._apart or (other, one, snr) in self._apart:
                found["apart"].append(snr)
        return found

    def ranking(self, item: Row) -> str:
        """``NOMA > OMA = single`` at one SNR."""
        names = [ACCESS_NAMES.get(name, str(name)) for name in item["best_first"]]
        text = names[0]
        for name, above, own in zip(names[1:], item["top1"], item["top1"][1:], strict=False):
            text += f" {'=' if own == above else '>'} {name}"
        return text

    def sentence(self) -> str:
        """What was found, beside which the papers' claim is put."""
        parts = []
        pair = self.compare("noma", "oma")
        if any(pair.values()):
            parts.append(self._pair_text("NOMA ≥ OMA", pair, pair["above"] + pair["equal"], pair["below"]))
        pair = self.compare("single", "oma")
        if any(pair.values()):
            parts.append(self._pair_text("single above OMA", pair, pair["above"], pair["below"] + pair["equal"]))
        return f"{self.title}: {'; '.join(parts)}." if parts else ""

    def _pair_text(self, claim: str, pair: Mapping[str, list[float]], holds: list[float], fails: list[float]) -> str:
        total = len(holds) + len(fails)
        text = f"{claim} at {len(holds)} of {total} SNRs"
        if holds and fails:
            few, word = (fails, "not at") if len(fails) <= len(holds) else (holds, "at")
            text += f" ({word} {snr_list(sorted(few))})"
        return text + (f", the paired 95 % interval excludes 0 at {len(pair['apart'])}" if self._compared else "")


def _by_access(item: Row) -> dict[str, float]:
    found: dict[str, float] = {}
    for name, value in zip(item["best_first"], item["top1"], strict=True):
        found.setdefault(str(name), float(value))  # the best one of an access stands for it
    return found


def orders(view: View) -> list[Order]:
    """Per-use and per-task comparisons, one for each rule of energy: over the air where measured, else simulated."""
    groups: dict[tuple[str, str | None, str], list[Row]] = {}
    for item in view.orders():
        groups.setdefault((str(item["source"]), item.get("snr_basis"), str(item.get("energy"))), []).append(item)
    chosen: dict[str, Order] = {}
    rank = {("air", "link"): 0, ("simulation", "effective"): 1, ("simulation", "link"): 2}
    for key in sorted(groups, key=lambda key: (rank.get((key[0], str(key[1])), 3), key[2])):
        if key[2] not in chosen:
            chosen[key[2]] = Order(view, *key, groups[key])
    place = {"per_use": 0, "per_task": 1}
    return sorted(chosen.values(), key=lambda order: (place.get(order.energy, 2), order.energy))


def summary_lines(results: Mapping[str, Any]) -> list[str]:
    """What the run says: references, agreement of air and simulation, receiver loss, order of the schemes, high SNR.

    Args:
        results: as in `results.json`.

    Raises:
        ConfigError: they are not results of hil.
    """
    view = View(results)
    makers: list[Callable[[View], list[str]]] = [_references, _high_snr, _agreement, _loss, _frames, _orders]
    return [line for make in makers for line in make(view) if line]


def _references(view: View) -> list[str]:
    own = [f"{view.label(name)} {percent(top1)}" for name in view.schemes if (top1 := view.noiseless_top1(name)) is not None]
    parts = [f"noiseless {', '.join(own)}"] if own else []
    parts += [f"{row['scheme']} {percent(row['top1'])}" for row in view.baselines()]
    if (chance := view.chance()) is not None:
        parts.append(f"chance {percent(chance, 2)}")
    return [f"Top-1 without a channel (%): {'; '.join(parts)}."] if parts else []


def _agreement(view: View) -> list[str]:
    measured = {
        name: item.get("mean_air_minus_simulation")
        for name, item in ((view.results.get("summary") or {}).get("schemes") or {}).items()
        if item.get("mean_air_minus_simulation") is not None
    }
    lines = []
    if measured:
        texts = [f"{view.label(name)} {points(value)}" for name, value in measured.items()]
        worst = max(abs(value) for value in measured.values())
        verdict = "all within ±1 point" if worst <= MEAN_LIMIT else "not all within ±1 point"
        lines.append(f"Air − simulation at the effective SNR, mean over the SNRs (points): {', '.join(texts)}; {verdict}.")
    agreement = view.results.get("agreement") or []
    if agreement:
        outside = [item for item in agreement if item.get("outside_3_points")]
        where = ", ".join(f"{view.label(item['scheme'])} at {snr_list([item['snr_db_target']])}" for item in outside)
        lines.append(
            f"Points beyond ±3 points at 5 % over all points (Holm): {len(outside)} of {len(agreement)}"
            + (f" ({where})." if where else ".")
        )
    return lines


def _loss(view: View) -> list[str]:
    measured = [point for point in view.main_points() if point.air and point.air.get("receiver_loss_db") is not None]
    if not measured:
        return []
    worst = max(measured, key=lambda point: float((point.air or {})["receiver_loss_db"]))
    loss = float((worst.air or {})["receiver_loss_db"])
    verdict = "within" if loss <= LOSS_LIMIT_DB else "above"
    return [
        f"Largest receiver loss: {number(loss, 2)} dB ({view.label(worst.scheme)} at {snr_list([worst.target])}), "
        f"{verdict} the {LOSS_LIMIT_DB:g} dB allowed."
    ]


def _frames(view: View) -> list[str]:
    frames = view.frames()
    if not frames:
        return []
    ended = [
        f"{view.label(item['scheme'])} at {snr_list([item['snr_db_target']])} after {item['frames_sent']} of "
        f"{item['frames_planned']} frames ({item['why']})"
        for item in view.results.get("ended_points") or []
    ]
    return [
        "Frames: " + ", ".join(f"{count:,} {name}" for name, count in frames.items()) + ".",
        f"Points given up because a radio did not answer in time: {'; '.join(ended)}." if ended else "",
    ]


def _high_snr(view: View) -> list[str]:
    parts, which = [], ""
    for name in view.schemes:
        noiseless = view.noiseless_top1(name)
        high = [point for point in view.of(name) if point.target >= HIGH_SNR_DB and point.best]
        if noiseless is None or not high:
            continue
        worst = min(high, key=lambda point: _top1(point))
        which = "over the air" if worst.air else "simulated"
        ends = next(
            (
                f" [{points(item['ci'][0], 1)}, {points(item['ci'][1], 1)}]"
                for item in view.results.get("comparisons") or []
                if (item["first"], item["second"]) == (name, "noiseless") and item["snr_db_target"] == worst.target
            ),
            "",
        )
        parts.append(f"{view.label(name)} {points(_top1(worst) - noiseless, 1)}{ends} at {snr_list([worst.target])}")
    if not parts:
        return []
    return [f"Top-1 {which} at ≥ {HIGH_SNR_DB:g} dB minus the scheme's own noiseless (points, lowest): {', '.join(parts)}."]


def _top1(point: Point) -> float:
    return float((point.best or {"top1": 0.0})["top1"])


def _orders(view: View) -> list[str]:
    found = [order.sentence() for order in orders(view)]
    found = [text for text in found if text]
    if not found:
        return []
    return [f"Order under {text}" for text in found] + [PAPER_CLAIM]
