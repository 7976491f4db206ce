"""Papers' figures from results whose numbers are known."""

import itertools
import re
from dataclasses import replace

import pytest
from click.testing import CliRunner

from hil.cli.figures import figures
from hil.errors import ConfigError
from hil.registry import SCHEMES
from hil.report.measure import apart
from hil.report.papers.classes import answer_of_classes, class_lines, measured
from hil.report.papers.found import Found, Medium
from hil.report.papers.said import answer
from hil.report.papers.spec import FOLDER, Claimed, CurveSpec, PaperFigure, figure_names, load_figure
from hil.report.papers.write import write_paper_figure
from hil.results.document import Codewords, MetricValue, read_results, write_results
from tests.conftest import ROOT
from tests.unit.report.documents import IMAGE, RETRIEVAL, Judge, comparison_of, document, row, simulated_row, three

CLASSES = Judge(goal="classification", metric="accuracy", title="accuracy")
LINK = Medium(source="simulation", energy="per_use")


def spec(*curves, **more):
    return PaperFigure(paper="P", place="Fig. 1", title="t", goal="retrieval", metric="top1", curves=curves, **more)


def simulated(scheme, values, **more):
    """Rows at −6, 0, 6 … dB."""
    return [
        simulated_row(RETRIEVAL, scheme, "single", value, -6.0 + 6 * at, basis="link", energy="per_use", **more)
        for at, value in enumerate(values)
    ]


def found(*rows, figure=None, **more):
    return Found(figure or spec(CurveSpec(label="a", networks=("a",))), [document((list(rows), [], []), **more)])


def test_every_figure_of_the_issue_is_there_and_names_what_it_draws():
    assert figure_names() == [
        "jankowski-4a", "jankowski-4b", "jankowski-4c", "lo-3a", "lo-3b", "lo-3c", "lo-4a", "lo-4b", "lo-4c", "lo-table1",
        "mortaheb-7", "mortaheb-8", "mortaheb-9", "rate-distortion", "sun-4", "sun-6", "sun-7", "sun-8", "sun-table1",
        "sun-table2",
    ]  # fmt: skip
    known = {*SCHEMES.names(), *(path.stem for path in (ROOT / "models").glob("*.toml")), "uncoded"}
    for figure in map(load_figure, figure_names()):
        labels = {curve.label for curve in figure.curves}
        assert {name for claim in (*figure.claims, *figure.ablations) for name in (claim.first, claim.second)} <= labels
        for name in itertools.chain(*((*curve.networks, *curve.at) for curve in figure.curves)):
            stem = re.split(r"-at|-lambda|-w\*|-q|-tau|\[|\?|, ", name)[0]
            assert stem in known, name


def test_curves_are_picked_as_they_say():
    rows = [
        *simulated("n-at-6dB", [0.5, 0.6, 0.6], snr_train_db="-6 dB"), *simulated("n-at0dB", [0.4, 0.7, 0.8], snr_train_db=0.0),
        *simulated("n@2", [0.9, 0.9, 0.9]),
    ]  # fmt: skip
    family = ("n", "n-at*")
    figure = spec(
        *(CurveSpec(label=pick, networks=family, pick=pick) for pick in ("first", "best", "own_snr", "each")),
        CurveSpec(label="fades", networks=family, fading=True),
    )
    made = {one.label: [row.top1 for row in one.rows.values()] for one in found(*rows, figure=figure).curves(LINK)}
    assert made == {
        "first": [0.5, 0.6, 0.6], "best (best of 2)": [0.5, 0.7, 0.8], "own_snr": [0.5, 0.7],
        "each, trained at −6 dB": [0.5, 0.6, 0.6], "each, trained at 0 dB": [0.4, 0.7, 0.8],
    }  # fmt: skip


def test_paired_intervals_are_taken_where_there_are_any_whatever_the_order():
    one, two = simulated("a", [0.5])[0], simulated("b", [0.47])[0]
    figure = spec(CurveSpec(label="a", networks=("a",)), CurveSpec(label="b", networks=("b",)))
    claim = Claimed(text="b is better", first="b", second="a", relation=">")
    paired = found(one, two, figure=figure, comparisons=[comparison_of(RETRIEVAL, one, two, 0.03, 0.01)])
    said = answer(claim, list(paired.curves(LINK)), paired)
    assert (said.verdict, said.differences[0].kind) == ("contradicted", "paired, simultaneous")
    assert said.differences[0].ends == pytest.approx((-0.04, -0.02))
    alone = found(one, two, figure=figure)
    said = answer(claim, list(alone.curves(LINK)), alone)
    assert (said.verdict, said.differences[0].kind) == ("contradicted", "unpaired")  # −3 ± 2.83
    assert said.differences[0].ends == pytest.approx((-0.03 - 0.02 * 2**0.5, -0.03 + 0.02 * 2**0.5))


