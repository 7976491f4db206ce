"""`hil compare` on reference captures."""

import json
import shutil

import pytest

from tests.conftest import ROOT

CAPTURES = ROOT / "captures"


@pytest.fixture(scope="module")
def twin(tmp_path_factory):
    """The same run under another name."""
    return shutil.copy(CAPTURES / "single.h5", tmp_path_factory.mktemp("twin") / "twin.h5")


def test_a_run_equals_itself(hil, twin):
    done = hil("compare", CAPTURES / "single.h5", twin, "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    (item,) = found["comparisons"]
    assert {item["first"], item["second"]} == {"jscc-single @ single", "jscc-single @ twin"}
    assert item["difference"] == 0
    assert item["direction"] == "undetermined"
    assert found["tasks"] == 36
    results = json.loads((CAPTURES / "single.results.json").read_text())
    row = next(row for row in results["points"] if row["source"] == "air")
    assert item["values"] == pytest.approx([row["top1"]] * 2)
    assert item["snr_db"] == pytest.approx(row["snr_mean_db"], abs=1e-6)
    table = hil("compare", CAPTURES / "single.h5", twin)
    assert "First minus second at equal SNR" in table.stdout


@pytest.mark.parametrize(
    ("runs", "words"),
    [
        (("single.h5", "single.h5"), "given twice"),
        (("single.h5", "oma.h5"), "no two schemes or runs"),
        (("single.h5", "nothing.h5"), "no such run"),
        (("single.results.json", "oma.h5"), "not HDF5"),
    ],
)
def test_what_cannot_be_compared_is_refused(hil, runs, words):
    done = hil("compare", *(CAPTURES / name for name in runs))
    assert done.returncode == 1
    assert words in done.stderr.replace("\n", " ")
    assert "Traceback" not in done.stderr
