"""Points on the simulated air: aligned, sent, kept, received; and what becomes of one whose radios do not answer."""

import numpy as np
import pytest
import torch

from hil.captures import Capture, CaptureWriter, FrameStatus, verify
from hil.errors import CalibrationError, ConnectionLostError, RadioTimeoutError, TransmitRefusedError
from hil.models.contract import Sent
from hil.points.flight import PRECODER_KEYS, alignment_keys, stored_alignments
from hil.points.on_air import AirRun
from hil.points.order import in_order
from hil.points.peaks import PEAK_KEYS, stored_peaks
from hil.points.spec import PointSpec, Reception, frame_for, receiver_for
from hil.radios.bench import find_bench
from hil.radios.session import Bench
from hil.units import power_to_db

CARRIERS = np.array([*range(-26, 0), *range(1, 27)])
CARRIER_POWER = 10 ** (-12 / 10) * 64 / 52
"""Power of an active carrier at the digital scale of −12 dBFS rms."""


def writer_for(path, bench):
    return CaptureWriter.create(
        path, config={}, provenance={}, models={}, receivers=list(bench.receivers), transmitters=bench.transmitters
    )


def noma(bench, frame, *, tasks=504, snr_db=10.0):
    """A point of two superposed transmitters."""
    receptions = tuple(
        Reception(name=name, full_scale=scale, receiver=receiver_for(bench.config)) for name, scale in bench.full_scales.items()
    )
    return PointSpec(
        scheme="x", power=(1.0, 1.0), snr_db_target=snr_db, occupied=((True,) * 64,) * 2, tasks=tasks,
        distinct_tasks=tasks, first_frame=100, frame=frame, receptions=receptions,
    )  # fmt: skip


def noise_like(spec, seed=4):
    shape = (len(spec.occupied), spec.tasks, len(spec.occupied[0]))
    return torch.randn(*shape, dtype=torch.complex64, generator=torch.Generator().manual_seed(seed))


def test_superposed_transmitters_arrive_as_one(tmp_path):
    """The whole way: sound, align, send both, and the air adds x_1 + x_2 with the SNR that its truth says."""
    config = find_bench("builtin")
    receiver = receiver_for(config)
    frame = frame_for(receiver, 10.0)
    with Bench(config) as bench, writer_for(tmp_path / "c.h5", bench) as writer:
        air = AirRun(bench, writer, {"rx": receiver})
        air.calibrate(frame)
        spec = noma(bench, frame)
        made = air.measure(spec, Sent(symbols=noise_like(spec)), {}, air.levels_for(10.0), lambda steps: None)
        truth = [bench.truth().snr_db(tx, CARRIER_POWER, CARRIERS * 1e6 / 64) for tx in (0, 1)]
        applied = [bench.tx_gain(tx) for tx in (0, 1)]
        levels = air.levels
    collection = made.collections["rx"]
    assert made.ended is None
    assert made.more["tx_gain_db"] == applied
    assert made.more["tx_back_off_db"] == [level.back_off_db for level in levels]
    assert all(0 < level.back_off_db < 0.25 for level in levels)  # inside a gain step
    for tx in (0, 1):  # the target by the link's truth, whatever the steps of the gain
        assert truth[tx] - levels[tx].back_off_db == pytest.approx(10.0, abs=0.4)
    assert collection.frames["lost"] == 0
    loss = np.mean(collection.snr_db) - collection.snr_eff_db
    assert -0.5 < loss < 0.7 + 3 * collection.snr_db_error[0]
    assert collection.snr_db == pytest.approx([10.0, 10.0], abs=1.0)
    for tx in (0, 1):  # the air's truth, and the power that the inversion takes, give the SNR that arrived
        arrived = truth[tx] - levels[tx].back_off_db + made.more["precoder_power_db"][tx]
        assert collection.snr_db[tx] == pytest.approx(arrived, abs=0.2 + 3 * collection.snr_db_error[tx])
    relative = collection.channel.mean((1, 2)) - 1
    assert power_to_db(float(relative.abs().square().max())) < -25


class Faulty:
    """A bench whose bursts fail when they are told to; the rest is the bench's own."""

    def __init__(self, bench, errors):
        self._bench, self._errors, self.bursts = bench, errors, 0

    def __getattr__(self, name):
        return getattr(self._bench, name)

    def burst(self, waveforms, **more):
        self.bursts += 1
        error = self._errors.get(self.bursts)
        if error is not None:
            raise error
        return self._bench.burst(waveforms, **more)


