"""What one point is: power, frames sized for the lowest SNR, receivers that fit the bench, and JSON both ways."""

import json
import math

import pytest
import torch

from hil.config import validate
from hil.errors import ConfigError
from hil.phy.frame import sounding_cost_db
from hil.phy.receive import ReceiverConfig
from hil.points.spec import EMULATED_BACK_OFF_DB, PointSpec, frame_for, receiver_for, transmit_power
from hil.radios.bench import find_bench
from tests.unit.models.networks import network, views_of
from tests.unit.points.synthetic import spec_of, turns


@pytest.mark.parametrize("energy", ["per_use", "per_device", "per_task"])
def test_transmit_power(energy):
    single = torch.ones(1, 64, dtype=torch.bool)
    oma = torch.zeros(2, 64, dtype=torch.bool)
    oma[0, :32] = oma[1, 32:] = True
    noma = torch.ones(2, 64, dtype=torch.bool)
    expected = {
        "per_use": [(1,), (1, 1), (1, 1)],
        "per_device": [(1,), (2, 2), (1, 1)],
        "per_task": [(1,), (1, 1), (0.5, 0.5)],
    }
    assert [transmit_power(mask, energy) for mask in (single, oma, noma)] == expected[energy]
    totals = [sum(p * int(n) for p, n in zip(transmit_power(m, energy), m.sum(1), strict=True)) for m in (single, oma, noma)]
    assert totals == {"per_use": [64, 64, 128], "per_device": [64, 128, 128], "per_task": [64, 64, 64]}[energy]


@pytest.mark.parametrize("energy", ["per_use", "per_device", "per_task"])
@pytest.mark.parametrize("name", ["jscc-single", "jscc-single-twin", "jscc-oma", "jscc-noma", "jscc-noma-aware"])
def test_every_task_meets_the_power_constraint(name, energy):
    """‖x_i‖² = n_i; = q; Σ ‖x_i‖² = q: of each task by itself, before any noise."""
    scheme = network(name)
    told = torch.full((6, scheme.plan.transmitters), 2.0) if scheme.plan.tx_csi == "snr" else None
    sent = scheme.encode(views_of(scheme, 6), told).symbols
    power = torch.tensor(transmit_power(scheme.plan.occupied, energy))
    spent = power[:, None] * sent.abs().square().sum(2)
    uses, own = scheme.plan.uses, scheme.plan.occupied.sum(1)
    if energy == "per_task":
        torch.testing.assert_close(spent.sum(0), torch.full((6,), float(uses)), rtol=1e-5, atol=0)
    else:
        wanted = own if energy == "per_use" else torch.full_like(own, uses)
        torch.testing.assert_close(spent, wanted[:, None].expand(-1, 6).float(), rtol=1e-5, atol=0)


def test_power_of_three_transmitters_of_unequal_shares():
    occupied = torch.zeros(3, 12, dtype=torch.bool)
    occupied[0, :6] = occupied[1, 6:8] = occupied[2, 8:] = True
    assert transmit_power(occupied, "per_use") == (1, 1, 1)
    assert transmit_power(occupied, "per_device") == (2, 6, 3)
    assert transmit_power(occupied, "per_task") == (1, 1, 1)


def test_the_receiver_fits_the_bench():
    shared = receiver_for(find_bench("builtin"))
    assert (shared.max_cfo_hz, shared.phase_walk_rad2, shared.aligned) == (0, 0, True)
    assert shared.phase_noise_rad == pytest.approx(2**0.5 * 2**0.5 * math.radians(1), rel=0.01)  # two ends, two times
    bench = find_bench("independent")
    own = receiver_for(bench)
    assert own.max_cfo_hz == pytest.approx(50e-6 * bench.center_freq_hz)  # ±25 ppm at either end
    assert own.phase_walk_rad2 > 0
    assert own.phase_noise_rad is None
    assert not own.aligned
    assert (own.sample_rate_hz, own.center_freq_hz) == (bench.sample_rate_hz, bench.center_freq_hz)
    asked = receiver_for(bench, {"max_cfo_hz": 500.0, "taps_after": 9})
    assert (asked.max_cfo_hz, asked.taps_after, asked.phase_walk_rad2) == (500.0, 9, own.phase_walk_rad2)
    with pytest.raises(ConfigError, match="receiver: unknown key 'taps_afer'"):
        receiver_for(bench, {"taps_afer": 9})