def test_pairs_are_of_the_headline_alone():
    """What is known of top-1 says nothing of mAP."""
    one, two = (
        simulated_row(
            RETRIEVAL, name, "single", value, 0.0, basis="link", energy="per_use", metrics=RETRIEVAL.metrics(value)
        )
        for name, value in (("a", 0.5), ("b", 0.47))
    )  # fmt: skip
    figure = spec(CurveSpec(label="a", networks=("a",)), CurveSpec(label="b", networks=("b",))).model_copy(
        update={"metric": "map"}
    )
    claim = Claimed(text="b is better", first="b", second="a", relation=">")
    compared = [comparison_of(RETRIEVAL, one, two, 0.03, 0.01)]
    of_map = Found(figure, [document(([one, two], [], []), comparisons=compared)])
    (said,) = answer(claim, list(of_map.curves(LINK)), of_map).differences
    assert said.kind == "unpaired"
    assert said.value == pytest.approx(0.7 * (0.47 - 0.5))


def test_margins_ranges_levels_and_what_is_missing():
    rows = [*simulated("a", [0.5, 0.9]), row(RETRIEVAL, "base", "single", "noiseless", 0.9)]
    figure = spec(CurveSpec(label="a", networks=("a",)), CurveSpec(label="base", networks=("base",), pick="noiseless"))
    all_of = found(*rows, figure=figure)
    curves = list(all_of.curves(LINK))

    def said(**more):
        return answer(Claimed(text="t", first="a", second="base", **more), curves, all_of).verdict

    assert said(margin=0.03) == (
        "supported at some SNRs, contradicted at others: supported at 1 of 2 SNRs, contradicted at −6 dB"
    )
    assert said(margin=0.03, from_snr_db=0.0) == "supported"
    assert said(margin=0.02, from_snr_db=0.0) == "undetermined"
    assert said(relation="≈", margin=0.03, up_to_snr_db=-6.0) == "contradicted"
    assert said(from_snr_db=20.0) == "not measured: no SNR that it is about has both"
    missing = answer(Claimed(text="t", first="a", second="none"), curves, all_of)
    assert missing.verdict == "not measured: no run has none"


def test_the_largest_fall_is_a_cliff_or_none():
    figure = spec(CurveSpec(label="a", networks=("a",)), CurveSpec(label="cliff", networks=("cliff",)))
    both = found(*simulated("a", [0.5, 0.7, 0.8]), *simulated("cliff", [0.0, 0.0, 0.8]), figure=figure)
    claim = Claimed(text="t", first="a", second="cliff", relation="steps")
    said = answer(claim, list(both.curves(LINK)), both)
    assert said.verdict == "supported"
    assert said.differences[0].value == pytest.approx(0.6)
    assert said.differences[0].ends == pytest.approx((0.56, 0.64))  # four intervals of ±2 points


def test_an_interval_without_pairs_is_that_of_independent_normals():
    assert apart(0.6, (0.57, 0.63), 0.5, (0.46, 0.54)) == pytest.approx((0.05, 0.15))
    assert apart(0.6, None, 0.5, (0.46, 0.54)) is None


def test_training_seeds_speak_of_methods():
    rows = []
    for seed, shift in ((1, 0.0), (2, 0.01), (3, -0.01)):
        ending = "" if seed == 1 else f"@{seed}"
        rows += simulated(f"a{ending}", [0.6 + shift], training_seed=seed)
        rows += simulated(f"b{ending}", [0.5 + 1.1 * shift], training_seed=seed)
    figure = spec(CurveSpec(label="a", networks=("a",)), CurveSpec(label="b", networks=("b",)))
    several = found(*rows, figure=figure)
    said = answer(Claimed(text="t", first="b", second="a", relation=">"), list(several.curves(LINK)), several)
    assert said.seeds == "as methods, 3 training seeds: of 1 SNRs supported at 0, contradicted at 1, undetermined at 0"


