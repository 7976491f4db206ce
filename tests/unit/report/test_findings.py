"""What the lines say, and that they follow the numbers."""

from itertools import pairwise

import pytest

from hil.models.card import Claim
from hil.report.claims import claims, held_against
from hil.report.findings import more_tasks, noise_line, notices, summary_lines
from hil.report.orders import orders
from hil.report.view import View
from hil.results.document import ResultsDocument
from tests.unit.report.documents import (
    ERROR,
    IMAGE,
    NOISE,
    RETRIEVAL,
    SNRS,
    THREE,
    agreement_of,
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
    """A document of schemes a and b with such values at each SNR, and their difference ± half."""
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
    assert "Noise at rx: pooled over the run, 60,000 looks (±0.035 dB); no drift (p = 0.4)." in text
    # Scheme 1 is off by thrice the bound at the middle SNR: (0.3 + 9 + 0.3) / 3. Means have ±⅙ of the bound, ½ a point.
    assert (
        "Air − simulation at the effective SNR, mean over the SNRs (points): single +0.30 [−0.20, +0.80], "
        "OMA +3.20 [+2.70, +3.70], NOMA +0.70 [+0.20, +1.20]; 1 within ±1 point by their intervals, 1 undetermined, 1 beyond."
    ) in text
    assert (
        "Air − simulation against ±3 points, by simultaneous 95 % intervals: 7 of 9 points inside, 1 undetermined, 1 beyond: "
        "OMA at 3 dB." in text
    )
    assert "Largest receiver loss: 0.23 [0.17, 0.29] dB (NOMA at −6 dB), within the 0.7 dB allowed." in text
    assert "NOMA −0.98 [−2.98, +1.02] at 15 dB" in text
    assert (
        "Order under per_use energy, over the air: best is NOMA at 3 of 3 SNRs; before the next one by simultaneous 95 % "
        "intervals at 2 of 3, undetermined at 1."
    ) in text
    assert "Order under per_task energy, simulated at the effective SNR: best is OMA at 3 of 3 SNRs." in text
    assert (
        "Mean over −6.0…15.0 dB, per_use energy, over the air: single 67.5 [65.5, 69.5], OMA 71.2 [69.2, 73.2], "
        "NOMA 74.4 [72.4, 76.4]; differences, simultaneous 95 % intervals: NOMA − OMA +1.20 [−1.80, +4.20]."
    ) in text


@pytest.mark.parametrize(
    ("loss", "ends", "said"),
    [
        (0.5, (0.4, 0.6), "within"),
        (0.6, (0.4, 0.8), "too few frames to tell from"),
        (0.9, (0.8, 1.0), "above"),
        (0.6, None, "within"),
    ],
)
def test_a_receiver_loss_is_judged_by_its_interval(loss, ends, said):
    row = air_row(RETRIEVAL, "own", "single", 0, 3.0, receiver_loss_db=loss, receiver_loss_db_ci=ends)
    text = "\n".join(summary_lines(document(([row], [], []))))
    interval = f" [{ends[0]:.2f}, {ends[1]:.2f}]" if ends else ""
    assert f"Largest receiver loss: {loss:.2f}{interval} dB (own at 3 dB), {said} the 0.7 dB allowed." in text


def test_noise_that_drifts_or_is_hardly_known_is_said():
    drifts = NOISE.model_copy(update={"pool": "point", "drift_p": 2e-6, "trend_db": 0.31})
    assert noise_line(drifts) == (
        "Noise at rx drifts (p = 2e-06, +0.31 dB over the run): each point's SNR stands against its own noise."
    )
    few = NOISE.model_copy(update={"looks": 2500})
    assert "2,500 looks (±0.170 dB, fewer than the 10,000 that a point should have)" in noise_line(few)


def test_lines_of_a_metric_in_db_name_its_unit():
    text = "\n".join(summary_lines(two_goals()))
    image = text[text.index("\nImage:") :]
    assert "PSNR without a channel (dB): noiseless single 31.00" in image
    assert "mean over the SNRs (dB): single +0.03, OMA +0.32, NOMA +0.07; not all within ±0.1 dB (no intervals)." in image
    assert "against ±0.3 dB, by simultaneous 95 % intervals: 7 of 9 points inside" in image
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
    warned = three().with_(warnings=["symbols ride on free oscillators"])
    assert notices(View(warned)) == ["Warning: symbols ride on free oscillators."]
    assert summary_lines(nothing()) == ["The run was stopped: Ctrl-C. What was measured until then is shown."]
    failed = ResultsDocument(status="failed", points=[])
    assert summary_lines(failed) == ["The run failed. What was measured until then is shown."]


def test_order_follows_the_values_and_what_intervals_do_not_say_is_said():
    view = measured({0.0: (0.4, 0.6), 3.0: (0.7, 0.6), 6.0: (0.8, 0.8)}, half=0.15)
    (order,) = orders(view.panels[0])
    assert [order.ranking(target, view) for target in (0.0, 3.0, 6.0)] == ["b > a", "a ~ b", "a ~ b"]
    assert [order.says(target, "a", "b") for target in (0.0, 3.0, 6.0)] == [-1, 0, 0]
    assert [order.says(target, "b", "a") for target in (0.0, 3.0, 6.0)] == [1, 0, 0]
    assert order.says(9.0, "a", "b") is None
    assert order.sentence(view) == (
        "per_use energy, over the air: best is b at 1 of 3 SNRs (0 dB), a at 1 of 3 SNRs (3 dB); "
        "before the next one by simultaneous 95 % intervals at 1 of 2, undetermined at 1."
    )


def test_values_are_those_read_at_equal_snr():
    """As measured a is ahead by 2 points; where both have one SNR, b is by 1."""
    pair = [
        air_row(RETRIEVAL, name, "single", 0, 3.0, metrics=RETRIEVAL.metrics(value))
        for name, value in (("a", 0.52), ("b", 0.5))
    ]
    item = comparison_of(RETRIEVAL, *pair, -0.01, 0.005).model_copy(update={"values": (0.505, 0.515)})
    view = View(document((pair, [], [item])))
    (order,) = orders(view.panels[0])
    assert order.ranking(3.0, view) == "b > a"


def test_order_of_one_snr_and_of_equals():
    view = measured({3.0: (0.4, 0.6)})
    assert orders(view.panels[0])[0].sentence(view).startswith("per_use energy, over the air: best is b at 3 dB; ")
    view = measured({3.0: (0.5, 0.5)})
    assert orders(view.panels[0])[0].sentence(view) == "per_use energy, over the air: no scheme is ahead."


def test_ranking_of_many_names_the_best():
    view = View(many())
    ranking = orders(view.panels[0])[0].ranking(0.0, view)
    assert ranking.startswith("digital-rate-29-of-30 ")
    assert ranking.endswith(" ~ 26 more")


@pytest.mark.parametrize(
    ("half", "limit", "expected"),
    [
        # a − b of an error: b is better at 0 and 3 dB by 0.2 and 0.01, worse at 6 dB by 0.1.
        (0.05, None, (3, 1, 1, 1)),
        (0.005, None, (3, 2, 0, 1)),
        (0.3, None, (3, 0, 3, 0)),
        (0.05, 3.0, (2, 1, 1, 0)),
        (0.05, -3.0, None),
    ],
)
def test_a_claim_is_supported_undetermined_or_contradicted_by_intervals(half, limit, expected):
    view = measured({0.0: (0.6, 0.4), 3.0: (0.5, 0.49), 6.0: (0.2, 0.3)}, judge=ERROR, half=half)
    for relation in (">", "≥"):  # a mean a little higher supports neither
        claim = Claim(**{**vars(CLAIM), "up_to_snr_db": limit, "relation": relation})
        held = held_against(claim, orders(view.panels[0])[0])
        assert (held and (held.snrs, held.supported, held.undetermined, held.contradicted)) == expected


def test_without_intervals_none_is_claimed():
    rows, _, _ = judged(RETRIEVAL, THREE, SNRS)
    view = View(document((rows, [], [])))
    (panel,) = view.panels
    held = held_against(list(claims(panel))[-1], orders(panel)[0])
    assert (held.supported, held.contradicted, held.undetermined) == (None, None, 3)
    assert held.text == "undetermined at all 3 SNRs (no intervals)"


def test_claims_come_only_with_their_schemes_and_metric():
    assert [claim.first for claim in claims(View(three()).panels[0])] == ["jscc-single", "jscc-noma", "jscc-noma"]
    assert not list(claims(View(document(judged(IMAGE, THREE, SNRS))).panels[0]))
    pair = {name: access for name, access in THREE.items() if name != "jscc-oma"}
    assert [claim.second for claim in claims(View(document(judged(RETRIEVAL, pair, SNRS))).panels[0])] == ["jscc-single"]
    assert not any("claim" in line for line in summary_lines(many()))
    found = next(line for line in summary_lines(three()) if "good as OMA" in line)
    assert found.startswith("Lo et al. claim that NOMA is at least as good as OMA at every SNR: per_use energy, over the air, ")
    assert "supported at 2 of 3 SNRs by simultaneous 95 % intervals, 1 undetermined, 0 contradicted" in found


def test_what_is_said_of_fading_is_held_against_fading_alone():
    pair = dict.fromkeys(("jscc-oma-csir", "jscc-oma-fading"), "oma")
    steady = document(judged(RETRIEVAL, pair, SNRS))
    assert not list(claims(View(steady).panels[0]))
    fading = steady.model_copy(update={"points": [row.model_copy(update={"fading": "emulated"}) for row in steady.points]})
    assert [claim.text for claim in claims(View(fading).panels[0])] == ["channel knowledge at the receiver helps OMA in fading"]


@pytest.mark.parametrize(
    ("differences", "words"),
    [
        ((0.0, 3.0), ""),  # inside and beyond: nothing is open
        ((0.5,), " About 2 times as many tasks would decide those undetermined."),  # (⅔ / ½)² = 1.8
        ((0.5, -0.8), " About 12 times as many tasks would decide those undetermined."),  # (⅔ / 0.2)² = 11.1
        ((0.5, 0.95), " About 2 times as many tasks would decide 1 of those undetermined."),  # 178 for the other
        ((1.2,), ""),  # its interval ends inside, but its difference is not: no number of tasks is promised
    ],
)
def test_how_many_tasks_would_decide_what_is_undetermined(differences, words):
    """Half an interval is ⅔ of the bound; `differences` are in bounds."""
    row = air_row(RETRIEVAL, "single", "single", 0, 0.0)
    assert more_tasks([agreement_of(RETRIEVAL, row, one * RETRIEVAL.bound) for one in differences]) == words