@pytest.mark.parametrize(("lowest", "preamble"), [(15, 240), (-4, 240), (-6, 480), (-7, 480), (-9, 960)])
def test_the_preamble_is_as_long_as_the_lowest_snr_asks(lowest, preamble):
    """The matched filter's bound is −7 dB for 240 samples; 3 dB of margin."""
    assert frame_for(ReceiverConfig(), lowest).preamble_samples == preamble


@pytest.mark.parametrize("lowest", [-9.0, -6.0, 0.0, 10.0])
def test_sounding_costs_little_and_no_symbol_more_than_needed(lowest):
    receiver = ReceiverConfig()
    frame = frame_for(receiver, lowest)
    cost = {
        symbols: sounding_cost_db(lowest, taps=receiver.taps, active=frame.numerology.active, symbols=symbols)
        for symbols in (frame.sounding_symbols, frame.sounding_symbols - 1)
    }
    assert cost[frame.sounding_symbols] <= 0.15 < cost[frame.sounding_symbols - 1]


def test_what_the_run_asks_for_wins_over_what_is_sized():
    given = {"sounding_symbols": 3, "header_repetitions": 5, "preamble_samples": 960, "interleave": False, "seed": 4}
    frame = frame_for(ReceiverConfig(), -6.0, given=given)
    assert {key: getattr(frame, key) for key in given} == given
    assert frame_for(ReceiverConfig(), -6.0, given={"seed": 4}).sounding_symbols > 3
    with pytest.raises(ConfigError, match="frame: unknown key 'colour'"):
        frame_for(ReceiverConfig(), 0.0, given={"colour": 1})


def test_drawn_fades_get_room_below_full_scale():
    plain, faded = (frame_for(ReceiverConfig(), 0.0, fading=fading) for fading in ("none", "emulated"))
    assert plain.digital_rms_dbfs - faded.digital_rms_dbfs == EMULATED_BACK_OFF_DB == 8.0
    assert frame_for(ReceiverConfig(), 0.0, given={"digital_rms_dbfs": -15.0}, fading="emulated").digital_rms_dbfs == -15.0
    given = frame_for(ReceiverConfig(), 0.0, given={"seed": 2}, fading="emulated")
    assert given.digital_rms_dbfs == faded.digital_rms_dbfs


def test_frames_and_tasks_of_a_point():
    spec = spec_of(turns(24, 2), tasks=25, per_frame=6)
    assert spec.frames == 5
    assert spec.format().tasks == 6
    assert not spec.superposed
    assert spec_of(torch.ones(2, 4, dtype=torch.bool)).superposed
    repeated = spec.model_copy(update={"distinct_tasks": 10})
    assert repeated.task_index().tolist() == [*range(10), *range(10), *range(5)]


def test_a_fragment_occupies_the_same_cells_as_every_other():
    spec = spec_of(turns(22, 2), tasks=4, per_frame=1, fragments=3)
    assert spec.frames == 12
    assert spec.cut().shape == (3, 8)  # 11 uses of each transmitter: 4, 4 and 3
    form = spec.format()
    assert form.occupied.tolist() == [[True] * 4 + [False] * 4, [False] * 4 + [True] * 4]
    assert form.tasks == 1


def test_the_name_tells_points_apart():
    spec = spec_of(turns(4))
    assert spec.name == "x +10 dB per_use"
    others = [{"scheme": "y"}, {"snr_db_target": -3.0}, {"energy": "per_task"}]
    assert len({spec.name, *(spec.model_copy(update=change).name for change in others)}) == 4


def test_a_spec_comes_back_from_json():
    spec = spec_of(turns(24, 3), tasks=8, per_frame=1, fragments=2, full_scales=(32768.0, 2048.0), fading="emulated")
    spec = spec.model_copy(update={"tx_snr_db": (1.5, 2.0, -3.0), "rx_csi": "channel"})
    again = validate(PointSpec, json.loads(spec.model_dump_json()), "test")
    assert again == spec
    assert torch.equal(again.occupancy, spec.occupancy)
    assert math.ceil(8 * 2 / 1) == again.frames
    with pytest.raises(ConfigError, match="receptions"):
        validate(PointSpec, {**json.loads(spec.model_dump_json()), "receptions": []}, "test")
