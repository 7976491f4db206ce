"""`hil captures`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from hil.cli.captures import captures as cli
from tests.unit.captures.support import BOTH, fill, source

GOLDEN = Path(__file__).resolve().parents[2] / "golden" / "v1"


def test_verify_info_and_keep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HIL_HOME", raising=False)
    fill(tmp_path / "runs" / "first" / "capture.h5")
    path = str(tmp_path / "runs" / "first" / "capture.h5")
    runner = CliRunner()
    good = runner.invoke(cli, ["verify", path])
    assert (good.exit_code, "12 exchanges, 12 bursts, 24 frames" in good.output) == (0, True)
    info = json.loads(runner.invoke(cli, ["info", path, "--json"]).output)
    assert info["points"][0]["frames"] == {"scored": 4, "lost": 4}
    assert "point 2 noma@2dB: 4 bursts; 4 scored, 4 lost; valid" in runner.invoke(cli, ["info", path]).output
    assert runner.invoke(cli, ["keep", "first"]).exit_code == 0
    kept = Path("captures/first.h5")
    assert runner.invoke(cli, ["verify", str(kept), "--json"]).exit_code == 0
    kept.write_bytes(kept.read_bytes()[:5000])
    bad = runner.invoke(cli, ["verify", str(kept)])
    assert bad.exit_code == 1
    assert "truncated" in bad.output


def test_info_of_several_receivers(tmp_path: Path) -> None:
    path = tmp_path / "capture.h5"
    fill(path, receivers=BOTH, flags=("dc",), sources={"scheme.py": source("x = 1\n")})
    runner = CliRunner()
    info = json.loads(runner.invoke(cli, ["info", str(path), "--json"]).output)
    assert (info["version"], info["receivers"], info["transmitters"], info["flags"]) == (2, ["near", "far"], 2, ["dc"])
    assert info["provenance"] == {"version": "0"}
    assert info["sources"] == {"scheme.py": source("x = 1\n").sha256}
    assert (info["committed"]["exchanges"], info["committed"]["bursts"], info["committed"]["frames"]) == (12, 24, 24)
    point = info["points"][1]
    assert (point["receivers"], point["exchanges"], point["bursts"]) == (["near", "far"], 4, 8)
    assert point["frames_by_receiver"] == {"near": {"scored": 4, "lost": 4}, "far": {"scored": 4, "lost": 4}}
    text = runner.invoke(cli, ["info", str(path)]).output
    assert "receivers near, far; 2 transmitters" in text
    assert "point 1 noma@1dB: 8 bursts; near: 4 scored, 4 lost; far: 4 scored, 4 lost; valid" in text


def test_info_of_an_old_capture_killed_inside_a_commit() -> None:
    runner, path = CliRunner(), str(GOLDEN / "killed" / "capture.h5")
    verified = runner.invoke(cli, ["verify", path])
    assert (verified.exit_code, "incomplete, usable, killed inside a commit" in verified.output) == (0, True)
    text = runner.invoke(cli, ["info", path]).output
    assert "capture version 1, incomplete" in text
    assert "commit not known" in text
    assert "packages python 3.11.2, numpy 1.26.4" in text
