"""Rounds of alignment: several a point, refused and made anew where frames say so; the same in replay."""

import math

import numpy as np
import pytest
import torch

from hil.calibration.alignment import Coherence, Misalignment, Relative, misalignment, relative_to_first
from hil.calibration.gate import GateConfig
from hil.captures import Capture, CaptureWriter, FrameStatus
from hil.models.contract import Sent
from hil.phy.numerology import Numerology
from hil.points.flight import stored_alignments, stored_expectations
from hil.points.on_air import AirRun
from hil.points.rounds import ALIGNED, FLAGS, UNALIGNED
from hil.points.spec import frame_for, receiver_for
from hil.radios.bench import find_bench
from hil.radios.session import Bench
from hil.runs.replay import collect_point
from tests.unit.points.test_on_air import noise_like, noma

NUMEROLOGY = Numerology()
CARRIERS = np.array(NUMEROLOGY.carriers)


def off_by(phase_rad, delay, power_db, noise=0.0, seed=0):
    """Responses of two transmitters on a channel with echoes, the second one off."""
    shape = 1 + 0.3 * np.exp(-2j * np.pi * CARRIERS * 2 / 64)
    turn = 10 ** (power_db / 20) * np.exp(1j * phase_rad - 2j * np.pi * CARRIERS * delay / 64)
    both = np.stack([shape, shape * turn]).astype(np.complex64)
    draw = np.random.default_rng(seed)
    return torch.from_numpy(both + noise * (draw.normal(size=both.shape) + 1j * draw.normal(size=both.shape)) / 2**0.5)


@pytest.mark.parametrize(("phase", "delay", "power"), [(0.3, 0.1, -1.0), (3.0, -2.0, 3.0), (-1.2, 0.0, 0.0)])
def test_what_a_transmitter_is_off_by_is_read_off(phase, delay, power):
    (found,) = relative_to_first(off_by(phase, delay, power).to(torch.complex64), NUMEROLOGY)
    assert found.phase_rad == pytest.approx(phase, abs=1e-5)
    assert found.delay_samples == pytest.approx(delay, abs=1e-5)
    assert found.power_db == pytest.approx(power, abs=1e-4)


def test_errors_are_as_large_as_stated():
    snr, symbols = 10.0, 4
    noise = (1.09 / snr / symbols) ** 0.5  # of the mean over the sounding symbols
    looks = [
        relative_to_first(
            off_by(0.05, 0.02, 0.1, noise, seed).to(torch.complex64), NUMEROLOGY, snr=torch.tensor([snr, snr]), symbols=symbols
        )[0]
        for seed in range(400)
    ]
    for name, error in (("phase_rad", "phase_error"), ("delay_samples", "delay_error"), ("power_db", "power_error")):
        seen, stated = np.std([getattr(one, name) for one in looks]), np.mean([getattr(one, error) for one in looks])
        assert stated == pytest.approx(seen, rel=0.15)


def test_a_frame_is_out_of_bounds_only_beyond_doubt():
    snr = torch.tensor([100.0, 100.0])
    gate = GateConfig(phase_deg=20, power_db=1, delay_samples=0.25)

    def judged(*off, good=snr):
        return misalignment(off_by(*off).to(torch.complex64), NUMEROLOGY, snr=good, symbols=4).beyond(gate)

    assert judged(0.2, 0.0, 0.0) is None
    assert judged(0.5, 0.0, 0.0).startswith("phase 28.6°")
    assert judged(0.0, 0.0, -1.5).startswith("power 1.5 dB")
    assert judged(0.0, 0.4, 0.0).startswith("phase")  # 35° rms over the band
    assert judged(0.5, 0.0, 0.0, good=snr / 1000) is None  # nobody knows


