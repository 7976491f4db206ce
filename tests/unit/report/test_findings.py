"""What the lines say, and that they follow the numbers."""

from itertools import pairwise

import pytest

from hil.models.card import Claim
from hil.report.claims import Held, claims, held_against
from hil.report.findings import notices, summary_lines
from hil.report.orders import orders
from hil.report.view import View
from hil.results.document import ResultsDocument
from tests.unit.report.documents import (
    ERROR,
    IMAGE,
    RETRIEVAL,
    SNRS,
    THREE,
    air_row,
    comparison_of,
    document,
    judged,
    lower_is_better,
    many,
    nothing,
    stopped,
    three,
    two_goals,
)

CLAIM = Claim(paper="Someone, A paper", text="b beats a", first="b", second="a", relation=">", metric="nmse")


def measured(values, judge=RETRIEVAL, half=0.05):
    """A document of schemes a and b with such values at each SNR, and their paired difference."""
    rows, comparisons = [], []
    for snr, (first, second) in values.items():
        pair = [air_row(judge, name, "single", 0, snr, metrics=judge.metrics(value))
                for name, value in (("a", first), ("b", second))]  # fmt: skip
        rows += pair
        comparisons.append(comparison_of(judge, *pair, first - second, half))
    return View(document((rows, [], comparisons)))


def test_lines_of_three_schemes():
    text = "\n".join(summary_lines(three()))
    assert "Frames: 36 sent, 27 scored, 9 lost, 0 gated." in text
    assert "Top-1 without a channel (%): noiseless single 90.0, OMA 90.0, NOMA 90.0; other-network 90.0, chance 0.12." in text
    # Scheme 1 is off by thrice the bound at the middle SNR: (0.3 + 9 + 0.3) / 3.
    assert "Air − simulation at the effective SNR, mean over the SNRs (points): single +0.30, OMA +3.20, NOMA +0.70" in text
    assert "not all within ±1 point." in text
    assert (
        "over all 9 points: 7 inside by their simultaneous 95 % interval, 1 undetermined, 1 beyond (Holm, 5 %): OMA at 3 dB"
        in text
    )
    assert "Largest receiver loss: 0.23 dB (NOMA at −6 dB), within the 0.7 dB allowed." in text
    assert "NOMA −0.98 [−2.98, +1.02] at 15 dB" in text
    assert "Order under per_use energy, over the air: best is NOMA at 3 of 3 SNRs" in text
    assert "Order under per_task energy, simulated at the effective SNR: best is OMA at 3 of 3 SNRs." in text


def test_lines_of_a_metric_in_db_name_its_unit():
    text = "\n".join(summary_lines(two_goals()))
    image = text[text.index("\nImage:") :]
    assert "PSNR without a channel (dB): noiseless single 31.00" in image
    assert "mean over the SNRs (dB): single +0.03, OMA +0.32, NOMA +0.07; not all within ±0.1 dB." in image
    assert "against ±0.3 dB, over all 9 points" in image
    assert "points)" not in image
    assert "top-1" not in image.lower()


def test_where_lower_is_better_the_lowest_is_best_and_the_worst_is_the_highest():
    text = "\n".join(summary_lines(lower_is_better()))
    values = [ERROR.value(place, 3.0) for place in range(3)]
    assert all(high > low for high, low in pairwise(values))
    assert "over the air: best is NOMA at 3 of 3 SNRs" in text
    assert "NMSE over the air at ≥ 12 dB minus the scheme's own noiseless (worst): single +0.020 at 15 dB" in text


def test_of_many_schemes_a_line_names_few():
    lines = summary_lines(many())
    assert max(map(len, lines)) < 330
    assert "noiseless 31.00…31.00 (30 schemes)" in "\n".join(lines)
    assert "and 26 more" in "\n".join(lines)


def test_a_run_that_did_not_end_says_so_first():
    lines = summary_lines(stopped())
    assert lines[0] == "The run was stopped: Ctrl-C by the operator. What was measured until then is shown."
    assert lines[1] == "Points given up before their last frame: NOMA at 15 dB after 2 of 4 frames (rx0: no answer)."
    assert lines[2] == "Impaired points, whose stated noise may be wrong: OMA at −6 dB (a tone in the band)."
    assert notices(View(three())) == []
    assert summary_lines(nothing()) == ["The run was stopped: Ctrl-C. What was measured until then is shown."]
    failed = ResultsDocument(status="failed", points=[])
    assert summary_lines(failed) == ["The run failed. What was measured until then is shown."]


