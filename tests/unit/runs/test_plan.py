"""The points of a run: what is sent, in which frames, in which order; and what is refused."""

import math

import pytest
import torch

from hil.errors import ConfigError
from hil.models.contract import Sent
from hil.phy.frame import sounding_cost_db
from hil.points.aligning import ALIGNMENT_TRIES
from hil.points.needs import sounding_frames
from hil.radios.bench import find_bench
from hil.runs.config import RunConfig
from hil.runs.plan import check_scorable, drawn_fade, fading_of, plan_points, receivers_of, repeated, sounding_cost
from tests.unit.points.contenders import Pixels, contender
from tests.unit.points.synthetic import turns

SCALES = {"rx": 32768.0, "near": 32768.0, "far": 2048.0}


def scheme(occupied, *, tasks=12, **plan):
    return contender(Pixels(occupied, **plan), tasks=tasks, views=len(occupied))


def superposed(uses=8, transmitters=2, **plan):
    return scheme(torch.ones(transmitters, uses, dtype=torch.bool), **plan)


def planned(contenders, bench="builtin", **settings):
    config = RunConfig(**{"snr_db": (0.0,), "tasks": 24, **settings})
    return plan_points(config, contenders, find_bench(bench), SCALES)


# --- order and frames


def test_at_each_snr_the_schemes_take_turns():
    both = {"one": scheme(turns(8)), "two": superposed()}
    points = planned(both, snr_db=(3.0, -3.0, 9.0))
    assert [(point.snr_db_target, point.scheme) for point in points] == [
        (snr, name) for snr in (3.0, -3.0, 9.0) for name in ("one", "two")
    ]
    assert [point.distinct_tasks for point in points] == [12] * 6
    assert [point.occupancy.tolist() for point in points[:2]] == [turns(8).tolist(), [[True] * 8] * 2]


@pytest.mark.parametrize("settings", [{"tasks": 25}, {"tasks": 1}, {"tasks": 100, "max_frame_uses": 48}])
def test_no_frame_number_is_used_twice_and_room_is_left_for_soundings(settings):
    both = {"one": scheme(turns(60)), "two": superposed(20), "three": scheme(turns(8))}
    points = planned(both, snr_db=(0.0, 6.0, 12.0), **settings)
    taken = set(range(sounding_frames(fading=False)))
    for point in points:
        own = range(point.first_frame - ALIGNMENT_TRIES, point.first_frame + point.frames)
        assert not taken & set(own)
        taken |= set(own)


def test_tasks_are_rounded_up_to_whole_frames():
    (point,) = planned({"one": scheme(turns(8))}, tasks=25, frame={"tasks_per_frame": 10})
    assert (point.tasks, point.frames, point.frame.tasks_per_frame) == (30, 3, 10)


def test_a_frame_holds_no_more_uses_than_asked_for():
    """84 tasks of 8 uses fit into 16128; of 200 uses 80 do; a task of more rides in several frames."""
    schemes = {"small": scheme(turns(8)), "large": scheme(turns(200)), "huge": scheme(turns(100, 2))}
    small, large, huge = planned(schemes, tasks=168, max_frame_uses=96)
    assert (small.frame.tasks_per_frame, small.fragments) == (12, 1)
    assert (large.frame.tasks_per_frame, large.fragments, large.tasks, large.frames) == (1, 3, 168, 504)
    assert (huge.frame.tasks_per_frame, huge.fragments, huge.frames) == (1, 2, 336)
    for point in (small, large, huge):
        form = point.format()
        assert point.frame.tasks_per_frame * int(form.occupied.any(0).sum()) <= 96
    plain = planned(schemes, tasks=168)
    assert [point.frame.tasks_per_frame for point in plain] == [84, 80, 84]
    assert [point.fragments for point in plain] == [1, 1, 1]


