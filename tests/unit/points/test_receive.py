"""The collector: bursts of a channel whose every figure is known, put in place."""

import hashlib
import math

import numpy as np
import pytest
import torch

from hil.errors import ShapeError
from hil.models.contract import Plan
from hil.points.clips import clipped, to_complex
from hil.points.receive import Burst, Collector, combined_sha256
from tests.unit.points.synthetic import Air, spec_of, turns, unit_symbols


def collected(spec, sent, air, *, frames=None, fade=None, reception=0):
    """The collector after these frames (all of them, if none are named) and their ledger rows."""
    collector = Collector(spec, sent, reception=reception, fade=fade)
    full_scale = spec.receptions[reception].full_scale
    rows = [
        collector.add(air.burst(index, sent, fade=fade, full_scale=full_scale), spec.first_frame + index, 1000)
        for index in (range(spec.frames) if frames is None else frames)
    ]
    return collector, rows


def test_frames_in_any_order_are_put_in_place():
    spec = spec_of(turns(24, 2))
    sent = unit_symbols(spec)
    collector, rows = collected(spec, sent, Air(spec, snr_db=45), frames=[2, 0, 3, 1])
    found = collector.finish()
    assert [row["frame"] for row in rows] == [102, 100, 103, 101]
    assert {row["status"] for row in rows} == {"scored"}
    assert found.frames == {"sent": 4, "scored": 4, "lost": 0, "gated": 0}
    assert found.valid.all()
    assert found.sent.all()
    assert float((found.symbols - sent.sum(0)).abs().max()) < 0.1
    assert found.sha256 == hashlib.sha256(found.symbols.numpy().tobytes()).hexdigest()
    assert combined_sha256({"rx": found}) == found.sha256


def test_the_ledger_says_where_and_how_well():
    spec = spec_of(turns(24))
    sent = unit_symbols(spec)
    collector = Collector(spec, sent)
    air = Air(spec, snr_db=20)
    row = collector.add(air.burst(0, sent), 100, 5000)
    assert row["detected"]
    assert abs(row["start"] - 5000 - air.lead) <= 1
    assert row["noise"] == pytest.approx(air.noise, rel=0.5)  # 52 looks
    assert row["snr_db"] == pytest.approx(air.link_snr_db, abs=2)
    assert row["evm_db"] == -row["snr_eff_db"]
    assert row["snr_eff_db"] == pytest.approx(20, abs=1.5)
    assert row["clipped"] == 0


def test_lost_late_and_unsent_frames_are_told_apart():
    spec = spec_of(turns(24))
    sent = unit_symbols(spec)
    air = Air(spec, snr_db=30)
    collector = Collector(spec, sent)
    assert collector.add(air.burst(0, sent), 100)["status"] == "scored"
    lost = collector.add(air.silence(), 101)
    assert (lost["status"], lost["detected"]) == ("lost", False)
    late = collector.miss(102, "late")
    assert (late["frame"], late["status"], late["detected"]) == (102, "late", False)
    found = collector.finish()  # frame 103 was never sent
    assert found.frames == {"sent": 3, "scored": 1, "lost": 2, "gated": 0}
    assert found.valid.all(1).tolist() == [True] * 6 + [False] * 18
    assert found.sent.tolist() == [True] * 18 + [False] * 6
    assert not found.symbols[6:].any()
    assert not found.noise_var[6:].any()
    assert collector.add(np.zeros((0, 2), np.int16), 103)["status"] == "lost"  # nothing came
    assert collector.finish().sent.all()


def test_a_frame_of_another_number_is_heard_and_not_taken():
    spec = spec_of(turns(24))
    sent = unit_symbols(spec)
    collector = Collector(spec, sent)
    row = collector.add(Air(spec, snr_db=30).burst(2, sent), 101)
    assert (row["detected"], row["status"]) == (True, "lost")
    assert not collector.finish().valid.any()


def test_two_frames_in_a_window_the_right_one_is_taken():
    spec = spec_of(turns(24))
    sent = unit_symbols(spec)
    air = Air(spec, snr_db=30)
    both = np.concatenate([air.burst(3, sent), air.burst(1, sent)])
    collector = Collector(spec, sent)
    row = collector.add(both, 101, 0)
    assert row["status"] == "scored"
    assert row["start"] > len(both) // 3
    assert collector.finish().valid.all(1).tolist() == [False] * 6 + [True] * 6 + [False] * 12


def test_frame_numbers_are_absolute_though_the_header_has_16_bits():
    spec = spec_of(turns(24), first_frame=65534)
    sent = unit_symbols(spec)
    collector, rows = collected(spec, sent, Air(spec, snr_db=40))
    assert [row["frame"] for row in rows] == [65534, 65535, 65536, 65537]
    assert float((collector.finish().symbols - sent[0]).abs().max()) < 0.15
    for number in (65533, 65538):
        with pytest.raises(ShapeError, match=f"frame {number} is not one of this point's frames"):
            collector.miss(number)