def test_coherence_is_the_age_at_which_half_the_bound_is_drifted():
    def seen(phase):
        one = Relative(phase_rad=phase, delay_samples=0, power_db=0, phase_error=0.01, delay_error=0.01, power_error=0.1)
        return Misalignment(
            phase_deg=math.degrees(abs(phase)), power_db=0, delay_samples=0, phase_error=0.6, power_error=0.1,
            delay_error=0.01, relatives=(one,),
        )  # fmt: skip

    gate = GateConfig(phase_deg=20)
    draw = np.random.default_rng(1)
    steady, drifting = Coherence(), Coherence()
    for round_ in range(4):
        for one in (steady, drifting):
            one.aligned()
        for frame in range(6):
            at = round_ + 0.05 * frame
            steady.observe(at, seen(0.01 * draw.normal()))
            drifting.observe(at, seen(0.01 * draw.normal() + 2.0 * 0.05 * frame))
    assert steady.holds_s(gate) == math.inf
    assert drifting.rate == pytest.approx(2.0, rel=0.1)
    assert drifting.holds_s(gate) == pytest.approx(math.radians(10) / 2.0, rel=0.1)
    assert drifting.holds_s(GateConfig(coherence_s=0.5)) == 0.5


class Turning:
    """A bench on which transmitter 1 turns when it is told to; the rest is the bench's own."""

    def __init__(self, bench, turn_rad):
        self._bench, self._turn, self.bursts = bench, turn_rad, 0

    def __getattr__(self, name):
        return getattr(self._bench, name)

    def burst(self, waveforms, **more):
        self.bursts += 1
        turned = np.array(waveforms)
        turned[1] *= np.exp(1j * self._turn(self.bursts))
        return self._bench.burst(turned, **more)


def measured(tmp_path, turn_rad, *, snr_db=10.0, **changes):
    """A superposed point of six frames on such a bench; what came of it, and its capture."""
    config = find_bench("builtin")
    receiver = receiver_for(config)
    frame = frame_for(receiver, snr_db)
    place = tmp_path / "c.h5"
    with Bench(config) as bench:
        writer = CaptureWriter.create(place, config={}, provenance={}, models={}, receivers=["rx"], transmitters=2, flags=FLAGS)
        with writer:
            turning = Turning(bench, lambda number: 0.0)
            air = AirRun(turning, writer, {"rx": receiver})
            air.calibrate(frame)
            begin = turning.bursts
            turning._turn = lambda number: turn_rad(number - begin)
            settings = {"alignments": 2, "gate": GateConfig()} | changes
            spec = noma(bench, frame, tasks=6 * frame.tasks_per_frame, snr_db=snr_db).model_copy(update=settings)
            made = air.measure(spec, Sent(symbols=noise_like(spec)), {}, air.levels_for(snr_db), lambda steps: None)
    return spec, made, place


def replayed(place, spec):
    with Capture.open(place) as capture:
        record = next(one for one in capture.points if one.attrs["kind"] == "point")
        found, _, _ = collect_point(capture, record, spec)
        flags = {name: 1 << bit for bit, name in enumerate(capture.flags)}
        ledger = capture.ledger(record.index)
        marked = {name: [bool(one & flags[name]) for one in ledger["flags"]] for name in (ALIGNED, UNALIGNED)}
        return found["rx"], [FrameStatus(one) for one in ledger["status"]], marked, stored_alignments(record.extra)


def test_a_round_out_of_bounds_is_aligned_and_sent_again(tmp_path):
    """Burst 1 sounds, 2 … 4 are frames; before 4 the transmitter turns by a quarter: refused, aligned (5), sent again (6)."""
    spec, made, place = measured(tmp_path, lambda number: 0.0 if number < 4 else math.pi / 2)
    live = made.collections["rx"]
    assert live.frames == {"sent": 6, "scored": 6, "lost": 0, "gated": 1}
    again, status, marked, stored = replayed(place, spec)
    gated = FrameStatus.GATED
    assert status == [FrameStatus.SCORED] * 2 + [gated] + [FrameStatus.SCORED] * 4
    assert marked[ALIGNED] == [True, False, False, True, True, False, False]  # the second round begins with its own
    assert not any(marked[UNALIGNED])
    assert len(stored) == 3
    assert made.precoders.shape == (3, 2, 52)
    per_frame = spec.frame.tasks_per_frame
    assert live.block.tolist() == [0] * 2 * per_frame + [1] * per_frame + [2] * 3 * per_frame
    assert live.alignment["phase_deg"] < 5
    assert live.alignment["gated"] == 1
    assert live.snr_eff_db > 9
    assert (again.sha256, again.frames, again.alignment) == (live.sha256, live.frames, live.alignment)
    assert torch.equal(again.block, live.block)