def test_files_of_a_figure_over_the_air_and_simulated(tmp_path):
    write_results(three(), tmp_path / "results.json")
    done = CliRunner().invoke(
        figures, ["lo-3a", str(tmp_path), "--out", str(tmp_path / "out"), "--format", "svg"], catch_exceptions=False
    )
    assert done.exit_code == 0
    assert done.output.splitlines()[-2:] == [str(tmp_path / "out" / "lo-3a.svg"), str(tmp_path / "out" / "lo-3a.md")]
    text = (tmp_path / "out" / "lo-3a.md").read_text(encoding="utf-8")
    assert [line for line in text.splitlines() if line.startswith("## ")] == [
        "## Over the air, per_use energy", "## Simulated, per_use energy", "## Simulated, per_task energy",
    ]  # fmt: skip
    assert "NOMA outperforms its orthogonal counterpart" in text
    assert "not measured: no run has digital, two devices" in text
    with pytest.raises(ConfigError, match="links that fade"):
        write_paper_figure("lo-3b", [three()], tmp_path)
    with pytest.raises(ConfigError, match="one data set, not of x, y"):
        write_paper_figure("lo-3a", [three(dataset={"spec": name}) for name in "xy"], tmp_path)


def test_cosines_beside_the_published_ones(tmp_path):
    def alike(scheme, cos2):
        return Codewords(
            scheme=scheme, transmitters=(0, 1), uses=64, tasks=100, cos2=cos2, cos2_ci=(cos2 - 0.01, cos2 + 0.01),
            cos2_chance=1 / 128, cos2_others=0.02, cos2_others_ci=(0.01, 0.03), coherent_gain=1.5, power_of_sum=3.0,
        )  # fmt: skip

    weights = {
        "jscc-noma": 0.5, "jscc-noma-lambda1": 0.1, "jscc-oma": 0.015, "jscc-noma-at6dB": 0.4, "jscc-noma-at12dB": 0.3,
        "jscc-noma-at18dB": 0.301, "jscc-noma-q8": 0.5, "jscc-noma-q16": 0.6,
    }  # fmt: skip
    rows = [one for place, name in enumerate(weights) for one in simulated(name, [0.5, 0.8 - 0.1 * place])]
    whole = document((rows, [], []), codewords=[alike(*item) for item in weights.items()])
    files, lines = write_paper_figure("lo-table1", [whole], tmp_path, formats=("png",))
    assert all(path.stat().st_size > 500 for path in files)
    assert "| NOMA (AWGN) | jscc-noma | 64 | 0.5000 [0.4900, 0.5100] | 0.0078 | 0.0200 [0.0100, 0.0300] | 0.7523 |" in lines
    assert "- NOMA's codewords are more alike than OMA's (AWGN): **supported**" in lines
    apart = lines.index("What takes it apart (not the paper's):")
    said = {line.partition(": **")[0]: line.partition(": **")[2] for line in lines[apart:] if line.startswith("- ")}
    assert said["- 6 against 12 dB"] == "supported**"
    assert said["- 8 against 16 uses"] == "contradicted**"
    assert said["- 12 against 18 dB"] == "undetermined**"
    assert said["- 32 against 64 uses"] == "not measured: no run has NOMA, 32 uses**"
    _, lines = write_paper_figure("lo-4a", [whole], tmp_path, formats=("svg",))
    assert "- accuracy drops as codewords become less alike (AWGN): **supported**" in lines
    (own,) = (line for line in lines if line.startswith("| NOMA, AWGN, jscc-noma-lambda1 |"))
    assert own.startswith("| NOMA, AWGN, jscc-noma-lambda1 | jscc-noma-lambda1 | 0.1000 [0.0900, 0.1100] | −6 dB: 50.0")