def test_order_follows_the_values_and_ties_are_said():
    view = measured({0.0: (0.4, 0.6), 3.0: (0.7, 0.6), 6.0: (0.8, 0.8)}, half=0.15)
    (order,) = orders(view.panels[0])
    assert [order.ranking(target, view) for target in (0.0, 3.0, 6.0)] == ["b > a", "a > b", "a = b"]
    assert order.sentence(view) == (
        "per_use energy, over the air: best is b at 1 of 3 SNRs (0 dB), a at 1 of 3 SNRs (3 dB); "
        "the paired 95 % interval to the next one excludes 0 at 1 of 2."
    )


def test_order_of_one_snr_and_of_equals():
    view = measured({3.0: (0.4, 0.6)})
    assert orders(view.panels[0])[0].sentence(view).startswith("per_use energy, over the air: best is b at 3 dB; ")
    view = measured({3.0: (0.5, 0.5)})
    assert orders(view.panels[0])[0].sentence(view) == "per_use energy, over the air: no scheme is ahead."


def test_ranking_of_many_names_the_best():
    view = View(many())
    ranking = orders(view.panels[0])[0].ranking(0.0, view)
    assert ranking.startswith("digital-rate-29-of-30 > digital-rate-28-of-30 > ")
    assert ranking.endswith(" > 26 more")


@pytest.mark.parametrize(
    ("half", "limit", "expected"),
    [
        # b − a of an error: better at 0 and 3 dB by 0.2 and 0.01, worse at 6 dB by 0.1.
        (0.05, None, Held(snrs=3, agree=2, supported=1, contradicted=1)),
        (0.005, None, Held(snrs=3, agree=2, supported=2, contradicted=1)),
        (0.05, 3.0, Held(snrs=2, agree=2, supported=1, contradicted=0)),
        (0.05, -3.0, None),
    ],
)
def test_a_claim_is_held_against_means_and_intervals(half, limit, expected):
    view = measured({0.0: (0.6, 0.4), 3.0: (0.5, 0.49), 6.0: (0.2, 0.3)}, judge=ERROR, half=half)
    claim = Claim(**{**vars(CLAIM), "up_to_snr_db": limit})
    assert held_against(claim, orders(view.panels[0])[0]) == expected


def test_equal_means_agree_only_with_at_least():
    order = orders(measured({0.0: (0.5, 0.5)}, judge=ERROR).panels[0])[0]
    held = [held_against(Claim(**{**vars(CLAIM), "relation": relation}), order) for relation in (">", "≥")]
    assert [(item.agree, item.supported, item.contradicted) for item in held] == [(0, 0, 0), (1, 0, 0)]


def test_without_paired_intervals_none_is_claimed():
    rows, _, _ = judged(RETRIEVAL, THREE, SNRS)
    view = View(document((rows, [], [])))
    (panel,) = view.panels
    held = held_against(list(claims(panel))[-1], orders(panel)[0])
    assert (held.supported, held.contradicted) == (None, None)
    assert "interval" not in held.text


def test_claims_come_only_with_their_schemes_and_metric():
    assert [claim.first for claim in claims(View(three()).panels[0])] == ["jscc-single", "jscc-noma", "jscc-noma"]
    assert not list(claims(View(document(judged(IMAGE, THREE, SNRS))).panels[0]))
    pair = {name: access for name, access in THREE.items() if name != "jscc-oma"}
    assert [claim.second for claim in claims(View(document(judged(RETRIEVAL, pair, SNRS))).panels[0])] == ["jscc-single"]
    assert not any("claim" in line for line in summary_lines(many()))
    found = next(line for line in summary_lines(three()) if "good as OMA" in line)
    assert found.startswith("Lo et al. claim that NOMA is at least as good as OMA at every SNR: per_use energy, over the air, ")
    assert "the means agree at 3 of 3 SNRs, paired 95 % intervals support it at 2 and contradict it at 0" in found
