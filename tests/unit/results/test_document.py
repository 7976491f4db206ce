"""The document: round trips, strict JSON, older schemas, newer ones, and files that are none."""

import json
import math

import pytest

from hil.errors import ConfigError, OutputError
from hil.results.document import (
    SCHEMA,
    Agreement,
    Comparison,
    ResultsDocument,
    json_schema,
    parse_results,
    read_results,
    write_results,
)
from hil.results.upgrade import STEPS, upgrade
from tests.conftest import ROOT
from tests.unit.results.answers import row

GOLDEN = sorted((ROOT / "tests" / "golden").glob("v*/*/results.json"))


def document(**more):
    agreement = Agreement(
        scheme="a", goal="shares", snr_basis="effective", snr_db_target=3.0, difference=0.01, standard_error=0.02,
        simultaneous_ci=(-0.03, 0.05), bound=0.03, verdict="undetermined", outside_bound=False,
    )  # fmt: skip
    comparison = Comparison(
        goal="shares", source="air", snr_basis="link", energy="per_use", snr_db_target=3.0, first="a", second="b",
        difference=0.1, ci=(0.05, 0.15),
    )  # fmt: skip
    plain = {"status": "complete", "points": [row("a"), row("b", extra_key=5)]}
    return ResultsDocument(**{**plain, "agreement": [agreement], "comparisons": [comparison], **more})


def test_what_is_written_is_read(tmp_path):
    whole = document(received_sha256="ab", experiment={"seed": 1}, provenance={"version": "1"}, bench="b", links=[{"tx": 0}])
    write_results(whole, tmp_path / "results.json")
    again = read_results(tmp_path / "results.json")
    assert again == whole
    assert again.points[1].extra_key == 5  # what a newer writer adds is kept
    assert [path.name for path in tmp_path.iterdir()] == ["results.json"]


def test_the_file_is_strict_json_and_says_its_schema(tmp_path):
    whole = document(
        points=[row("a", value=math.nan, snr_eff_db=math.inf, snr_db=[math.nan, 1.0])], why="Ü", sounding_cost_db=math.nan
    )
    write_results(whole, tmp_path / "results.json")
    text = (tmp_path / "results.json").read_text(encoding="utf-8")

    def refuse(name):
        raise AssertionError(name)

    plain = json.loads(text, parse_constant=refuse)
    assert plain["schema"] == SCHEMA
    assert "version" not in plain
    assert plain["why"] == "Ü"
    (found,) = plain["points"]
    assert (found["right"], found["snr_eff_db"], found["snr_db"]) == (None, None, [None, 1.0])
    assert plain["sounding_cost_db"] is None
    assert read_results(tmp_path / "results.json").points[0].snr_db == [None, 1.0]


def test_a_document_cannot_be_changed_only_copied():
    whole = document()
    with pytest.raises(ValueError, match="frozen"):
        whole.status = "failed"
    copy = whole.with_(status="stopped", why="x")
    assert (copy.status, copy.why, whole.status) == ("stopped", "x", "complete")


def test_what_cannot_be_written_is_told_and_leaves_nothing(tmp_path):
    (tmp_path / "results.json").mkdir()
    with pytest.raises(OutputError, match=r"cannot write .*results\.json: it is a folder"):
        write_results(document(), tmp_path / "results.json")
    assert [path.name for path in tmp_path.iterdir()] == ["results.json"]
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"cannot make the folder .*file: File exists"):
        write_results(document(), tmp_path / "file" / "results.json")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "cannot be read as results"),
        ("{", "cannot be read as results"),
        ("[]", "lacks the list 'points'"),
        ('{"points": {}}', "lacks the list 'points'"),
        ('{"points": []}', "'schema' must be its version, not None"),
        ('{"points": [], "schema": 0}', "must be its version, not 0"),
        ('{"points": [], "schema": "2"}', "must be its version, not '2'"),
        ('{"points": [], "schema": 99}', "has schema 99, this hil reads up to 3; upgrade hil"),
        ('{"points": [], "schema": 2}', "status"),
        ('{"points": [{"scheme": "x"}], "schema": 2, "status": "complete"}', r"points\.0\."),
    ],
)
def test_what_is_no_result_is_told(tmp_path, text, words):
    path = tmp_path / "results.json"
    path.write_text(text)
    with pytest.raises(ConfigError, match=words) as info:
        read_results(path)
    assert str(path) in str(info.value)
    with pytest.raises(ConfigError, match=r"none\.json cannot be read"):
        read_results(tmp_path / "none.json")


# --- older schemas


def test_there_are_goldens_to_upgrade():
    assert len([path for path in GOLDEN if json.loads(path.read_text())["schema"] == 1]) >= 3


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: f"{path.parent.parent.name}-{path.parent.name}")
def test_every_number_of_an_older_file_is_there_again(path):
    old = json.loads(path.read_text(encoding="utf-8"))
    new = read_results(path)
    assert new.version == SCHEMA
    assert new.status == "complete"
    assert new.received_sha256 == old["received_sha256"]
    assert len(new.points) == len(old["points"])
    for before, after in zip(old["points"], new.points, strict=True):
        plain = after.model_dump()
        for key, value in before.items():
            if key != "metrics":
                assert json.loads(json.dumps(plain[key])) == value, key
        if old["schema"] == 1:
            name, headline = after.headline
            assert (name, headline.value, headline.scored) == ("top1", before["top1"], before.get("top1_scored"))
            assert list(headline.ci or []) == (before.get("top1_ci") or [])
            assert (after.goal, after.goal_version, headline.unit, headline.better) == ("retrieval", 1, "share", "higher")
            assert (after.metrics["map"].value if "map" in after.metrics else None) == before.get("map")
    for before, after in zip(old["agreement"], new.agreement, strict=True):
        assert after.difference == before["difference"]
        assert after.outside_bound == before.get("outside_3_points", after.outside_bound)
    for before, after in zip(old["comparisons"], new.comparisons, strict=True):
        assert (after.first, after.second, after.difference) == (before["first"], before["second"], before["difference"])
    assert [item["best_first"] for item in new.summary["order"]] == [item["best_first"] for item in old["summary"]["order"]]
    if old["schema"] == 1:
        assert new.provenance["version"] == old["versions"]["hil"]
        assert new.provenance["packages"]["torch"] == old["versions"]["torch"]


def test_steps_are_chained_and_change_nothing_of_what_they_are_given():
    old = json.loads(GOLDEN[0].read_text())
    before = json.dumps(old)
    new = upgrade(dict(old), "test")
    assert json.dumps(old) == before
    assert new["schema"] == SCHEMA
    assert sorted(STEPS) == list(range(1, SCHEMA))
    assert upgrade(dict(new), "test") == new  # today's is left as it is


def test_the_schema_describes_the_file():
    schema = json_schema()
    assert "schema" in schema["properties"]
    assert {"status", "points"} <= set(schema["required"])
    assert parse_results(json.loads(json.dumps(document().to_dict())), "test") == document()