def test_recall_and_precision_of_classes_and_the_means_that_claims_are_about(tmp_path):
    """Recalls of 60 and 70 % with intervals of ±3 and ±4 points: a mean of 65 ± 2.5."""

    def by_class(scheme, **values):
        metrics = {
            name: MetricValue(
                value=value, ci=(value - half, value + half), unit="share", better="higher", n=100, headline=not at
            )
            for at, (name, (value, half)) in enumerate({"accuracy": (0.5, 0.01), **values}.items())
        }
        return row(CLASSES, scheme, "single", "air", 0.5, metrics=metrics, snr_db_target=10.0, energy="per_use")

    def of(recall, precision):
        return {
            "recall_a": (recall - 0.05, 0.03), "precision_a": (precision, 0.03), "recall_b": (recall + 0.05, 0.04),
            "precision_b": (precision, 0.04), "recall_c": (0.0, 0.5), "precision_c": (0.0, 0.5),
        }  # fmt: skip

    claims = [
        Claimed(text="r", first="one", second="two", relation=">", of="recall"),
        Claimed(text="p", first="one", second="two", relation=">", of="precision"),
        Claimed(text="m", first="one", second="three", relation=">"),
    ]
    figure = PaperFigure(
        paper="P", place="Fig. 8", title="t", goal="classification", metric="accuracy", kind="classes", snr_db=10.0, classes=2,
        curves=[CurveSpec(label=label, networks=(label,)) for label in ("one", "two", "three")], claims=claims,
    )  # fmt: skip
    made = found(by_class("one", **of(0.65, 0.5)), by_class("two", **of(0.55, 0.55)), figure=figure)
    rows = measured(made)[Medium(source="air", energy="per_use")]
    assert class_lines(made, rows)[2:4] == [
        "| one | recall | 60.0 | 70.0 | mean | 65.0 [62.5, 67.5] |".replace("mean | ", ""),
        "| one | precision | 50.0 | 50.0 | 50.0 [47.5, 52.5] |",
    ]
    recall, precision, missing = (answer_of_classes(claim, rows, made) for claim in claims)
    assert recall.verdict == "supported"
    assert recall.differences[0].value == pytest.approx(0.1)
    assert recall.differences[0].ends == pytest.approx((0.1 - 0.025 * 2**0.5, 0.1 + 0.025 * 2**0.5))
    assert precision.verdict == "contradicted"
    assert missing.verdict == "not measured: no run has three"


def test_files_of_a_figure_of_classes(tmp_path):
    metrics = {"accuracy": 0.5} | {f"{what}_{name}": 0.5 for name in "abcdef" for what in ("recall", "precision")}
    values = {
        name: MetricValue(value=value, unit="share", better="higher", n=100, headline=name == "accuracy")
        for name, value in metrics.items()
    }
    air = row(CLASSES, "smrc-classes", "single", "air", 0.5, metrics=values, snr_db_target=10.0, energy="per_use")
    files, lines = write_paper_figure("mortaheb-8", [document(([air], [], []))], tmp_path, formats=("png",))
    assert all(path.stat().st_size > 500 for path in files)
    assert "| layer 2, β = 1 | recall | 50.0 | 50.0 | 50.0 | 50.0 | 50.0 | 50.0 |" in lines
    assert "- β¹ improves recall over the first layer: **not measured: no run has layer 2, β¹ or layer 1**" in lines
    with pytest.raises(ConfigError, match="no run has recall of classes at 10 dB"):
        write_paper_figure("mortaheb-8", [document(([air.model_copy(update={"snr_db_target": 5.0})], [], []))], tmp_path)


def test_published_rows_are_the_papers():
    rows = read_results(FOLDER / "lo-table1.json").points
    assert [one.headline[1].value for one in rows] == [0.0151, 0.0165, 0.7523, 0.8234]
    assert {one.source for one in rows} == {"published"}


def judged(judge, scheme, values, **more):
    """Rows at 10 and 20 dB."""
    return [
        simulated_row(judge, scheme, "single", value, snr, basis="link", energy="per_use", **more)
        for snr, value in zip((10.0, 20.0), values, strict=True)
    ]


def test_against_a_setting_of_the_networks(tmp_path):
    accuracy = replace(
        RETRIEVAL, goal="classification", metric="accuracy", title="accuracy", further={}, options={}, constants={}
    )
    values = {"sd-jscc-tau10": 0.4, "sd-jscc": 0.6, "sd-jscc-tau1000": 0.5, "sd-jscc-plain": 0.55}
    rows = [one for name, value in values.items() for one in judged(accuracy, name, [0.1, value])]
    files, lines = write_paper_figure("sun-7", [document((rows, [], []))], tmp_path, formats=("svg",))
    assert all(path.stat().st_size > 500 for path in files)
    (line,) = [line for line in lines if line.startswith("| SD-JSCC |")]
    assert "τ 10: 40.0 [38.0, 42.0]; τ 100: 60.0 [58.0, 62.0]; τ 1000: 50.0 [48.0, 52.0]" in line
    said = [line for line in lines if line.startswith("- ")]
    assert [line.rpartition(": ")[2] for line in said] == ["**supported**", "**supported**"]
    assert "  SD-JSCC − one map (τ = 1,000) (points; unpaired): τ 100: +10.00 [+7.17, +12.83]" in lines
    rates = {"sd-jscc-q128": 0.4, "sd-jscc": 0.6, "sd-jscc-plain-q128": 0.5, "sd-jscc-plain": 0.5}
    rows = [one for name, value in rates.items() for one in judged(accuracy, name, [0.1, value])]
    _, lines = write_paper_figure("sun-6", [document((rows, [], []))], tmp_path, formats=("svg",))
    said = (
        "supported at some places, contradicted at others: supported at 1 of 2 values of bits a pixel, "
        "contradicted at bits a pixel 0.25"
    )
    assert f"- weights by gradients are better than equal ones: **{said}**" in lines