@pytest.mark.parametrize(("transmitters", "power"), [(1, (1.0,)), (2, (1.0, 0.5)), (3, (1.0, 1.0, 2.0))])
def test_snr_and_evm_are_those_of_the_channel(transmitters, power):
    spec = spec_of(turns(24, transmitters), tasks=240, power=power)
    sent = unit_symbols(spec)
    air = Air(spec, snr_db=12)
    collector, _ = collected(spec, sent, air)
    found = collector.finish()
    looks = found.snr.noise.looks
    assert looks > 2 * 52 * spec.frames  # the leads are as silent as the silent symbols
    for value, error, truth in zip(found.snr_db, found.snr_db_error, air.link_snr_db, strict=True):
        assert 4.343 / math.sqrt(looks) < error < 6.1 / math.sqrt(looks)  # of the noise, and less of the signal
        assert value == pytest.approx(truth, abs=3.5 * error)
    observed = 10 ** (-found.snr_eff_db / 10)
    assert observed == pytest.approx(air.zero_forced.mean() * (1 + air.estimation_cost), rel=0.06)  # equal uses each
    assert found.null_noise_db == pytest.approx(0.0, abs=0.5)
    assert found.cfo_hz == pytest.approx([0.0] * transmitters, abs=2.0)  # measured all the same
    assert float(found.noise_var.mean()) == pytest.approx(air.zero_forced.mean(), rel=0.06)


def test_the_error_of_an_snr_is_its_scatter():
    """Thirty points of one channel: what is stated as standard error is what they scatter by."""
    spec = spec_of(turns(6), tasks=24, per_frame=2)
    sent = unit_symbols(spec)
    scores = []
    for seed in range(30):
        air = Air(spec, snr_db=8, seed=seed)
        found = collected(spec, sent, air)[0].finish()
        scores.append((found.snr_db[0] - air.link_snr_db[0]) / found.snr_db_error[0])
    assert abs(np.mean(scores)) < 0.6  # 3.3 standard errors of the mean
    assert 0.7 < np.std(scores) < 1.4


def test_one_frame_states_what_its_soundings_say():
    """Thirty frames of one channel, each alone: no spread is seen, but each says by how much such frames spread."""
    spec = spec_of(turns(24), tasks=6)
    sent = unit_symbols(spec)
    scores = []
    for seed in range(30):
        air = Air(spec, snr_db=3, seed=seed)
        found = collected(spec, sent, air)[0].finish()
        scores.append((found.snr_db[0] - air.link_snr_db[0]) / found.snr_db_error[0])
    assert abs(np.mean(scores)) < 0.6
    assert 0.7 < np.std(scores) < 1.4


def test_of_nothing_nothing_is_stated():
    spec = spec_of(turns(24), tasks=6)
    sent = unit_symbols(spec)
    nothing = Collector(spec, sent).finish()
    assert all(math.isnan(value) for value in (*nothing.snr_db, nothing.snr_eff_db, nothing.null_noise_db, *nothing.cfo_hz))
    assert nothing.frames == {"sent": 0, "scored": 0, "lost": 0, "gated": 0}


def test_a_drawn_fade_is_in_the_channel_and_in_the_symbols_and_in_no_snr():
    """f = 0.3j in, channel = 0.3j out; y/Ḡ still carries f; the link's SNR does not know of it."""
    spec = spec_of(turns(24, 2), tasks=48)
    sent = unit_symbols(spec)
    fade = torch.full((2, 48), 0.3j)
    fade[1] = torch.linspace(0.5, 2.0, 48)
    air = Air(spec, snr_db=25)
    found = collected(spec, sent, air, fade=fade)[0].finish()
    owned = spec.occupancy[:, None].expand(-1, 48, -1)
    expected = fade[..., None] * owned
    assert float((found.channel - expected).abs().max()) < 0.02
    assert float((found.symbols - (expected * sent).sum(0)).abs().square().mean()) == pytest.approx(10**-2.3, rel=0.6)
    assert found.snr_db == pytest.approx(air.link_snr_db, abs=0.6)
    faded = 10 ** (-found.snr_eff_db / 10)  # against Σ f x, so fades do not count as errors
    assert 0.9 < faded / air.zero_forced.mean() < 1.6  # but errors of phase and response go with |f|², of mean 0.92
    plain = collected(spec, sent, Air(spec, snr_db=25))[0].finish()
    assert torch.allclose(plain.channel, owned.to(torch.complex64), atol=0.02)


