"""What a run is asked for: checked at once, whole tables too, and resolved to what can be done again."""

import tomllib

import pytest

from hil.config import to_toml, validate
from hil.errors import ConfigError
from hil.registry import SCHEMES
from hil.runs.config import RunConfig, SendConfig


def run(**settings):
    return validate(RunConfig, settings, "test")


def test_the_default_is_the_paper_on_the_built_in_bench():
    config = RunConfig()
    assert config.snr_db == (-6, -3, 0, 3, 6, 9, 12, 15)
    assert config.schemes == SCHEMES.defaults()
    assert config.dataset == ""
    assert (config.bench, config.energy, config.fading, config.simulate) == ("builtin", "per_use", "none", "none")
    assert config.tasks_per_frame == 84
    assert config.sent_tasks == config.tasks == 24 * 84


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"colour": 1}, "unknown key 'colour'"),
        ({"tasks": 0}, "tasks"),
        ({"distinct_tasks": 0}, "distinct_tasks"),
        ({"schemes": []}, "schemes"),
        ({"snr_db": []}, "snr_db"),
        ({"snr_db": [61.0]}, "each SNR must lie in −20…60 dB"),
        ({"snr_db": [-21.0]}, "each SNR must lie in"),
        ({"snr_db": [float("nan")]}, "snr_db"),
        ({"energy": "free"}, "energy"),
        ({"fading": "air"}, "fading"),  # is the bench's to say
        ({"max_frame_uses": 47}, "max_frame_uses"),
        ({"draws": 0}, "draws"),
        ({"air_seed": -1}, "air_seed"),
        ({"frame": {"colour": 1}}, "frame: unknown key 'colour'"),
        ({"frame": {"interleave": "perhaps"}}, "frame: interleave"),
        ({"frame": {"numerology": {"colour": 1}}}, "colour"),
        ({"receiver": {"taps": 1}}, "receiver: unknown key 'taps'"),
    ],
)
def test_mistakes_are_named_before_anything_starts(settings, words):
    with pytest.raises(ConfigError, match=words):
        run(**settings)


def test_whole_frames_are_sent():
    config = run(tasks=25, frame={"tasks_per_frame": 10})
    assert (config.tasks_per_frame, config.sent_tasks) == (10, 30)


def test_resolved_it_names_everything_and_is_a_file_that_says_the_same():
    asked = run(tasks=25, frame={"tasks_per_frame": 10}, distinct_tasks=99, schemes=["noma"], air_seed=4)
    found = asked.resolved(["jscc-noma"], ["retrieval"], {"retrieval": {"gallery": "raw"}}, dataset="one")
    assert found.schemes == ("jscc-noma",)
    assert found.goals == ("retrieval",)
    assert found.options == {"retrieval": {"gallery": "raw"}}
    assert found.distinct_tasks == 30  # no more than are sent
    assert run(**tomllib.loads(to_toml(found))) == found
    assert asked.distinct_tasks == 99


def test_what_is_sent_by_hand_has_an_snr_in_range():
    assert SendConfig().snr_db == (15.0,)
    for value in (-21.0, 61.0, float("nan")):
        with pytest.raises(ConfigError, match="snr_db"):
            validate(SendConfig, {"snr_db": value}, "test")
    with pytest.raises(ConfigError, match="unknown key 'tasks'"):
        validate(SendConfig, {"tasks": 5}, "test")
