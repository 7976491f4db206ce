"""`hil datasets`: what there is, and what a set can serve."""

import json
import os
import subprocess
import sys

from click.testing import CliRunner

from hil.cli.datasets import datasets
from tests.conftest import ROOT
from tests.unit.datasets.trees import market, two_cameras


def asked(*arguments):
    done = CliRunner().invoke(datasets, [str(argument) for argument in arguments])
    assert done.exit_code == 0, done.output
    return done.stdout


def test_list_reads_light_cards():
    rows = {row["name"]: row for row in json.loads(asked("list", "--json"))}
    assert {"synthetic", "market1501", "cuhk03"} <= set(rows)
    assert set(rows["cuhk03"]["options"]) == {"labeled", "detected", "pairing"}
    assert [name for name, row in rows.items() if row["default"]] == ["synthetic"]
    assert "market1501:PATH" in asked("list")
    code = "import sys; from click.testing import CliRunner; from hil.cli.datasets import datasets\n"
    code += "assert CliRunner().invoke(datasets, ['list', '--json']).exit_code == 0; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, env=os.environ | {"PYTHONPATH": str(ROOT)})


def test_info_says_what_it_serves_and_what_was_left_out(tmp_path):
    about = json.loads(asked("info", f"market1501:{market(tmp_path / 'set')}", "--json"))
    assert about["images"] == {"train": 4, "query": 6, "gallery": 9}
    assert about["tasks"]["retrieval"] == {"1": 6, "2": 6}
    assert about["left_out"] == ["bounding_box_test/Thumbs.db"]
    assert (about["pairing"], about["image_size"]) == ("cross_camera", [16, 8])
    said = asked("info", f"market1501:{two_cameras(tmp_path / 'viper', shots=1)}")
    assert "retrieval, 1 view: 24 tasks" in said
    assert "retrieval, 2 views: Data set 'market1501' has no task: a task needs 2 query images" in said


def test_the_command_line_is_one_thread_before_numpy_is_loaded():
    code = "import hil.cli, os, sys; assert 'numpy' not in sys.modules; print(os.environ['OMP_NUM_THREADS'])"
    for given, expected in ((None, "1"), ("2", "2")):
        environment = {key: value for key, value in os.environ.items() if key != "OMP_NUM_THREADS"} | {"PYTHONPATH": str(ROOT)}
        environment |= {} if given is None else {"OMP_NUM_THREADS": given}
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
        assert done.stdout.strip() == expected
