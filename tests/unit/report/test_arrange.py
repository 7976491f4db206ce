"""From rows to panels and points."""

import pytest

from hil.errors import ConfigError
from hil.report.panel import place_db
from hil.report.view import View
from hil.results.document import ResultsDocument
from tests.unit.report.documents import (
    IMAGE,
    RETRIEVAL,
    SNRS,
    THREE,
    agreement_of,
    air_row,
    beside_published,
    document,
    judged,
    published_alone,
    references,
    row,
    three,
    two_goals,
    two_receivers,
)


def test_one_goal_is_one_panel():
    (panel,) = View(three()).panels
    assert (panel.goal, panel.receiver, panel.options) == ("retrieval", None, {"gallery": "reconstructed"})
    assert (panel.metric.name, panel.metric.unit, [measure.name for measure in panel.further]) == ("top1", "share", ["map"])
    assert panel.schemes == list(THREE)
    assert panel.targets == list(SNRS)
    assert panel.energy == "per_use"
    assert panel.energies == ["per_use", "per_task"]
    first = panel.main_points()[0]
    assert (first.scheme, first.target, first.uses) == ("jscc-single", -6.0, 8)
    assert first.air is not None
    assert first.link is not None
    assert first.effective is not None
    assert first.channel is None
    assert first.agreement is not None
    assert first.agreement.difference == pytest.approx(0.003)
    assert [row.scheme for row in panel.baselines()] == ["other-network"]
    assert [row.scheme for row in panel.constants()] == ["chance"]
    assert panel.without_noise("jscc-noma") == pytest.approx(RETRIEVAL.value(2, 60.0))


def test_each_goal_and_receiver_has_its_panel_and_only_its_rows():
    goals = View(two_goals()).panels
    assert [(panel.goal, panel.metric.name, panel.metric.unit) for panel in goals] == [
        ("retrieval", "top1", "share"),
        ("image", "psnr", "dB"),
    ]
    assert {item.goal for panel in goals[1:] for item in (*panel.agreement, *panel.comparisons)} == {"image"}
    view = View(two_receivers())
    assert [panel.receiver for panel in view.panels] == ["near", "far"]
    assert [view.title(panel) for panel in view.panels] == ["image at near", "image at far"]
    for panel, shift in zip(view.panels, (0.0, -4.0), strict=True):
        assert [point.snr_db for point in panel.of("broadcast-a")] == pytest.approx([snr + shift for snr in SNRS])
        assert {item.receiver for item in panel.agreement} == {panel.receiver}
        assert len(panel.noiseless) == 4  # they name no receiver: they stand beside every one


def test_frames_that_several_goals_judge_count_once():
    assert View(two_goals()).frames() == {None: {"sent": 36, "scored": 27, "lost": 9, "gated": 0}}
    assert View(two_receivers()).frames()["far"] == {"sent": 24, "scored": 18, "lost": 6, "gated": 0}


def test_other_options_make_another_panel_and_nothing_is_mixed():
    rows, agreement, comparisons = judged(RETRIEVAL, THREE, SNRS)
    other = [item.model_copy(update={"options": {"gallery": "raw"}}) for item in rows]
    view = View(document(([*rows, *other], agreement, comparisons)))
    assert [view.title(panel) for panel in view.panels] == ["retrieval, gallery reconstructed", "retrieval, gallery raw"]
    # Agreement and comparisons do not say which of the two they are of.
    assert not any(panel.agreement or panel.comparisons for panel in view.panels)


def test_another_version_of_a_goal_is_another_panel():
    rows, agreement, comparisons = judged(RETRIEVAL, THREE, SNRS)
    other = [item.model_copy(update={"goal_version": 2}) for item in rows]
    view = View(document(([*rows, *other], agreement, comparisons)))
    assert [view.title(panel) for panel in view.panels] == ["retrieval, version 1", "retrieval, version 2"]


def test_a_noiseless_row_of_the_panels_options_stands_for_the_scheme():
    raw = row(RETRIEVAL, "jscc-oma", "oma", "noiseless", 0.5, options={"gallery": "raw"})
    whole = three()
    view = View(whole.with_(points=[raw, *whole.points]))
    assert view.panels[0].without_noise("jscc-oma") == pytest.approx(RETRIEVAL.value(1, 60.0))
    assert [item.options["gallery"] for item in view.panels[0].noiseless_of("jscc-oma")] == ["reconstructed", "raw"]


