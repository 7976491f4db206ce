"""`hil run`: from flags to a configuration."""

import tomllib

import pytest
from click.testing import CliRunner

from hil.calibration.gate import GateConfig
from hil.cli.run import run
from hil.errors import ConfigError


def saved(tmp_path, *arguments):
    """The configuration that these arguments come to, as ``--save-config`` writes it."""
    target = tmp_path / "saved.toml"
    result = CliRunner().invoke(run, [*map(str, arguments), "--save-config", str(target)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert result.output.strip() == str(target)
    return tomllib.loads(target.read_text(encoding="utf-8"))


def test_default_file_setting_flag(tmp_path):
    file = tmp_path / "run.toml"
    file.write_text('seed = 2\ntasks = 20\nbench = "three"\n[frame]\ntasks_per_frame = 4\ninterleave = false\n')
    default = saved(tmp_path)
    assert (default["seed"], default["tasks"], default["bench"], default["frame"]) == (1, 2016, "builtin", {})
    of_file = saved(tmp_path, "--config", file)
    assert (of_file["seed"], of_file["tasks"], of_file["bench"]) == (2, 20, "three")
    assert of_file["frame"] == {"tasks_per_frame": 4, "interleave": False}
    both = saved(tmp_path, "--config", file, "--set", "seed=3", "--set", "frame.tasks_per_frame=5", "--set", "tasks=21")
    assert (both["seed"], both["tasks"], both["frame"]["tasks_per_frame"]) == (3, 21, 5)
    assert both["frame"]["interleave"] is False
    every = saved(tmp_path, "--config", file, "--set", "seed=3", "--seed", 4, "--tasks-per-frame", 6, "--spread", "builtin")
    assert (every["seed"], every["tasks"], every["bench"]) == (4, 20, "builtin")
    assert every["frame"] == {"tasks_per_frame": 6, "interleave": True}


def test_every_flag_reaches_its_setting(tmp_path):
    found = saved(
        tmp_path, "three", "--schemes", "noma,oma", "--goals", "retrieval", "--snr", "0:6:3",
        "--dataset", "synthetic:identities=5",
        "--models", "/m", "--tasks", 10, "--distinct-tasks", 5, "--tasks-per-frame", 2, "--energy", "per_task",
        "--fading", "emulated", "--gallery", "raw", "--no-spread", "--no-interleave",
        "--repeat", 1, "--seed", 9, "--air-seed", 0, "--draws", 3, "--simulate", "awgn",
    )  # fmt: skip
    assert found == {
        "bench": "three", "schemes": ["noma", "oma"], "goals": ["retrieval"], "snr_db": [0.0, 3.0, 6.0],
        "dataset": "synthetic:identities=5", "models": "/m", "tasks": 10, "distinct_tasks": 5,
        "frame": {"tasks_per_frame": 2, "interleave": False}, "energy": "per_task", "fading": "emulated",
        "options": {"retrieval": {"gallery": "raw"}}, "seed": 9, "air_seed": 0, "draws": 3, "simulate": "awgn",
        "receiver": {}, "max_frame_uses": 16128, "repeat": 1, "interleave": False,
        "alignments": 4, "gate": GateConfig().model_dump(exclude_none=True), "match_clocks": True,
    }  # fmt: skip


def test_the_saved_file_comes_to_the_same(tmp_path):
    first = saved(tmp_path, "--schemes", "oma", "--set", "receiver.taps_after=9", "--snr", "3")
    kept = tmp_path / "kept.toml"
    (tmp_path / "saved.toml").rename(kept)
    assert saved(tmp_path, "--config", kept) == first


def test_the_gallery_is_an_option_of_the_goals_of_the_file_too(tmp_path):
    file = tmp_path / "run.toml"
    file.write_text('goals = ["retrieval"]\n')
    assert saved(tmp_path, "--config", file, "--gallery", "raw")["options"] == {"retrieval": {"gallery": "raw"}}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--set", "name=x"), "unknown key 'name'"),  # --name is no setting
        (("--set", "report=x"), "unknown key 'report'"),
        (("--set", "tasks"), "KEY=VALUE"),
        (("--set", "frame.colour=1"), "unknown key 'colour'"),
        (("--set", "receiver.colour=1"), "unknown key 'colour'"),
        (("--set", "frame=1"), "frame"),
        (("--snr", "99"), "each SNR must lie in"),
        (("--tasks", "0"), "tasks"),
        (("--config", "/no/such/file.toml"), "no such file"),
    ],
)
def test_mistakes_are_named(tmp_path, arguments, words):
    with pytest.raises(ConfigError, match=words):
        CliRunner().invoke(run, [*arguments, "--save-config", str(tmp_path / "x.toml")], catch_exceptions=False)
    assert not (tmp_path / "x.toml").exists()
