"""Three cases of the campaign `scripts/bench calibration`, and what it makes of its rows."""

import pytest

from benchmarks.calibration import TARGETS_DB, _summary, case, random_bench, twin_of
from hil.radios.bench import find_bench
from hil.radios.session import Bench


@pytest.mark.parametrize(("number", "target_db"), [(0, -6.0), (1, 15.0), (16, 6.0)])
def test_the_true_snr_is_what_was_asked_for(number, target_db):
    found = case(random_bench("sim", number), target_db)
    assert found["refused"] is None
    assert found["true_db"] == pytest.approx(target_db, abs=0.5)
    assert found["stated_db"] == pytest.approx(found["true_db"], abs=0.25)
    assert abs(found["cfo_error_hz"]) < 2.0


def test_what_is_out_of_reach_is_refused_and_the_truth_agrees():
    weak = random_bench("sim", 1).model_dump(mode="json")
    weak["links"][0]["path_loss_db"] = 110.0
    found = case(type(find_bench("builtin")).model_validate(weak), 15.0)
    assert found["refused"] == "TooWeakError"
    assert found["agreed"]


@pytest.mark.parametrize("kind", ["sim", "pluto", "uhd", "soapy"])
def test_random_benches_are_drawn_by_number_and_have_a_twin(kind):
    benches = [random_bench(kind, number) for number in range(6)]
    assert random_bench(kind, 3) == benches[3]
    losses = [bench.links[0].path_loss_db for bench in benches]
    assert max(losses) - min(losses) > 5
    with Bench(twin_of(benches[0])) as twin:
        assert twin.truth().link_gain(0) > 0


def test_rows_of_the_campaign():
    base = {"kind": "sim", "refused": None, "held": True, "cfo_error_hz": 0.1, "delay_error": 0.0, "seconds": 1.0, "number": 0}
    done = [base | {"target_db": target, "true_db": target + 0.1} for target in TARGETS_DB]
    done.append({"kind": "uhd", "number": 0, "target_db": 15.0, "refused": "TooWeakError", "agreed": False, "seconds": 2.0})
    rows = {row["name"]: row for row in _summary(done)}
    assert rows["true SNR within 0.5 dB of the target"]["value"] == 1.0
    assert rows["farthest from the target"]["value"] == pytest.approx(0.1)
    assert rows["refused"]["value"] == pytest.approx(0.2)
    assert rows["refused though it was in reach"]["met"] is False
    assert rows["95 % intervals that hold the truth"]["met"] is False  # all of them: wider than they say
