"""Codewords and training seeds on the page, with the document's numbers."""

from hil.report.findings import summary_lines
from hil.report.html import write_report
from hil.results.document import Codewords, MeanOverSeeds
from tests.unit.report.documents import three

WORDS = Codewords(
    scheme="jscc-noma", transmitters=(0, 1), uses=64, tasks=1008, cos2=0.75231, cos2_ci=(0.7401, 0.7639), cos2_others=0.3012,
    cos2_others_ci=(0.29, 0.31), cos2_chance=1 / 128, coherent_gain=1.8615, coherent_gain_ci=(1.85, 1.87),
    coherent_gain_others=1.5449, power_of_sum=3.723,
)  # fmt: skip
SEEDS = MeanOverSeeds(
    goal="retrieval", source="simulation", snr_basis="link", energy="per_use", snr_db_target=-6.0, metric="top1",
    first="jscc-noma", second="jscc-oma", seeds=[1, 2, 3], value=0.3512, spread=0.0201, ci=(0.3013, 0.4011),
)  # fmt: skip


def page(tmp_path, **more):
    write_report(three().with_(**more), None, tmp_path / "report.html")
    return (tmp_path / "report.html").read_text(encoding="utf-8")


def test_codewords_stand_beside_their_nulls(tmp_path):
    text = page(tmp_path, codewords=[WORDS])
    for shown in ('id="codewords"', "0.7523</b>", "[0.7401, 0.7639]", ">0.0078<", "0.3012", "1.861</b>", ">1.545<", ">3.723<"):
        assert shown in text, shown


def test_superposed_codewords_are_told_of_in_a_line():
    [line] = [line for line in summary_lines(three().with_(codewords=[WORDS])) if line.startswith("Superposed")]
    assert line == (
        "Superposed codewords: jscc-noma cos² 0.752 (by chance 0.008, different identities 0.301), coherent gain 1.861."
    ).replace("jscc-noma", "NOMA")
    turns = WORDS.model_copy(update={"coherent_gain": 1.0, "coherent_gain_ci": None})
    assert not [line for line in summary_lines(three().with_(codewords=[turns])) if line.startswith("Superposed")]


def test_means_over_seeds_say_over_which(tmp_path):
    text = page(tmp_path, seeds=[SEEDS])
    for shown in ('id="seeds"', "jscc-noma − jscc-oma", ">1, 2, 3<", "+35.12</b>", "−6"):
        assert shown in text, shown


def test_a_page_without_either_has_no_such_part(tmp_path):
    text = page(tmp_path)
    assert 'id="seeds"' not in text
    assert 'id="codewords"' not in text