def test_runs_come_to_little_overhead_unless_their_frames_are_asked_for():
    schemes = {"single": scheme(turns(64)), "oma": scheme(turns(64, 2)), "noma": superposed(64)}
    points = planned(schemes, tasks=2016, snr_db=(-6.0, 9.0))
    assert [(one.frames, one.frame.tasks_per_frame) for one in points[:3]] == [(18, 112), (14, 144), (8, 252)]
    assert {(one.frame.sounding_symbols, one.tasks) for one in points} == {(8, 2016)}
    assert sounding_cost(points)[0] <= 0.15
    asked = planned(schemes, tasks=2016, snr_db=(-6.0,), frame={"sounding_symbols": 9})
    assert {(one.frames, one.frame.sounding_symbols, one.opening_symbols) for one in asked} == {(24, 9, None)}
    length = planned(schemes, tasks=2016, snr_db=(-6.0,), frame={"tasks_per_frame": 42})
    assert {(one.frames, one.frame.sounding_symbols) for one in length} == {(48, 8)}
    faded = planned({"csi": superposed(rx_csi="channel")}, "rayleigh", tasks=168)
    assert {(one.opening_symbols, one.receptions[0].receiver.shape_memory) for one in faded} == {(None, 0)}


def test_frames_are_sized_for_the_lowest_snr_of_the_weakest_transmitter():
    """Half the power of superposed transmitters under per_task is 3 dB less."""
    (use,) = planned({"two": superposed()}, snr_db=(-3.0, 12.0))[:1]
    (task,) = planned({"two": superposed()}, snr_db=(-3.0, 12.0), energy="per_task")[:1]
    assert use.power == (1.0, 1.0)
    assert task.power == (0.5, 0.5)
    assert (use.frame.preamble_samples, task.frame.preamble_samples) == (240, 480)
    assert task.frame.sounding_symbols > use.frame.sounding_symbols
    untold = task.model_copy(update={"seeded": False})  # by its frames' own soundings alone
    cost, lowest = sounding_cost([untold])
    assert sounding_cost([task])[0] < cost
    assert lowest == pytest.approx(-3 - 10 * math.log10(2))
    taps = task.receptions[0].receiver.taps
    assert cost == sounding_cost_db(lowest, taps=taps, active=52, symbols=task.frame.sounding_symbols) <= 0.15
    per_device = planned({"oma": scheme(turns(8, 2))}, energy="per_device")
    assert per_device[0].power == (2.0, 2.0)


def test_what_the_run_asks_of_frames_and_receivers_is_in_every_point():
    both = {"one": scheme(turns(8)), "two": superposed()}
    settings = {"frame": {"interleave": False, "seed": 7, "sounding_symbols": 5}, "receiver": {"taps_after": 9}}
    for point in planned(both, snr_db=(0.0, 6.0), **settings):
        assert (point.frame.interleave, point.frame.seed, point.frame.sounding_symbols) == (False, 7, 5)
        assert point.receptions[0].receiver.taps_after == 9


# --- transmitters, receivers, fading


def test_any_number_of_transmitters():
    (point,) = planned({"three": scheme(turns(9, 3))}, "three", energy="per_device")
    assert point.power == (3.0, 3.0, 3.0)
    assert point.format().transmitters == 3
    assert [len(segment.transmitters) for segment in point.format().segments] == [1, 1, 1]
    (both,) = planned({"all": superposed(8, 3)}, "three")
    assert both.superposed
    assert both.format().segments[0].transmitters == (0, 1, 2)


def test_a_scheme_listens_with_the_first_receivers_of_the_bench():
    schemes = {"one": scheme(turns(8)), "two": scheme(turns(8), receivers=("a", "b"))}
    one, two = planned(schemes, "two-receivers")
    assert [(rx.name, rx.full_scale) for rx in one.receptions] == [("near", 32768.0)]
    assert [(rx.name, rx.full_scale) for rx in two.receptions] == [("near", 32768.0), ("far", 2048.0)]


@pytest.mark.parametrize(
    ("bench", "plan", "aligned"),
    [
        ("two-receivers", {"receivers": ("a", "b")}, [True, True]),  # nothing to align
        ("independent", {}, [True]),
    ],
)
def test_orthogonal_transmitters_need_no_alignment(bench, plan, aligned):
    (point,) = planned({"one": scheme(turns(8, 2), **plan)}, bench)
    assert [rx.receiver.aligned for rx in point.receptions] == aligned


