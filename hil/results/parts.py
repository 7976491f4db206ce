"""Parts of the document that only some runs have: repeats, training seeds, codewords."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

__all__ = ["Codewords", "Interval", "MeanOverSeeds", "Part", "Picture", "Repeat", "RepeatedPoint"]

Interval = tuple[float | None, float | None]


class Part(BaseModel):
    """What all parts of the document have in common: unknown keys are kept."""

    model_config = ConfigDict(frozen=True, extra="allow", populate_by_name=True)


class Repeat(Part):
    """A point's headline as each of several measurements of it gives it.

    Attributes:
        visits: measurements; those that were cut short are not among them.
        values: of each; cis: their intervals; snr_offset_db: their mean SNR less the row's.
        deviation: standard deviation between them; expected: the one that chance gives, as answers to the same tasks differ.
        p_value: probability of so much, or more, by chance alone.
    """

    visits: int
    values: list[float | None]
    cis: list[Interval | None]
    snr_offset_db: list[float | None]
    deviation: float | None
    expected: float | None
    p_value: float | None


class RepeatedPoint(Repeat):
    """The same with the point that it is of: ``snr_db`` is the mean SNR of each measurement."""

    scheme: str
    goal: str
    metric: str
    receiver: str | None = None
    snr_db_target: float | None = None
    snr_db: list[float | None]


class MeanOverSeeds(Part):
    """The headline's mean over training seeds: of one method, or of a difference of two, paired by seed.

    Attributes:
        metric: the headline's name; first: the method, second: the other one, or null.
        seeds: of the networks; value: their mean, or the difference's; spread: standard deviation between them.
        ci: 95 % interval over networks, by Student.
    """

    goal: str
    receiver: str | None = None
    source: str
    snr_basis: str | None = None
    energy: str | None = None
    fading: str | None = None
    snr_db_target: float | None = None
    metric: str
    first: str
    second: str | None = None
    seeds: list[int]
    value: float
    spread: float
    ci: Interval


class Picture(Part):
    """One task of a point, to look at; base64 of PNG.

    Attributes:
        task: distinct task; sent: its first view; received: what came of it, empty where it was lost.
    """

    task: int
    sent: str
    received: str


class Codewords(Part):
    """How alike the codewords of two transmitters are that see one identity (docs/results.md, "Codewords").

    Attributes:
        transmitters: which two; uses: complex uses of each.
        cos2: (Re⟨x1, x2⟩)²/(‖x1‖²‖x2‖²), mean over tasks; cos2_others: of two different identities; cos2_chance: of
            independent codewords, 1/(2·uses).
        coherent_gain: mean |x1 + x2|² over mean |x1|² + |x2|²: 1 where nothing adds up, 2 for equal codewords;
            coherent_gain_others: of two different identities.
        power_of_sum: mean |x1 + x2|² over the uses that either sends on, of transmitters of unit power.
    """

    scheme: str
    transmitters: tuple[int, int]
    uses: int
    tasks: int
    cos2: float
    cos2_ci: Interval | None = None
    cos2_others: float | None = None
    cos2_others_ci: Interval | None = None
    cos2_chance: float
    coherent_gain: float
    coherent_gain_ci: Interval | None = None
    coherent_gain_others: float | None = None
    power_of_sum: float
