"""What papers claim of the schemes at hand, and what these results say to it. The claims stand beside the schemes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from hil.models.card import Claim, SchemeEntry
from hil.registry import SCHEMES
from hil.report.orders import Order
from hil.report.panel import Panel

__all__ = ["Held", "claims", "held_against"]


@dataclass(frozen=True, kw_only=True)
class Held:
    """A claim held against one order of the schemes, SNR by SNR.

    Attributes:
        snrs: that the claim is about and that were compared.
        supported, contradicted: of them, those where the interval of the difference lies wholly on the claim's side, or on the
            other, whether it says > or ≥; None where there is no interval.
        kind: what intervals these are.
    """

    snrs: int
    supported: int | None
    contradicted: int | None
    kind: str = ""

    @property
    def undetermined(self) -> int:
        """SNRs at which nothing is supported or contradicted."""
        return self.snrs - (self.supported or 0) - (self.contradicted or 0)

    @property
    def text(self) -> str:
        """In words."""
        if self.supported is None:
            return f"undetermined at all {self.snrs} SNRs (no intervals)"
        counts = f"{self.undetermined} undetermined, {self.contradicted} contradicted"
        return f"supported at {self.supported} of {self.snrs} SNRs by {self.kind}, {counts}"


def claims(panel: Panel) -> Iterator[Claim]:
    """Claims about the panel's headline, of which both schemes have points in it, under the channels that they are about."""
    known = SCHEMES.builtin
    fades = any(row.fading in ("emulated", "air") for point in panel.points if (row := point.best) is not None)
    for name in panel.schemes:
        entry = known.get(name)
        for claim in entry.claims if isinstance(entry, SchemeEntry) else ():
            if (
                claim.metric == panel.metric.name
                and {claim.first, claim.second} <= set(panel.schemes)
                and (fades or not claim.fading)
            ):
                yield claim


def held_against(claim: Claim, order: Order) -> Held | None:
    """What an order says to a claim; None if it has none of its SNRs."""
    limit = claim.up_to_snr_db
    targets = [
        target
        for target, values in order.values.items()
        if {claim.first, claim.second} <= set(values) and (limit is None or target <= limit)
    ]
    if not targets:
        return None
    said = [order.says(target, claim.first, claim.second) for target in targets]
    compared = said.count(None) < len(said)
    return Held(
        snrs=len(targets),
        supported=said.count(1) if compared else None,
        contradicted=said.count(-1) if compared else None,
        kind=order.kind,
    )
