"""The receivers of a bench alone: they hear what a session hears, and there is nothing to send with."""

import numpy as np
import pytest

from hil.errors import RadioError
from hil.radios.bench import find_bench
from hil.radios.ears import Ears
from hil.radios.session import Bench
from tests.conftest import ROOT


def bench(name):
    return find_bench(ROOT / "radios" / f"{name}.toml")


def test_they_hear_the_noise_that_a_session_hears():
    config = bench("builtin")
    with Bench(config) as session:
        expected = session.listen(50_000).heard["rx"].samples.astype(float)
    with Ears(config) as ears:
        heard, events = ears.read("rx", 50_000)
        assert ears.full_scale("rx") == 2048
        assert ears.rate_hz("rx") == config.sample_rate_hz
        assert ears.carrier_hz("rx") == config.center_freq_hz
        assert not ears.paced("rx")
    assert events == ()
    assert heard.samples.astype(float).var() == pytest.approx(expected.var(), rel=0.03)


def test_reads_follow_each_other_without_a_hole():
    with Ears(bench("builtin")) as ears:
        first, _ = ears.read("rx", 1000)
        second, _ = ears.read("rx", 500)
    assert second.start == first.start + 1000
    assert second.samples.shape == (500, 2)


def test_each_receiver_of_a_bench():
    with Ears(bench("two-receivers")) as ears:
        got = {name: ears.read(name, 4000)[0].samples for name in ears.receivers}
    assert len(got) == 2
    assert not np.array_equal(*got.values())


def test_no_transmit_channel_is_in_use():
    with Ears(bench("builtin")) as ears:
        applied = ears.applied
    assert set(applied) == {"rx"}
    assert all(one.tx_channels == () for one in applied.values())


def test_what_makes_no_sense_is_refused():
    with Ears(bench("builtin")) as ears:
        with pytest.raises(RadioError, match="must be one of rx, not 'ry'"):
            ears.read("ry", 10)
        with pytest.raises(RadioError, match="at least 1, not 0"):
            ears.read("rx", 0)
