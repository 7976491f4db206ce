"""A paper's figure as files: the plot, and beside it as text what the paper claims and what was found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hil.errors import ConfigError
from hil.files import replace_file, replacing
from hil.report.files import DOTS_PER_INCH, FORMATS
from hil.report.measure import known_ends, number
from hil.report.papers.classes import classes_figure
from hil.report.papers.columns import metrics_table
from hil.report.papers.draw import draw_curves, draw_table
from hil.report.papers.found import Curve, Found, Medium
from hil.report.papers.said import answer, answer_of_cosines
from hil.report.papers.spec import FOLDER, Claimed, load_figure
from hil.report.papers.text import claim_lines, head_lines
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
        figure, lines = _made(found, sources)
        files = [_save(figure, folder / f"{name}.{suffix}") for suffix in formats]
    text = folder / f"{name}.md"
    replace_file(text, ("\n".join(lines) + "\n").encode())
    return [*files, text], lines


def _made(found: Found, sources: str) -> tuple[Figure, list[str]]:
    if found.figure.kind == "table":
        return _table(found)
    if found.figure.kind == "classes":
        return classes_figure(found)
    return metrics_table(found, sources) if found.figure.kind == "metrics" else _curves(found, sources)


def _save(figure: Figure, path: Path) -> Path:
    metadata = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(path.suffix[1:])
    with replacing(path) as new:
        figure.savefig(new, dpi=DOTS_PER_INCH, metadata=metadata, facecolor="white")
    return path


def _curves(found: Found, sources: str) -> tuple[Figure, list[str]]:
    media = [one for one in found.media if sources in ("both", one.source)]
    made = {medium: list(found.curves(medium)) for medium in media}
    made = {medium: curves for medium, curves in made.items() if any(curve.drawn and curve.rows for curve in curves)}
    made = _told_once(found, made)
    if not made:
        wanted = ", ".join(name for spec in found.figure.curves if spec.drawn for name in spec.networks)
        faded = "of links that fade " if found.figure.fading else ""
        raise ConfigError(f"no run has rows {faded}for {found.figure.place}; it draws {wanted}: hil run --schemes …")
    published = [row for one in found.documents for row in one.points if row.source == "published"]
    lines = head_lines(found.figure)
    for medium, curves in made.items():
        lines += ["", f"## {medium.words[0].upper()}{medium.words[1:]}", "", *_networks(found, medium, curves)]
        apart = "What takes it apart (not the paper's):" if found.figure.claims else "Compared:"
        for heading, claims in (("What the paper claims:", found.figure.claims), (apart, found.figure.ablations)):
            lines += ["", heading, ""] if claims else []
            for claim in claims:
                lines += claim_lines(found, answer(claim, curves, found))
    return draw_curves(found, made, published), lines


def _told_once(found: Found, made: Mapping[Medium, list[Curve]]) -> dict[Medium, list[Curve]]:
    """Without those that another rule of energy says already: where nobody is superposed, they are the same answers."""
    told: list[object] = []
    kept = {}
    for medium, curves in made.items():
        own = medium.source, [(one.label, {at: found.measure.value(row) for at, row in one.rows.items()}) for one in curves]
        if own not in told:
            kept[medium] = curves
        told.append(own)
    return kept


def _networks(found: Found, medium: Medium, curves: Sequence[Curve]) -> list[str]:
    """What each curve is made of, with its values."""
    against = found.figure.axis if found.figure.kind == "setting" else "SNR"
    printed = {spec.label: spec.printed for spec in found.figure.curves if spec.printed}
    alike = found.figure.kind == "cos2"
    lines = [f"| curve | network |{' cos² |' if alike else ''} {found.measure.title} at each {against} |"]
    lines[0] += " published |" if printed else ""
    lines.append(f"| --- | --- |{' --- |' if alike else ''} --- |{' --- |' if printed else ''}")
    for curve in curves:
        rows = [(None, curve.level)] if curve.level else list(curve.rows.items())
        values = []
        for target, row in rows:
            metric = found.measure.found(row)
            ends = found.measure.interval(metric.ci) if metric else ""
            at = "noiseless" if target is None else found.figure.place_text(target)
            values.append(f"{at}: {found.measure.text(found.measure.value(row))} {ends}".rstrip())
        bound = " (bound)" if rows[0][1] is not None and rows[0][1].kind == "bound" and curve.level is None else ""
        own = next((values for label, values in printed.items() if curve.label.startswith(label)), {})
        told = "; ".join(f"{found.figure.place_text(float(at))}: {found.measure.text(value)}" for at, value in own.items())
        beside = f" {told or '–'} |" if printed else ""
        place = f" {_alike(found, curve)} |" if alike else ""
        lines.append(f"| {curve.label}{bound} | {', '.join(curve.networks)} |{place} {'; '.join(values)} |{beside}")
    return lines


def _alike(found: Found, curve: Curve) -> str:
    """cos² of a curve's networks with their intervals, in their order."""
    known = [found.alike(name) for name in curve.networks]
    return "; ".join("–" if one is None else _with_ends(one.cos2, one.cos2_ci) for one in known)


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
        lines += _cosine_lines(claim, entries)
    if figure.ablations:
        lines += ["", "What takes it apart (not the paper's):", ""]
        for claim in figure.ablations:
            lines += _cosine_lines(claim, entries)
    return draw_table(figure.place, entries, published), lines


def _cosine_lines(claim: Claimed, entries: Mapping[str, Codewords]) -> list[str]:
    """One claim about cos²: its verdict, and the difference that it rests on."""
    said = answer_of_cosines(claim, entries)
    lines = [f"- {claim.text}: **{said.verdict}**"]
    return lines + [f"  difference {_with_ends(one.value, one.ends)} ({one.kind})" for one in said.differences]


def _with_ends(value: float | None, ends: Sequence[float | None] | None) -> str:
    known = known_ends(ends)
    return number(value, 4) + ("" if known is None else f" [{number(known[0], 4)}, {number(known[1], 4)}]")


def _published(path: Path) -> dict[str, float]:
    """Values of a published document by row."""
    rows = [row for row in read_results(path).points if row.source == "published"]
    return {row.scheme: row.headline[1].value for row in rows if row.headline[1].value is not None}