def test_a_level_that_steps_is_seen_at_the_frame_itself(tmp_path):
    """From burst 4 on a transmitter has 4 dB less: what all soundings before said of it hides it neither there nor after."""
    lost = 1j * math.log(10 ** (4 / 20))
    spec, made, place = measured(tmp_path, lambda number: 0.0 if number < 4 else lost, snr_db=0.0, seeded=True)
    live = made.collections["rx"]
    assert live.frames == {"sent": 6, "scored": 6, "lost": 0, "gated": 1}
    assert live.alignment["power_db"] < 1
    again, status, _, _ = replayed(place, spec)
    assert status[2] == FrameStatus.GATED
    assert (again.sha256, again.alignment) == (live.sha256, live.alignment)


def test_only_a_level_beyond_doubt_takes_the_place_of_the_filtered_one():
    draw, snr, symbols = np.random.default_rng(3), 0.25, 8
    looks = symbols * 52

    def seen(level):
        """A frame whose second transmitter has a level, by symbols at −6 dB; the response is that of frames before."""
        error = math.sqrt((2 * level / snr + 1 / snr**2 / (symbols - 1)) / looks)
        own = torch.tensor([1.0, level + error * draw.standard_normal()])
        return misalignment(
            off_by(0.0, 0.0, 0.0).to(torch.complex64) / 1.09**0.5, NUMEROLOGY, snr=own * snr, symbols=symbols, own=own
        )

    found = [seen(1.0) for _ in range(300)]
    assert sum(one.stepped for one in found) <= 1
    assert max(one.power_db for one in found if not one.stepped) < 1e-3
    found = [seen(4.0) for _ in range(20)]
    assert all(one.stepped for one in found)
    assert np.mean([one.power_db for one in found]) == pytest.approx(6.0, abs=0.5)
    assert all(one.beyond(GateConfig()) for one in found)


def test_what_cannot_be_aligned_is_kept_and_marked(tmp_path):
    """A transmitter that turns by a quarter at every burst is never aligned: as many repeats as allowed, then kept."""
    spec, made, place = measured(
        tmp_path, lambda number: number * math.pi / 2, alignments=1, gate=GateConfig(repeats=1), tasks=168, distinct_tasks=168
    )
    live = made.collections["rx"]
    frames = spec.frames
    assert live.frames == {"sent": frames, "scored": frames, "lost": 0, "gated": frames}
    again, _, marked, _ = replayed(place, spec)
    assert sum(marked[UNALIGNED]) == live.alignment["kept_out_of_bounds"] == frames
    assert live.alignment["phase_deg"] == pytest.approx(90, abs=5)
    assert again.sha256 == live.sha256


def test_an_old_alignment_is_made_anew(tmp_path):
    spec, made, _ = measured(tmp_path, lambda number: 0.0, alignments=1, gate=GateConfig(coherence_s=1e-3))
    assert made.collections["rx"].alignment["alignments"] == spec.frames


def test_an_alignment_tells_the_receiver_what_to_expect(tmp_path):
    """Frames of an alignment begin with what it sounded, live and in replay; and beyond what its own sounding tells."""
    spec, made, place = measured(tmp_path, lambda number: 0.02 * number, seeded=True, alignments=3)
    live = made.collections["rx"]
    again, _, marked, _ = replayed(place, spec)
    assert again.sha256 == live.sha256
    assert sum(marked[ALIGNED]) == 3
    with Capture.open(place) as capture:
        record = next(one for one in capture.points if one.attrs["kind"] == "point")
        expected = stored_expectations(record.extra)
        ledger = capture.ledger(record.index)
        anew = 1 << capture.flags.index("anew")
    assert not (ledger["flags"] & anew).any()
    assert len(expected) == 3
    assert expected[0].response.shape == (2, 104)
    first, second, third = (one.trust[:, 0] for one in expected)
    assert (first >= 8).all()
    assert (second > first + spec.frame.sounding_symbols).all()  # its own sounding, and two frames' before it
    assert (third > second + spec.frame.sounding_symbols).all()
    alone, _, _, _ = replayed(place, spec.model_copy(update={"seeded": False}))
    assert alone.sha256 != live.sha256