def test_superposed_transmitters_that_are_not_aligned_keep_their_channels():
    """Ḡ is one constant; channel says which transmitter came how; the error is against Σ h x."""
    spec = spec_of(torch.ones(2, 24, dtype=torch.bool), tasks=96, aligned=False)
    sent = unit_symbols(spec)
    air = Air(spec, snr_db=25)
    found = collected(spec, sent, air)[0].finish()
    power = (found.channel.abs() ** 2).mean((1, 2))
    truth = (np.abs(air.response) ** 2).mean(1)
    assert float(power[0] / power[1]) == pytest.approx(truth[0] / truth[1], rel=0.1)
    error = float((found.symbols - (found.channel * sent).sum(0)).abs().square().mean())
    assert found.snr_eff_db == pytest.approx(-10 * math.log10(error), abs=0.01)
    level = (air.form.sample_amplitude**2) * truth.mean()
    assert float(found.noise_var.mean()) == pytest.approx(air.noise / level, rel=0.06)
    assert error == pytest.approx(air.noise / level * (1 + 2 * air.estimation_cost), rel=0.15)  # two pilots each


def test_fragments_are_put_together_and_a_task_needs_all_of_them():
    spec = spec_of(turns(24, 2), tasks=8, per_frame=1, fragments=3)
    assert spec.frames == 24
    sent = unit_symbols(spec)
    air = Air(spec, snr_db=40)
    collector = Collector(spec, sent)
    for index in range(24):
        samples = air.silence() if index == 4 else air.burst(index, sent)  # the second fragment of task 1
        if index < 23:  # the last one is never sent
            collector.add(samples, 100 + index)
    found = collector.finish()
    assert found.symbols.shape == (8, 24)
    whole = found.valid.all(1)
    assert whole.tolist() == [True, False, True, True, True, True, True, False]
    assert float((found.symbols - sent.sum(0))[whole].abs().max()) < 0.2
    missing = ~found.valid[1]
    assert missing.tolist() == ([False] * 4 + [True] * 4 + [False] * 4) * 2  # its uses of both transmitters
    assert not found.symbols[1][missing].any()
    assert float((found.symbols[1] - sent.sum(0)[1])[~missing].abs().max()) < 0.2
    assert found.sent.tolist() == [True] * 7 + [False]


def test_each_receiver_counts_in_its_own_full_scale():
    spec = spec_of(turns(24), tasks=48, full_scales=(32768.0, 2048.0))
    sent = unit_symbols(spec)
    near, far = Air(spec, snr_db=20), Air(spec, snr_db=8, gain=0.5, seed=8)
    first = collected(spec, sent, near, reception=0)[0].finish()
    second = collected(spec, sent, far, reception=1)[0].finish()
    assert first.snr_db[0] == pytest.approx(20, abs=0.8)
    assert second.snr_db[0] == pytest.approx(8, abs=0.8)
    both = combined_sha256({"near": first, "far": second})
    assert both == hashlib.sha256(first.symbols.numpy().tobytes() + second.symbols.numpy().tobytes()).hexdigest()


def test_both_rails_are_counted():
    samples = np.array([[2047, 0], [0, -2048], [-2048, 2047], [2046, -2046], [0, 0], [-2047, 1]], np.int16)
    assert clipped(samples, 2048.0) == {"clipped": 4, "clipped_low": 3, "clipped_high": 2}
    assert clipped(samples, 32768.0) == {"clipped": 0, "clipped_low": 0, "clipped_high": 0}
    extreme = np.array([[32767, -32768], [-32767, 0]], np.int16)
    assert clipped(extreme, 32768.0) == {"clipped": 2, "clipped_low": 2, "clipped_high": 1}
    assert clipped(samples[:0], 2048.0)["clipped"] == 0


def test_clipping_of_a_loud_burst_is_in_its_ledger_row():
    spec = spec_of(turns(24), full_scales=(2048.0,))
    sent = unit_symbols(spec)
    loud = Air(spec, snr_db=30, gain=8.0)
    row = collected(spec, sent, loud, frames=[0])[1][0]
    assert row["clipped"] > 20
    assert row["clipped_low"] > 5
    assert row["clipped_high"] > 5
    assert row["clipped"] <= row["clipped_low"] + row["clipped_high"]


def test_samples_become_fractions_of_full_scale():
    made = to_complex(np.array([[2048, -1024], [0, 512]], np.int16), 2048.0)
    assert made.dtype == torch.complex64
    assert made.tolist() == [1 - 0.5j, 0.25j]


def test_a_scheme_gets_what_its_plan_asks_for():
    spec = spec_of(turns(24, 2), power=(4.0, 1.0))
    sent = unit_symbols(spec)
    found = collected(spec, sent, Air(spec))[0].finish()
    silent = found.received(Plan(occupied=spec.occupancy), spec.power)
    assert (silent.noise_var, silent.channel) == (None, None)
    assert silent.scale.tolist() == [2.0, 1.0]
    told = found.received(Plan(occupied=spec.occupancy, rx_csi="channel"), spec.power)
    assert torch.equal(told.channel, found.channel)
    assert torch.equal(told.noise_var, found.noise_var)
    assert torch.equal(told.valid, found.valid)