@pytest.mark.parametrize(
    ("bench", "plan", "aligned"),
    [
        ("builtin", {}, [True]),
        ("independent", {"rx_csi": "channel"}, [False]),  # oscillators of their own
        ("two-receivers", {"receivers": ("a", "b"), "rx_csi": "channel"}, [False, False]),  # they are told it
        ("builtin", {"rx_csi": "channel"}, [False]),
    ],
)
def test_superposed_transmitters_are_aligned_where_that_can_be_and_must(bench, plan, aligned):
    (point,) = planned({"two": superposed(**plan)}, bench)
    assert [rx.receiver.aligned for rx in point.receptions] == aligned
    assert point.aligned == aligned[0]
    assert (point.alignments, point.match_clocks, point.gate.phase_deg) == (4, True, 20.0)


def test_a_scheme_may_be_left_unaligned_to_show_what_it_is_worth():
    (point,) = planned({"two@unaligned": superposed()})
    assert not point.aligned
    (free,) = planned({"two@unaligned": superposed()}, "independent")  # at its own risk
    assert not free.aligned
    with pytest.raises(ConfigError, match="superposes nothing"):
        check_scorable(find_bench("builtin"), {"one@unaligned": scheme(turns(8, 2))}, "none")
    check_scorable(find_bench("independent"), {"two@unaligned": superposed()}, "none")
    with pytest.raises(ConfigError, match="'two@unaligned'"):
        check_scorable(find_bench("independent"), {"two": superposed()}, "none")


def test_where_links_fade_a_frame_carries_one_task():
    csir = {"one": scheme(turns(8), rx_csi="channel")}
    (point,) = planned(csir, "rayleigh", tasks=25)
    assert (point.fading, point.tasks, point.frames, point.frame.tasks_per_frame) == ("air", 25, 25, 1)
    assert point.first_frame >= sounding_frames(fading=True)
    assert planned(csir, "rayleigh", frame={"tasks_per_frame": 1})[0].frames == 24
    with pytest.raises(ConfigError, match=r"leave frame\.tasks_per_frame = 12 out"):
        planned(csir, "rayleigh", frame={"tasks_per_frame": 12})


def test_superposed_transmitters_are_aligned_where_fades_are_drawn_also_for_who_knows_the_channel():
    """What is looked at is the drawn fade; the front ends' own phases over the band beside it would be another channel."""
    csir = {"two": superposed(rx_csi="channel")}
    assert not planned(csir)[0].aligned
    assert planned(csir, fading="emulated")[0].aligned
    assert not planned(csir, "rayleigh")[0].aligned


@pytest.mark.parametrize(
    ("bench", "fading", "by_channel"),
    [
        ("builtin", "none", True),
        ("builtin", "emulated", False),
        ("independent", "none", True),
        ("independent", "emulated", True),
    ],
)
def test_superposed_transmitters_that_are_not_aligned_are_held_against_the_channel_that_they_met(bench, fading, by_channel):
    """On free oscillators the drawn fades are turned by phases that no simulation knows."""
    (point,) = planned({"two": superposed(rx_csi="channel")}, bench, fading=fading)
    assert point.by_channel is by_channel


def test_where_fades_are_drawn_frames_stay_full_and_their_peaks_have_room():
    csir = {"one": scheme(turns(8), rx_csi="channel")}
    plain, faded = planned(csir)[0], planned(csir, fading="emulated")[0]
    assert faded.fading == "emulated"
    assert faded.frame.tasks_per_frame == plain.frame.tasks_per_frame
    assert faded.frame.digital_rms_dbfs == plain.frame.digital_rms_dbfs - 8


def test_fading_happens_in_one_place():
    assert fading_of(RunConfig(), find_bench("builtin")) == "none"
    assert fading_of(RunConfig(fading="emulated"), find_bench("builtin")) == "emulated"
    assert fading_of(RunConfig(), find_bench("rayleigh")) == "air"
    with pytest.raises(ConfigError, match="'rayleigh' has fading links already"):
        fading_of(RunConfig(fading="emulated"), find_bench("rayleigh"))


def test_every_receiver_of_the_bench_has_a_configuration():
    found = receivers_of(find_bench("two-receivers"), RunConfig(receiver={"taps_after": 9}))
    assert list(found) == ["near", "far"]
    assert {one.taps_after for one in found.values()} == {9}


# --- refusals


