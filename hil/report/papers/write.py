"""A paper's figure as files: the plot, and beside it as text what the paper claims and what was found."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hil.errors import ConfigError
from hil.files import replace_file, replacing
from hil.report.files import DOTS_PER_INCH, FORMATS
from hil.report.measure import known_ends, number, target_text
from hil.report.papers.classes import answer_of_classes, class_lines, draw_classes, measured
from hil.report.papers.draw import draw_curves, draw_table
from hil.report.papers.found import Curve, Found, Medium
from hil.report.papers.said import Answer, answer, answer_of_cosines
from hil.report.papers.spec import FOLDER, PaperFigure, load_figure
from hil.report.svg import figure_style
from hil.results.document import Codewords, ResultsDocument, read_results

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["write_paper_figure"]


def write_paper_figure(
    name: str, documents: Sequence[ResultsDocument], folder: Path, *, formats: Sequence[str] = FORMATS, sources: str = "both"
) -> tuple[list[Path], list[str]]:
    """Draw a paper's figure from results of runs, and say what became of its claims.

    Args:
        name: of `hil.report.papers.spec.figure_names`.
        documents: results; where several have a network at an SNR, the first one's row is taken. Rows of source ``published``
            are drawn beside.
        folder: where to; made if need be.
        formats: of `hil.report.files.FORMATS`.
        sources: ``air``, ``simulation``, or ``both`` as far as there are.

    Returns:
        the files, the text last; and the text's lines.

    Raises:
        ConfigError: an unknown format, runs of several data sets, or runs without any of the figure's networks.
        OutputError: a folder that cannot be written to.
    """
    unknown = [one for one in formats if one not in FORMATS]
    if unknown or not formats:
        raise ConfigError(f"--format must be of {', '.join(FORMATS)}, not {', '.join(unknown) or 'nothing'}")
    found = Found(load_figure(name), documents)
    with figure_style(**{"pdf.fonttype": 42, "svg.hashsalt": "hil"}):
        made = {"table": _table, "classes": _classes}.get(found.figure.kind)
        figure, lines = _curves(found, sources) if made is None else made(found)
        files = [_save(figure, folder / f"{name}.{suffix}") for suffix in formats]
    text = folder / f"{name}.md"
    replace_file(text, ("\n".join(lines) + "\n").encode())
    return [*files, text], lines


def _save(figure: Figure, path: Path) -> Path:
    metadata = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(path.suffix[1:])
    with replacing(path) as new:
        figure.savefig(new, dpi=DOTS_PER_INCH, metadata=metadata, facecolor="white")
    return path


def _curves(found: Found, sources: str) -> tuple[Figure, list[str]]:
    media = [one for one in found.media if sources in ("both", one.source)]
    made = {medium: list(found.curves(medium)) for medium in media}
    made = {medium: curves for medium, curves in made.items() if any(curve.drawn and curve.rows for curve in curves)}
    if not made:
        wanted = ", ".join(name for spec in found.figure.curves if spec.drawn for name in spec.networks)
        faded = "of links that fade " if found.figure.fading else ""
        raise ConfigError(f"no run has rows {faded}for {found.figure.place}; it draws {wanted}: hil run --schemes …")
    published = [row for one in found.documents for row in one.points if row.source == "published"]
    lines = _head(found.figure)
    for medium, curves in made.items():
        lines += ["", f"## {medium.words[0].upper()}{medium.words[1:]}", "", *_networks(found, medium, curves)]
        lines += ["", "What the paper claims:", ""]
        for claim in found.figure.claims:
            lines += _lines(found, answer(claim, curves, found))
        if found.figure.ablations:
            lines += ["", "What takes it apart (not the paper's):", ""]
            for claim in found.figure.ablations:
                lines += _lines(found, answer(claim, curves, found))
    return draw_curves(found, made, published), lines


_PAIRED = "Intervals are paired by task and simultaneous where one run has both networks, else unpaired, which is wider."
_UNPAIRED = "Intervals of means take classes as independent; those of differences are unpaired, which is wider than paired."


def _head(figure: PaperFigure, intervals: str = _PAIRED) -> list[str]:
    lines = [f"# {figure.paper}, {figure.place}: {figure.title}", "", *([figure.note, ""] if figure.note else [])]
    return [
        *lines,
        "A claim is supported at an SNR where the 95 % interval of the difference lies on its side, contradicted where it lies "
        f"on the other, else undetermined. {intervals}",
    ]


def _networks(found: Found, medium: Medium, curves: Sequence[Curve]) -> list[str]:
    """What each curve is made of, with its values."""
    lines = ["| curve | network | headline at each SNR |", "| --- | --- | --- |"]
    for curve in curves:
        rows = [(None, curve.level)] if curve.level else list(curve.rows.items())
        values = []
        for target, row in rows:
            metric = found.measure.found(row)
            ends = found.measure.interval(metric.ci) if metric else ""
            at = "noiseless" if target is None else f"{target_text(target)} dB"
            values.append(f"{at}: {found.measure.text(found.measure.value(row))} {ends}".rstrip())
        bound = " (bound)" if rows[0][1] is not None and rows[0][1].kind == "bound" and curve.level is None else ""
        lines.append(f"| {curve.label}{bound} | {', '.join(curve.networks)} | {'; '.join(values)} |")
    return lines


def _lines(found: Found, said: Answer) -> list[str]:
    """One claim: its verdict, and the differences that it rests on."""
    lines = [f"- {said.claim.text}: **{said.verdict}**" + (f" ({said.seeds})" if said.seeds else "")]
    told = []
    for one in said.differences:
        at = "" if math.isnan(one.target) else f"{target_text(one.target)} dB: "
        told.append(f"{at}{found.measure.difference(one.value)} {found.measure.span(one.ends)}".rstrip())
    if told:
        kinds = " and ".join(dict.fromkeys(one.kind for one in said.differences))
        what = _WHAT.get(said.claim.relation, "{first} − {second}").format(first=said.claim.first, second=said.claim.second)
        unit = found.measure.difference_unit
        lines.append(f"  {what}{f' ({unit}; {kinds})' if unit else f' ({kinds})'}: {', '.join(told)}")
    return lines


_WHAT = {"steps": "largest fall between neighbouring SNRs, {second} − {first}"}


def _classes(found: Found) -> tuple[Figure, list[str]]:
    """Recall and precision at one SNR, of the first medium that has them: simulations have the headline alone."""
    figure = found.figure
    media = measured(found)
    if not media:
        wanted = ", ".join(name for spec in figure.curves for name in spec.networks)
        raise ConfigError(
            f"no run has recall of classes at {figure.snr_db:g} dB for {figure.place}; it draws {wanted}: "
            f"hil run --goals {figure.goal} --schemes …"
        )
    medium, rows = next(iter(media.items()))
    lines = [*_head(figure, _UNPAIRED), "", f"## {medium.words[0].upper()}{medium.words[1:]}, {figure.snr_db:g} dB", ""]
    lines += class_lines(found, rows)
    for title, claims in (
        ("What the paper claims:", figure.claims),
        ("What takes it apart (not the paper's):", figure.ablations),
    ):
        lines += ["", title, ""]
        for claim in claims:
            said = answer_of_classes(claim, rows, found)
            lines.append(f"- {claim.text}: **{said.verdict}**")
            for one in said.differences:
                lines.append(
                    f"  {claim.first} − {claim.second}, {claim.of} (points; {one.kind}): {_points(one.value, one.ends)}"
                )
    return draw_classes(found, rows), lines


def _points(value: float, ends: Sequence[float | None] | None) -> str:
    """A difference of shares and its interval, in points."""
    known = known_ends(ends)
    told = number(100 * value, 2, sign=True)
    return told + (
        "" if known is None else f" [{number(100 * known[0], 2, sign=True)}, {number(100 * known[1], 2, sign=True)}]"
    )


def _table(found: Found) -> tuple[Figure, list[str]]:
    """cos² of networks beside the published ones."""
    figure = found.figure
    published = _published(FOLDER / figure.published) if figure.published else {}
    entries: dict[str, Codewords] = {}
    for spec in figure.curves:
        one = next((entry for name in found.names(spec) if (entry := found.alike(name)) is not None), None)
        if one is not None:
            entries[spec.label] = one
    if not entries:
        wanted = ", ".join(name for spec in figure.curves for name in spec.networks)
        raise ConfigError(f"no run has codewords of {wanted}, which {figure.place} is made of: hil run --schemes …")
    head = ["| row | network | uses each | cos² here | by chance | different identities | published |", "| --- " * 7 + "|"]
    rows = []
    for label in dict.fromkeys([*entries, *published]):
        told = number(published.get(label), 4)
        entry = entries.get(label)
        if entry is None:
            rows.append(f"| {label} | not measured | – | – | – | – | {told} |")
            continue
        here, others = _with_ends(entry.cos2, entry.cos2_ci), _with_ends(entry.cos2_others, entry.cos2_others_ci)
        chance = number(entry.cos2_chance, 4)
        rows.append(f"| {label} | {entry.scheme} | {entry.uses} | {here} | {chance} | {others} | {told} |")
    lines = [f"# {figure.paper}, {figure.place}: {figure.title}", "", *head, *rows, "", "What the paper claims:", ""]
    for claim in figure.claims:
        said = answer_of_cosines(claim, entries)
        lines.append(f"- {claim.text}: **{said.verdict}**")
        lines += [f"  difference {_with_ends(one.value, one.ends)} ({one.kind})" for one in said.differences]
    return draw_table(figure.place, entries, published), lines


def _with_ends(value: float | None, ends: Sequence[float | None] | None) -> str:
    known = known_ends(ends)
    return number(value, 4) + ("" if known is None else f" [{number(known[0], 4)}, {number(known[1], 4)}]")


def _published(path: Path) -> dict[str, float]:
    """Values of a published document by row."""
    rows = [row for row in read_results(path).points if row.source == "published"]
    return {row.scheme: row.headline[1].value for row in rows if row.headline[1].value is not None}