def test_the_same_samples_give_the_same_bits_whatever_came_before():
    spec = spec_of(turns(24))
    sent = unit_symbols(spec)
    air = Air(spec)
    bursts = [air.burst(index, sent) for index in range(4)]
    one, other = Collector(spec, sent), Collector(spec, sent)
    for index in range(4):
        one.add(bursts[index], 100 + index)
    for index in (3, 1, 0, 2):
        other.add(bursts[index], 100 + index)
    first, second = one.finish(), other.finish()
    assert first.sha256 == second.sha256
    assert torch.equal(first.channel, second.channel)


def test_bursts_together_give_the_bits_and_rows_of_each():
    spec = spec_of(turns(24, 2), tasks=24 * 20)
    sent = unit_symbols(spec)
    air = Air(spec)
    bursts = [Burst(air.burst(index, sent), 100 + index, 50 * index, 50 * index + 7) for index in range(20)]
    bursts[3] = bursts[3]._replace(samples=air.silence())
    bursts[5] = bursts[5]._replace(samples=np.zeros((0, 2), np.int16))
    bursts[9].samples[:2] = int(spec.receptions[0].full_scale) - 1
    one, other = Collector(spec, sent), Collector(spec, sent)
    rows = [one.add(*burst[:3], sent_at=burst.sent_at) for burst in bursts]
    assert other.add_all(iter(bursts)) == rows
    assert [row["status"] for row in rows].count("scored") == 18
    assert rows[9]["clipped"] == 2
    first, second = one.finish(), other.finish()
    assert first.sha256 == second.sha256
    for name in ("channel", "noise_var", "valid", "sent"):
        assert torch.equal(getattr(first, name), getattr(second, name))
    assert (first.frames, first.snr_db, first.snr_eff_db) == (second.frames, second.snr_db, second.snr_eff_db)


@pytest.mark.parametrize(
    ("sent", "fade", "words"),
    [
        (torch.zeros(1, 23, 24), None, r"'sent' must be \[tx, task, use\] = \(1, 24, 24\)"),
        (torch.zeros(1, 24, 24), torch.ones(24), r"'fade' must be \[tx, task\] = \(1, 24\)"),
    ],
)
def test_wrong_shapes_are_named(sent, fade, words):
    with pytest.raises(ShapeError, match=words):
        Collector(spec_of(turns(24)), sent, fade=fade)


def followed(access=1, **more):
    """A point whose frames follow the shape of G, the first of them sounded well, and its air."""
    spec = spec_of(turns(24, access), tasks=24 * 8, **more).with_receiver({"shape_memory": 64})
    frame = spec.frame.model_copy(update={"sounding_symbols": 3})
    spec = spec.model_copy(update={"frame": frame, "opening_symbols": 12})
    return spec, unit_symbols(spec), Air(spec, snr_db=6)


def test_shapes_go_from_frame_to_frame_in_order_of_the_capture():
    spec, sent, air = followed(2)
    bursts = [Burst(air.burst(index, sent), 100 + index) for index in range(8)]
    bursts[5] = bursts[5]._replace(samples=air.silence())
    one, other, alone = Collector(spec, sent), Collector(spec, sent), Collector(spec.with_receiver({"shape_memory": 0}), sent)
    rows = [one.add(*burst[:3]) for burst in bursts]
    assert other.add_all(iter(bursts)) == rows
    assert alone.add_all(iter(bursts))[0]["snr_eff_db"] == rows[0]["snr_eff_db"]
    first, second, third = one.finish(), other.finish(), alone.finish()
    assert first.sha256 == second.sha256 != third.sha256
    assert first.frames == {"sent": 8, "scored": 7, "lost": 1, "gated": 0}
    assert first.snr_eff_db > third.snr_eff_db + 0.3
    assert not any("anew" in row.get("flags", ()) for row in rows)


def test_a_link_that_changes_is_in_the_ledger():
    spec, sent, air = followed()
    other = Air(spec, snr_db=6, taps=((0.1, 0.5, -0.4j, 0.3),))
    collector = Collector(spec, sent)
    rows = [collector.add((air if index < 4 else other).burst(index, sent), 100 + index) for index in range(8)]
    assert ["anew" in row["flags"] for row in rows] == [False] * 4 + [True] + [False] * 3


def test_without_its_first_frame_a_point_begins_with_the_next():
    spec, sent, air = followed()
    collector = Collector(spec, sent)
    rows = [collector.add(air.burst(index, sent), 100 + index) for index in range(1, 8)]
    assert {row["status"] for row in rows} == {"scored"}
    assert collector.finish().frames["sent"] == 7