@pytest.fixture
def measure(tmp_path):
    """A point of six frames of one transmitter, with errors at some of its bursts; what it gave and its capture."""

    def run(errors, *, path="c.h5"):
        config = find_bench("builtin")
        receiver = receiver_for(config)
        frame = frame_for(receiver, 15.0, given={"tasks_per_frame": 4})
        told = []
        with Bench(config) as bench, writer_for(tmp_path / path, bench) as writer:
            faulty = Faulty(bench, {})
            air = AirRun(faulty, writer, {"rx": receiver})
            air.calibrate(frame)
            spec = noma(bench, frame, tasks=24, snr_db=15.0).model_copy(update={"occupied": ((True,) * 64,), "power": (1.0,)})
            faulty._errors = {faulty.bursts + number: error for number, error in errors.items()}
            symbols = noise_like(spec)
            try:
                made = air.measure(spec, Sent(symbols=symbols), {}, air.levels_for(15.0), told.append)
            except Exception as err:
                return err, symbols, told, tmp_path / path
        return made, symbols, told, tmp_path / path

    return run


def test_without_faults_all_is_received(measure):
    made, symbols, told, path = measure({})
    found = made.collections["rx"]
    assert found.frames == {"sent": 6, "scored": 6, "lost": 0, "gated": 0}
    assert sum(told) == 6
    assert found.snr_eff_db == pytest.approx(15, abs=1.5)
    assert float((found.symbols - symbols[0]).abs().square().mean()) == pytest.approx(10**-1.5, rel=0.35)
    assert verify(path).ok
    with Capture.open(path) as capture:
        said = stored_peaks(capture.points[1].extra)
    assert said == {key: made.more[key] for key in PEAK_KEYS}
    assert 7.5 < said["papr_db"][0] < 9.2  # Gaussian symbols: 8.4


def test_one_deadline_that_passes_costs_a_frame(measure):
    made, _, told, path = measure({3: RadioTimeoutError("no answer", radio="rx")})
    found = made.collections["rx"]
    assert made.ended is None
    assert found.frames == {"sent": 6, "scored": 5, "lost": 1, "gated": 0}
    assert found.valid.all(1).tolist() == [True] * 8 + [False] * 4 + [True] * 12
    assert found.sent.all()
    assert sum(told) == 6
    with Capture.open(path) as capture:
        events = capture.events()
        assert events["kind"].tolist() == [b"timeout"]
        assert events["radio"].tolist() == [b"rx"]
        ledger = capture.ledger(1)
        assert ledger["status"].tolist() == [FrameStatus.SCORED] * 2 + [FrameStatus.LOST] + [FrameStatus.SCORED] * 3
        assert ledger["frame"].tolist() == list(range(100, 106))
        assert (ledger["noise"] > 0).tolist() == [True] * 2 + [False] + [True] * 3
    assert verify(path).ok


def test_the_second_one_ends_the_point_and_what_came_is_kept(measure):
    made, _, told, path = measure({2: RadioTimeoutError("first"), 4: RadioTimeoutError("second")})
    found = made.collections["rx"]
    assert made.ended == "second"
    assert made.more["ended"] == "second"
    assert found.frames == {"sent": 4, "scored": 2, "lost": 2, "gated": 0}
    assert found.sent.tolist() == [True] * 16 + [False] * 8
    assert sum(told) == 6  # progress reaches its end all the same
    assert verify(path).ok


def test_a_lost_radio_ends_the_run_and_the_capture_says_why(measure):
    err, _, _, path = measure({3: ConnectionLostError("gone", radio="tx0")})
    assert isinstance(err, ConnectionLostError)
    with Capture.open(path) as capture:
        assert capture.events()["kind"].tolist() == [b"disconnect"]
        assert capture.ledger(1)["status"].tolist() == [FrameStatus.SCORED] * 2 + [FrameStatus.LOST]
        assert not capture.complete
    assert verify(path).ok


def test_what_was_refused_was_not_sent(measure):
    err, _, _, path = measure({3: TransmitRefusedError("outside the limits")})
    assert isinstance(err, TransmitRefusedError)
    with Capture.open(path) as capture:
        assert len(capture.events()) == 0
        assert len(capture.ledger(1)) == 2


def soundings(path):
    with Capture.open(path) as capture:
        return len(capture.ledger(0))