@pytest.mark.parametrize(
    ("one", "bench", "fading", "words"),
    [
        (lambda: scheme(torch.ones(1, 0, dtype=torch.bool)), "builtin", "none", "'x' sends nothing: .* leave it out"),
        (lambda: superposed(8, 3), "builtin", "none", "'x' needs 3 transmitters, bench 'builtin' has 2"),
        (lambda: scheme(turns(8), receivers=("a", "b")), "builtin", "none", "'x' needs 2 receivers, bench 'builtin' has 1"),
        (
            lambda: scheme(turns(8)),
            "rayleigh",
            "air",
            r"has fading links, and scheme 'x' knows no channel \(rx_csi = \"none\"\)",
        ),
        (lambda: scheme(turns(8), rx_csi="snr"), "rayleigh", "air", r"knows no channel \(rx_csi = \"snr\"\)"),
        (superposed, "independent", "none", "'x' superposes transmitters and needs them aligned"),
        (lambda: superposed(receivers=("a", "b")), "two-receivers", "none", "for several receivers without channel knowledge"),
    ],
)
def test_what_would_print_numbers_that_mean_nothing_is_refused(one, bench, fading, words):
    with pytest.raises(ConfigError, match=words):
        check_scorable(find_bench(bench), {"x": one()}, fading)


@pytest.mark.parametrize(
    ("one", "bench", "fading"),
    [
        (superposed, "builtin", "none"),
        (superposed, "builtin", "emulated"),  # G is aligned, f is the experiment
        (lambda: scheme(turns(8)), "builtin", "emulated"),  # the no-CSI case
        (lambda: scheme(turns(8, 2)), "independent", "none"),
        (lambda: superposed(rx_csi="channel"), "independent", "none"),
        (lambda: superposed(rx_csi="channel"), "rayleigh", "air"),
        (lambda: superposed(rx_csi="channel", receivers=("a", "b")), "two-receivers", "none"),
        (lambda: scheme(turns(8), receivers=("a", "b")), "two-receivers", "none"),
    ],
)
def test_what_is_meaningful_is_allowed(one, bench, fading):
    check_scorable(find_bench(bench), {"x": one()}, fading)


# --- drawn fades


def test_fades_are_cn01():
    fade = drawn_fade(3, 2, 40_000)
    assert fade.dtype == torch.complex64
    assert fade.shape == (2, 40_000)
    power = fade.abs().square()
    error = 4 / 40_000**0.5  # four standard errors of a mean of exponentials
    for row in fade:
        assert float(row.abs().square().mean()) == pytest.approx(1.0, abs=error)
        assert float(row.mean().abs()) < error
        assert float((row**2).mean().abs()) < 1.5 * error  # circular
        assert float((row[1:] * row[:-1].conj()).mean().abs()) < error  # one task says nothing of the next
    assert float((fade[0] * fade[1].conj()).mean().abs()) < error  # nor one transmitter of another
    for level in (0.1, 1.0, 3.0):  # |f|² is exponential
        assert float((power > level).double().mean()) == pytest.approx(math.exp(-level), abs=0.008)


def test_every_scheme_and_point_meets_the_same_fades():
    whole = drawn_fade(3, 3, 100)
    assert torch.equal(drawn_fade(3, 1, 100), whole[:1])
    assert torch.equal(drawn_fade(3, 3, 100), whole)
    assert torch.equal(drawn_fade(3, 2, 37), whole[:2, :37])  # more tasks change nothing of the first ones
    assert not torch.equal(drawn_fade(4, 3, 100), whole)


def test_fades_do_not_hang_on_how_many_there_are():
    """Schemes of other lengths send other numbers of tasks: whole frames of theirs."""
    whole = drawn_fade(1, 1, 3000)
    for count in (1, 2, 5, 8, 15, 16, 17, 100, 1023, 1024, 1025, 2048, 2999):
        assert torch.equal(drawn_fade(1, 1, count), whole[:, :count])


def test_tasks_are_repeated_with_all_that_goes_with_them():
    sent = Sent(
        symbols=torch.arange(6.0).view(1, 3, 2) + 0j, length=torch.tensor([[0, 1, 2]]), side={"s": torch.arange(3)[:, None]}
    )
    index = torch.tensor([2, 0, 2])
    found = repeated(sent, index)
    assert found.symbols[0, :, 0].real.tolist() == [4, 0, 4]
    assert found.length.tolist() == [[2, 0, 2]]
    assert found.side["s"].tolist() == [[2], [0], [2]]
    bare = repeated(Sent(symbols=sent.symbols), index)
    assert (bare.length, bare.side) == (None, None)
