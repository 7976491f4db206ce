"""`hil score`: options of goals."""

import pytest
from click.testing import CliRunner

from hil.cli.score import score
from hil.errors import ConfigError


def test_an_option_needs_its_goal():
    with pytest.raises(ConfigError, match=r"--set needs GOAL\.KEY=VALUE.*'gallery'"):
        CliRunner().invoke(score, ["somewhere", "--set", "gallery=raw"], catch_exceptions=False)