def test_rate_and_distortion_at_one_snr(tmp_path):
    """Schemes by the uses that their names have; of no paper, so nothing is claimed in one's name."""
    psnrs = {"deep-jscc-q128": 20.0, "deep-jscc": 23.0, "digital-webp?uses=128": 16.0, "digital-webp": 23.1}
    rows = [one for name, value in psnrs.items() for one in judged(IMAGE, name, [1.0, value])]
    files, lines = write_paper_figure("rate-distortion", [document((rows, [], []))], tmp_path, formats=("svg",))
    assert all(path.stat().st_size > 500 for path in files)
    (line,) = [line for line in lines if line.startswith("| WebP, 16-QAM 3/4 |")]
    assert line.startswith("| WebP, 16-QAM 3/4 | digital-webp?uses=128, digital-webp | channel uses 128: 16.00 [")
    assert "; channel uses 512: 23.10 [" in line
    assert "Compared:" in lines
    assert "What the paper claims:" not in lines
    said = "supported where the intervals tell: supported at 1 of 2 values of channel uses, undetermined at channel uses 512"
    assert f"- deep JSCC is above WebP by 16-QAM 3/4: **{said}**" in lines


def test_a_table_of_metrics_beside_the_printed_ones(tmp_path):
    accuracy = replace(
        RETRIEVAL, goal="classification", metric="accuracy", title="accuracy", further={}, options={}, constants={}
    )
    rows = [
        *judged(accuracy, "sd-jscc", [0.3, 0.5]), *judged(accuracy, "deep-jscc-binary", [0.3, 0.4]),
        *judged(IMAGE, "sd-jscc", [18.0, 19.0]), *judged(IMAGE, "deep-jscc-binary", [20.0, 21.0]),
    ]  # fmt: skip
    whole = document((rows, [], []))
    files, lines = write_paper_figure("sun-table1", [whole], tmp_path, formats=("svg",))
    assert all(path.stat().st_size > 500 for path in files)
    heads = "| row | network | accuracy (%) | published | PSNR (dB) | published |"
    assert heads in lines
    assert "| SD-JSCC | sd-jscc | 50.0 [48.0, 52.0] | 82.2 | 19.00 [18.60, 19.40] | 27.02 |" in lines
    assert "| WebP | – | – | 74.5 | – | 27.83 |" in lines
    assert "- SD-JSCC is classified better than deep JSCC: **supported**" in lines
    assert "- at lower PSNR than deep JSCC: **supported**" in lines
    assert "- and at lower SSIM: **not measured: no run has ssim**" in lines
    with pytest.raises(ConfigError, match="no run has rows at 20 dB for Table I"):
        write_paper_figure("sun-table1", [document(([*rows[:1], *rows[4:5]], [], []))], tmp_path)


def test_printed_values_stand_beside_the_curves(tmp_path):
    found_in = replace(RETRIEVAL, goal="detection", metric="map50", title="mAP@.5", further={}, options={}, constants={})
    rows = [*judged(found_in, "sd-jscc", [0.3, 0.5]), *judged(found_in, "deep-jscc-binary", [0.3, 0.4])]
    _, lines = write_paper_figure("sun-table2", [document((rows, [], []))], tmp_path, formats=("svg",))
    (line,) = [line for line in lines if line.startswith("| SD-JSCC |")]
    assert line.endswith("| 1 dB: 51.1; 5 dB: 53.7; 10 dB: 62.5; 11 dB: 62.9; 15 dB: 66.4; 20 dB: 68.3 |")
