"""What a run says that it will take."""

from __future__ import annotations

import pytest

from hil.radios.bench import find_bench
from hil.runs.config import RunConfig
from hil.runs.forecast import simulation_seconds, tell_simulation
from hil.runs.plan import plan_points
from hil.runs.progress import Silent
from hil.runs.work import load_work


class _Heard(Silent):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        """One line."""
        self.lines.append(text)


def _said(draws: int, *schemes: str) -> list[str]:
    config = RunConfig(schemes=schemes, dataset="synthetic:identities=12", snr_db=(0.0, 10.0), tasks=24, draws=draws)
    work = load_work(config)
    bench = find_bench("builtin")
    heard = _Heard()
    tell_simulation(
        plan_points(config, work.contenders, bench, {one.name: 1.0 for one in bench.receivers}), work.contenders, config, heard
    )
    return heard.lines


def test_answers_are_counted_as_they_are_drawn() -> None:
    (line,) = _said(1_000_000, "single", "noma")
    # 36 distinct tasks at two SNRs; single is drawn at two bases, superposed ones also with a task's energy fixed
    assert f"{36 * 2 * (2 + 3) * 1_000_000:,} answers" in line
    assert "of it for jscc-" in line


def test_a_decoder_that_is_told_the_channel_is_drawn_through_it_besides() -> None:
    (line,) = _said(1_000_000, "jscc-noma-csir")
    assert f"{36 * 2 * 4 * 1_000_000:,} answers" in line


def test_little_is_not_worth_a_word() -> None:
    assert _said(1, "single", "noma") == []


def test_an_answer_takes_time() -> None:
    work = load_work(RunConfig(schemes=("single",), dataset="synthetic:identities=12", tasks=24))
    assert 0 < simulation_seconds(work.contenders["jscc-single"], 5.0) < 1


@pytest.mark.parametrize("scheme", ["jscc-single-csir", "digital-single"])
def test_schemes_with_knowledge_are_timed_too(scheme: str) -> None:
    work = load_work(RunConfig(schemes=(scheme,), dataset="synthetic:identities=12", tasks=24))
    assert simulation_seconds(next(iter(work.contenders.values())), 5.0) > 0
