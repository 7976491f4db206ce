"""Frames sized for little overhead."""

import math

import numpy as np
import pytest
import torch

from hil.points.overhead import alignment_symbols, alignments_samples, uses_with_overhead
from hil.points.sizing import LEAST_FRAMES, OVERHEAD, _Price, economical, estimate_errors, symbols_of_level
from hil.points.spec import PointSpec, Reception, frame_for, receiver_for
from hil.radios.bench import find_bench


def point(access, snr_db, tasks=2016, bench="builtin", uses=64):
    """A point as the SNR alone would have it."""
    occupied = torch.ones(1 if access == "single" else 2, uses, dtype=torch.bool)
    if access == "oma":
        occupied[0, uses // 2 :] = occupied[1, : uses // 2] = False
    receiver = receiver_for(find_bench(bench))
    frame = frame_for(receiver, snr_db)
    return PointSpec(
        scheme=access, power=(1.0,) * len(occupied), snr_db_target=snr_db, tasks=math.ceil(tasks / 84) * 84, distinct_tasks=84,
        occupied=tuple(map(tuple, occupied.tolist())), first_frame=7, frame=frame,
        receptions=(Reception(full_scale=1.0, receiver=receiver),),
    )  # fmt: skip


def all_uses(spec):
    return uses_with_overhead(spec, alignments_samples(spec))


@pytest.mark.parametrize("access", ["single", "oma", "noma"])
@pytest.mark.parametrize(("bench", "snr_db"), [("builtin", -6), ("builtin", 0), ("builtin", 9), ("independent", 0)])
def test_a_run_as_it_is_by_default_comes_to_1_3(access, bench, snr_db):
    before = point(access, snr_db, bench=bench)
    spec = economical(before, snr_db, longest=252)
    assert all_uses(spec) <= 1.3 * 64
    assert all_uses(spec) <= all_uses(before)
    assert spec.tasks == 2016 == spec.frames * spec.frame.tasks_per_frame
    assert spec.frames >= LEAST_FRAMES
    assert estimate_errors(spec)[0] <= 16 / 52 / 8
    assert estimate_errors(spec)[-1] < 16 / 52 / spec.frame.sounding_symbols


def test_what_it_counts_is_what_is_sent():
    spec = economical(point("noma", -6), -6, longest=252)
    assert _Price.of(spec).uses(spec) == pytest.approx(all_uses(spec))
    assert spec.opening().samples - spec.format().samples == 2 * (spec.opening_symbols - spec.frame.sounding_symbols) * 80


def test_alignments_tell_what_frames_begin_with():
    """All that is sent for superposed transmitters, their four alignments included, within 1.3 uses for each of the task's."""
    aligned = point("noma", -6).model_copy(update={"alignments": 4, "seeded": True})
    spec, untold = (economical(one, -6, longest=252) for one in (aligned, aligned.model_copy(update={"seeded": False})))
    assert spec.told
    assert spec.opening_symbols is None
    assert all_uses(spec) <= 1.3 * 64 < all_uses(untold)
    first, later = alignment_symbols(spec)[:2]
    assert estimate_errors(spec)[0] < 16 / 52 / first + 1 / 52 / 8
    assert estimate_errors(spec)[-1] < 16 / 52 / (first + 3 * later) + 1 / 52 / 8
    assert symbols_of_level(spec) < first + 3 * later + 8 * spec.frame.sounding_symbols


def test_few_tasks_keep_their_frames():
    spec = point("oma", -6, tasks=168)
    assert economical(spec, -6, longest=252) == spec
    more = economical(point("oma", -6, tasks=504), -6, longest=252)
    assert more.frames == LEAST_FRAMES
    assert OVERHEAD * 64 < all_uses(more) < all_uses(point("oma", -6, tasks=504))


def test_frames_of_a_length_that_was_asked_for_sound_less():
    spec = economical(point("oma", -6), -6, longest=84)
    assert (spec.frame.tasks_per_frame, spec.frames) == (84, 24)
    assert spec.frame.sounding_symbols == 8 < spec.opening_symbols


def test_the_level_that_frames_share_rests_on_as_many_symbols_as_its_scatter_says():
    """The mean over frames of running means of white noise, drawn; its variance is that of so many equal symbols."""
    spec = economical(point("single", -6), -6, longest=252)
    memory = spec.receptions[0].receiver.shape_memory
    rng, draws = np.random.default_rng(4), 20_000
    level, known, mean = np.zeros(draws), 0.0, np.zeros(draws)
    for frame in range(spec.frames):
        new = (frame == 0 and spec.opening_symbols) or spec.frame.sounding_symbols
        level = (level * known + rng.standard_normal(draws) * math.sqrt(new)) / (known + new)
        known = min(known + new, memory)
        mean += level / spec.frames
    assert symbols_of_level(spec) == pytest.approx(1 / mean.var(), rel=0.04)  # 1 % of a variance of so many draws
    assert symbols_of_level(spec) < spec.opening_symbols + spec.frames * spec.frame.sounding_symbols


def test_frames_that_fade_share_no_level():
    assert symbols_of_level(point("single", -6, bench="rayleigh")) == math.inf
