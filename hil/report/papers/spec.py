"""What a paper's figure shows and claims, as its TOML file in this folder says it: names of networks stand there alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import Field

from hil.config import Config, load_toml
from hil.report.measure import target_text

__all__ = ["Claimed", "Column", "CurveSpec", "PaperFigure", "figure_names", "load_figure"]

FOLDER = Path(__file__).parent
EVERYWHERE = 1e9
"""Beyond every SNR, and every setting."""
Pick = Literal["first", "each", "best", "own_snr", "least_alike", "most_alike", "noiseless"]


class CurveSpec(Config):
    """One curve, or a family of them.

    Attributes:
        label: for people; what claims name it by.
        networks: names of schemes, or patterns of them (``*``).
        at: of a figure against a setting: network -> its place on the axis, instead of `networks`.
        printed: what the paper prints: SNR (dB, or the setting) -> value; in a table of metrics, metric -> value.
        pick: which of them make the curve: the ``first`` that is there; ``each`` its own; at each SNR the ``best`` (the papers'
            envelope, chosen on the test tasks); at each SNR the one trained at it (``own_snr``); the one whose transmitters'
            codewords are ``least_alike`` or ``most_alike`` (cos²); ``noiseless``: a level, the same at every SNR.
        fading: whether its rows are of links that fade; None: as the figure's.
        drawn: False: only compared with.
    """

    label: str
    networks: tuple[str, ...] = ()
    at: Mapping[str, float] = Field(default_factory=dict)
    printed: Mapping[str, float] = Field(default_factory=dict)
    pick: Pick = "first"
    fading: bool | None = None
    drawn: bool = True


class Claimed(Config):
    """Something about two curves.

    Attributes:
        text: in words.
        first, second: labels of the curves.
        relation: ``>``, ``≥`` or ``≈``; ``steps``: the first one's largest fall from one SNR to the next is less than the
            second's.
        margin: how much is let pass (``≥``: the first may be so much worse; ``≈``: so far apart), in the metric's unit, shares
            as shares; below 0 the first must be so much better.
        from_snr_db, up_to_snr_db: SNRs, or values of the setting, that it is about.
        metric: in a table of metrics, the one that it is about.
        of: of figures of classes, what it is about.
    """

    text: str
    first: str
    second: str
    relation: Literal[">", "≥", "≈", "steps"] = "≥"
    margin: float = 0.0
    from_snr_db: float = -EVERYWHERE
    up_to_snr_db: float = EVERYWHERE
    metric: str = ""
    of: Literal["recall", "precision"] = "recall"

    def about(self, snr_db: float) -> bool:
        """Whether it is about an SNR."""
        return self.from_snr_db <= snr_db <= self.up_to_snr_db


class Column(Config):
    """One column of a table of metrics: a metric of a goal."""

    goal: str
    metric: str


class PaperFigure(Config):
    """A figure or table of a paper.

    Attributes:
        paper, place, title: whose, where, what.
        goal, metric: what is drawn.
        kind: against ``snr``; at one SNR against ``cos2`` or a ``setting`` of the networks; a ``table`` of cos²; of several
            ``metrics``, or of ``classes``, at one SNR.
        axis: what the setting is called; log: whether its axis is logarithmic.
        columns: of ``metrics``.
        fading: whether links fade.
        snr_db: of ``cos2``, ``setting``, ``metrics`` and ``classes``.
        classes: so many, the first ones, are drawn and claimed about.
        note: what differs from the paper's conditions.
        published: a document of this folder with the numbers that the paper prints.
        curves: drawn or compared with.
        claims: what the paper says; ablations: comparisons that say why, shown beside them, or alone.
    """

    paper: str
    place: str
    title: str
    goal: str
    metric: str
    kind: Literal["snr", "cos2", "setting", "table", "metrics", "classes"] = "snr"
    axis: str = ""
    log: bool = False
    columns: tuple[Column, ...] = ()
    fading: bool = False
    snr_db: float = 0.0
    classes: int = 5
    note: str = ""
    published: str = ""
    curves: tuple[CurveSpec, ...]
    claims: tuple[Claimed, ...] = ()
    ablations: tuple[Claimed, ...] = ()

    def fades(self, curve: CurveSpec) -> bool:
        """Whether a curve is of links that fade."""
        return self.fading if curve.fading is None else curve.fading

    def place_text(self, value: float) -> str:
        """A place on the axis for people: an SNR, or a setting."""
        return f"{self.axis} {target_text(value)}" if self.kind == "setting" else f"{target_text(value)} dB"


def figure_names() -> list[str]:
    """Every figure, by name."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def load_figure(name: str) -> PaperFigure:
    """The figure of a name of `figure_names`.

    Raises:
        ConfigError: its file does not fit.
    """
    return load_toml(PaperFigure, FOLDER / f"{name}.toml")
