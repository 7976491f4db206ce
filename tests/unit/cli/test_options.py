"""What verbs share: lists of SNRs and names, defaults in help texts, and flags that become settings."""

import click
import pytest

from hil.cli.options import default_of, flags_of, parse_names, parse_snr
from hil.runs.config import RunConfig, SendConfig


def snr(text):
    return parse_snr(None, None, text)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("-6:15:3", (-6, -3, 0, 3, 6, 9, 12, 15)),
        ("0:3", (0, 1, 2, 3)),
        ("0:1:0.25", (0, 0.25, 0.5, 0.75, 1)),
        ("0:1:0.3", (0, 0.3, 0.6, 0.9)),
        ("0:0.3:0.1", (0, 0.1, 0.2, 0.3)),  # 3 · 0.1 is a hair above 0.3
        ("5", (5,)),
        ("7,-2.5,0", (7, -2.5, 0)),
        (None, ()),
    ],
)
def test_snrs(text, values):
    assert snr(text) == pytest.approx(values)


@pytest.mark.parametrize("text", [
    "a", "a:b", "3:1", "0:5:0", "0:5:-1", "1,,2", "0:1:2:3", "0:inf:1", "0:nan:1", "", ",", ":", "1:", "inf", "nan,1",
    "-inf:0:1", "15:-6:-3", "1;2", "x" * 500,
])  # fmt: skip
def test_what_is_no_list_of_snrs(text):
    with pytest.raises(click.BadParameter, match="FIRST:LAST:STEP"):
        snr(text)


@pytest.mark.parametrize("text", ["0:1:1e-9", "0:1e9:1", "-1e308:1e308:1", "0:1:5e-324"])
def test_too_many_snrs_are_refused_before_they_are_made(text):
    with pytest.raises(click.BadParameter, match="more than 1000 SNRs"):
        snr(text)


def test_snrs_of_a_run_are_in_range_and_each_there_once():
    from hil.config import validate
    from hil.errors import ConfigError

    for values, words in (
        ((5, 5), r"\+5 dB is repeated"),
        ((5, 0, 5.0000001), r"\+5 dB is repeated"),  # no two points of a capture have one name
        ((0, -0.0), r"\+0 dB is repeated"),
        ((0, 61), r"−20…60 dB, not 61"),
        ((float("inf"),), "finite"),
        ((float("nan"),), "finite"),
        (range(2000), "at most 1000 SNRs make a run, not 2,000"),
        ((), "at least 1"),
        (("x",), "valid number"),
        ("0,5", "valid tuple"),
    ):
        with pytest.raises(ConfigError, match=rf"^test: snr_db.*{words}"):
            validate(RunConfig, {"snr_db": values}, "test")


def test_names():
    for nothing in ("", ",", " , "):
        with pytest.raises(click.BadParameter, match="names with commas"):
            parse_names(None, None, nothing)
    assert parse_names(None, None, " a, b/c.py:D ,,e ") == ("a", "b/c.py:D", "e")
    assert parse_names(None, None, None) == ()


def test_defaults_of_help_texts_are_the_models():
    assert default_of(RunConfig, "snr_db", "Targets.") == "Targets.  [default: -6:15:3]"
    assert default_of(RunConfig, "tasks", "T.") == f"T.  [default: {RunConfig().tasks}]"
    assert default_of(RunConfig, "schemes", "S.").endswith("[default: " + ",".join(RunConfig().schemes) + "]")
    assert default_of(RunConfig, "models", "M.") == "M."  # None: nothing to show
    assert default_of(SendConfig, "snr_db", "S.") == "S.  [default: 15.0]"


def test_flags_that_were_given_become_settings():
    given = {"tasks": None, "seed": 0, "interleave": False, "schemes": (), "snr_db": (1.0,), "normalize": None}
    assert flags_of(given, {"interleave": "frame.interleave"}) == {"seed": 0, "frame.interleave": False, "snr_db": (1.0,)}