def test_a_sounding_that_is_lost_is_tried_again_and_then_named(tmp_path):
    """Alignment needs one frame that is heard: three are tried, with numbers of their own, below the point's first."""
    config = find_bench("builtin")
    receiver = receiver_for(config)
    frame = frame_for(receiver, 10.0)
    with Bench(config) as bench, writer_for(tmp_path / "c.h5", bench) as writer:
        air = AirRun(bench, writer, {"rx": receiver})
        air.calibrate(frame)
        spec = noma(bench, frame)
        air.set_levels(air.levels_for(10.0))
        before = soundings(tmp_path / "c.h5")
        exchange, numbers = air.exchange, []

        def deaf(waveforms, number, receive):
            numbers.append(number)
            heard = exchange(waveforms, number, receive)
            return heard if len(numbers) == 2 else dict.fromkeys(heard)

        air.exchange = deaf
        assert air.align(spec)[0].precoder.weights.shape == (2, 52)
        assert numbers == [99, 98]
        air.exchange = lambda waveforms, number, receive: dict.fromkeys(exchange(waveforms, number, receive))
        with pytest.raises(CalibrationError, match="3 sounding frames in a row were lost at 10 dB"):
            air.align(spec)
        with pytest.raises(CalibrationError):
            air.start(spec, Sent(symbols=noise_like(spec)), {}).send(range(2), lambda steps: None)
        air.exchange = exchange
        later = air.start(spec.model_copy(update={"scheme": "later"}), Sent(symbols=noise_like(spec)), {})
        later.send(range(2), lambda steps: None)
        assert later.ended is None
        air.exchange = lambda waveforms, number, receive: dict.fromkeys(exchange(waveforms, number, receive))
        later.send(range(2, 4), lambda steps: None)  # ends the point, not the run
        assert "3 sounding frames in a row were lost" in later.ended
        assert later.finish().collections["rx"].frames["sent"] == 2
        after = soundings(tmp_path / "c.h5")
    assert after - before == 5 + 3 + 1 + 3  # every one of them is in the capture


def test_streams_are_tied_anew_after_two_bursts_without_a_frame(tmp_path):
    """A tie that slipped delivers silence, on time; a frame that is heard in between starts the count anew."""
    config = find_bench("builtin")
    receiver = receiver_for(config)
    frame = frame_for(receiver, 15.0, given={"tasks_per_frame": 4})
    with Bench(config) as bench, writer_for(tmp_path / "c.h5", bench) as writer:
        faulty = Faulty(bench, {})
        renewed = []
        faulty.renew_streams = lambda: renewed.append(faulty.bursts)
        air = AirRun(faulty, writer, {"rx": receiver})
        air.calibrate(frame)
        assert not renewed  # what the climb does not hear is no sign of it
        spec = noma(bench, frame, tasks=24, snr_db=15.0).model_copy(update={"occupied": ((True,) * 64,), "power": (1.0,)})
        burst, deaf = air.burst, {1, 3, 4, 5, 6}
        first = faulty.bursts

        def silenced(waveforms):
            return burst(waveforms * ((faulty.bursts - first) not in deaf))

        air.burst = silenced
        made = air.measure(spec, Sent(symbols=noise_like(spec)), {}, air.levels_for(15.0), lambda steps: None)
    assert made.collections["rx"].frames["lost"] == 4
    assert [count - first for count in renewed] == [5]


def test_points_share_the_air_piece_by_piece_and_each_is_what_it_is_alone(tmp_path):
    """Frames of two points by turns, one of them aligned twice: nothing is lost, and a capture says what was aligned when."""
    config = find_bench("builtin")
    receiver = receiver_for(config)
    frame = frame_for(receiver, 15.0, given={"tasks_per_frame": 4})
    with Bench(config) as bench, writer_for(tmp_path / "c.h5", bench) as writer:
        air = AirRun(bench, writer, {"rx": receiver})
        air.calibrate(frame)
        both = noma(bench, frame, tasks=24, snr_db=15.0).model_copy(update={"alignments": 2})
        alone = both.model_copy(update={"scheme": "y", "occupied": ((True,) * 64,), "power": (1.0,), "first_frame": 300})
        air.set_levels(air.levels_for(15.0))
        flights = [air.start(spec, Sent(symbols=noise_like(spec)), {}) for spec in (both, alone)]
        order = in_order([both, alone], seed=1)
        for slot in order:
            flights[slot.point].send(slot.frames, lambda steps: None)
        made = [flight.finish() for flight in flights]
    for one in made:
        assert one.collections["rx"].frames == {"sent": 6, "scored": 6, "lost": 0, "gated": 0}
        assert one.collections["rx"].snr_eff_db == pytest.approx(15, abs=1.5)
    with Capture.open(tmp_path / "c.h5") as capture:
        ledger = capture.ledger()
        sent = ledger["frame"][ledger["point"] > 0].tolist()
        assert sent == [(100, 300)[slot.point] + index for slot in order for index in slot.frames]
        assert sorted(sent) != sent
        stored = stored_alignments(capture.points[1].extra)
        assert len(stored) == 2
        assert alignment_keys(stored) == {key: made[0].more[key] for key in PRECODER_KEYS}
        assert stored_alignments(capture.points[2].extra) == []
    assert made[1].more["alignment_samples"] is None
    assert verify(tmp_path / "c.h5").ok