def test_what_was_measured_twice_is_two_points():
    rows = [air_row(RETRIEVAL, "jscc-single", "single", place, 3.0) for place in (0, 3)]
    whole = document((rows, [agreement_of(RETRIEVAL, rows[0], 0.01)], []))
    (panel,) = View(whole).panels
    assert [point.repeat for point in panel.points] == [0, 1]
    assert [panel.metric.value(point.air) for point in panel.points] == [RETRIEVAL.value(0, 3.0), RETRIEVAL.value(3, 3.0)]
    assert [point.agreement for point in panel.points] == [None, None]  # whose it is, nothing says
    assert len(panel.agreement) == 1


def test_places_on_the_snr_axis():
    measured = air_row(RETRIEVAL, "a", "noma", 0, 0.0, snr_db=[0.0, 10.0], power=[0.5, 0.5])
    assert place_db(measured) == pytest.approx(7.4036 + 3.0103, abs=1e-3)  # of a unit-power transmitter
    assert place_db(air_row(RETRIEVAL, "a", "single", 0, 3.0, snr_db=[None])) == 3.0
    drawn = {"snr_basis": "link", "snr_db_target": 3.0, "snr_db": [0.0]}
    assert place_db(row(RETRIEVAL, "a", "noma", "simulation", 0.5, energy="per_use", **drawn)) == 0.0
    assert place_db(row(RETRIEVAL, "a", "noma", "simulation", 0.5, energy="per_task", **drawn)) == 3.0


def test_published_rows_stand_beside_or_alone():
    (panel,) = View(beside_published()).panels
    assert list(panel.curves()) == ["paper's scheme"]
    assert panel.schemes == list(THREE)
    view = View(published_alone())
    assert view.names == ["paper's scheme"]
    assert view.schemes == []
    assert not view.measured


def test_references_alone_have_a_panel_without_points():
    (panel,) = View(document((references(IMAGE, THREE), [], []))).panels
    assert panel.points == ()
    assert len(panel.noiseless) == 5


def test_labels():
    assert [View(three()).label(name) for name in THREE] == ["single", "OMA", "NOMA"]
    alone = document(judged(IMAGE, {"jscc-oma": "oma"}, SNRS))
    assert View(alone).label("jscc-oma") == "jscc-oma"
    mixed = document(judged(IMAGE, {"jscc-oma": "oma", "other-noma": "noma"}, SNRS))
    assert View(mixed).label("other-noma") == "other-noma"
    foreign = ("there/a.py:Own", "there/b.py:Other", "elsewhere/b.py:Other")
    files = View(document(([air_row(IMAGE, name, "single", 0, 3.0) for name in foreign], [], [])))
    assert [files.label(name) for name in foreign] == ["Own", *foreign[1:]]
    bound = air_row(IMAGE, "genie", "single", 0, 3.0, kind="bound")
    assert View(document(([bound], [], []))).label("genie") == "genie (bound)"


def test_uses_are_named_only_where_all_agree():
    assert View(three()).uses() == 8
    long = air_row(IMAGE, "long", "single", 0, 3.0, uses=[16])
    assert View(document(([*three().points, long], [], []))).uses() is None
    varying = air_row(IMAGE, "varying", "single", 0, 3.0, uses=[7.5])
    assert View(document(([varying], [], []))).uses() is None


def test_a_row_without_metrics_is_refused():
    whole = three()
    bare = whole.points[0].model_copy(update={"metrics": {}})
    with pytest.raises(ConfigError, match=r"points\[0\].*jscc-single.*no metric"):
        View(ResultsDocument(status="complete", points=[bare]))


def test_a_reference_at_one_receiver_stands_only_there():
    whole = two_receivers()
    own = row(IMAGE, "broadcast-a", "single", "noiseless", 29.0, receiver="far")
    near, far = View(whole.with_(points=[own, *whole.points])).panels
    assert own not in near.noiseless
    assert far.without_noise("broadcast-a") == 29.0
