"""The schema's file, its description and older documents agree with the models."""

import json
import re
from pathlib import Path

import pytest

from hil.report.files import write_figures
from hil.results.document import (
    SCHEMA,
    Agreement,
    Codewords,
    Comparison,
    MeanOverSeeds,
    MeanOverSnrs,
    MetricValue,
    Noise,
    ResultsDocument,
    Row,
    json_schema,
    read_results,
    write_results,
)
from hil.results.schema import SCHEMA_FILE, schema_text
from tests.golden.test_golden import HERE as GOLDEN
from tests.unit.report.documents import three

DOCS = Path(__file__).resolve().parents[3] / "docs" / "results.md"
OLD = [GOLDEN / "v1" / name / "results.json" for name in ("single", "oma", "noma", "demo")]


def test_the_file_is_what_the_models_say():
    assert SCHEMA_FILE.read_text(encoding="utf-8") == schema_text(), "write it again: python -m hil.results.schema"
    assert json.loads(schema_text()) == json_schema()


def test_every_key_is_described():
    text = DOCS.read_text(encoding="utf-8")
    listed = set(re.findall(r"`([a-z0-9_]+)`", text))
    for model in (ResultsDocument, Row, MetricValue, Agreement, Comparison, MeanOverSnrs, MeanOverSeeds, Codewords, Noise):
        keys = {field.alias or name for name, field in model.model_fields.items()}
        assert keys <= listed, (model.__name__, keys - listed)


def test_the_description_runs(tmp_path, monkeypatch, capsys):
    """Its code blocks, one after the other, beside a run; the curve that they write can be drawn."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs" / "demo").mkdir(parents=True)
    document = three()
    write_results(document, tmp_path / "runs" / "demo" / "results.json")
    blocks = re.findall(r"```python\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) == 3
    names: dict[str, object] = {}
    printed = []
    for block in blocks:
        exec(compile(block, str(DOCS), "exec"), names)
        printed.append(capsys.readouterr().out.splitlines())
    assert [len(lines) for lines in printed] == [18, 9, 0]  # two metrics of nine points; nine headlines
    assert printed[0][0].startswith("retrieval jscc-single -6.0 top1 0.3276")
    published = read_results(tmp_path / "paper.json")
    assert [row.source for row in published.points] == ["published"] * 4
    assert [path.name for path in write_figures(published, None, tmp_path, formats=("svg",))] == ["retrieval-top1.svg"]


@pytest.mark.parametrize("path", OLD, ids=lambda path: path.parent.name)
def test_schema_1_is_read_as_the_description_says(path):
    old = json.loads(path.read_text(encoding="utf-8"))
    new = read_results(path)
    assert old["schema"] == 1
    assert (new.version, new.status, new.provenance["argv"]) == (SCHEMA, "complete", old["versions"]["argv"])
    for before, row in zip(old["points"], new.points, strict=True):
        name, headline = row.headline
        assert (name, headline.value, headline.title, headline.unit) == ("top1", before["top1"], "top-1", "share")
        assert headline.ci == (None if before["top1_ci"] is None else tuple(before["top1_ci"]))
        assert row.options == ({"gallery": before["gallery"]} if "gallery" in before else {})
        assert row.receiver_loss_db == before.get("receiver_loss_db")
        plain = row.model_dump(mode="json")
        assert {key: plain[key] for key in before} == before  # nothing that was promised is lost
    for before, item in zip(old["agreement"], new.agreement, strict=True):
        assert (item.difference, item.bound, item.outside_bound) == (before["difference"], 0.03, before["outside_3_points"])
        low, high = before["simultaneous_ci"]  # what was not beyond the bound need not have been inside
        inside = "inside" if low >= -0.03 and high <= 0.03 else "undetermined"
        assert item.verdict == ("beyond" if before["outside_3_points"] else inside)
    for before, order in zip(old["summary"]["order"], new.summary["order"], strict=True):
        assert {key: order[key] for key in before} == before
        accesses = {row.scheme: row.access for row in new.points}
        assert [accesses[name] for name in order["schemes"]] == before["best_first"]
        assert (order["goal"], order["metric"]) == ("retrieval", "top1")


def test_written_and_read_again_is_the_same(tmp_path):
    for document in (three(), read_results(OLD[-1])):
        write_results(document, tmp_path / "results.json")
        assert read_results(tmp_path / "results.json") == document
