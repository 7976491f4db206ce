"""The air process's foundation, driven without sockets: time, transmissions, receptions, faults, the control port."""

import hashlib
import selectors
import socket

import numpy as np
import pytest

from hil.errors import ConfigError, RadioError, RadioNotFoundError
from hil.radios.bench import BenchConfig, find_bench
from hil.radios.virtual import world as worlds
from hil.radios.virtual.address import is_loopback, proven_virtual
from hil.radios.virtual.client import ask
from hil.radios.virtual.clock import QUANTUM, AirClock
from hil.radios.virtual.faults import Faults
from hil.radios.virtual.process import relocated, serve
from hil.radios.virtual.ramp import ramp, ramp_positions
from hil.radios.virtual.server import ProtocolServer, Sockets
from hil.radios.virtual.world import World

KNOWN: dict[str, str] = {}


class StillServer(ProtocolServer):
    """A protocol that never says anything."""

    @classmethod
    def client_options(cls, host, port):
        return {"uri": f"ip:{host}:{port}"}

    def listen(self, host, port):
        pass

    def play(self):
        pass

    def capture(self):
        pass

    def reset(self):
        pass

    def close(self):
        pass


def make_bench(ppm=(0.0, 0.0), **air):
    radio = {"driver": "pluto", "uri": "ip:127.0.0.1:1"}
    return BenchConfig.model_validate(
        {
            "name": "loop",
            "sample_rate_hz": 1e6,
            "center_freq_hz": 1e9,
            "clock": "independent" if any(ppm) else "shared",
            "radios": {
                "tx": radio | {"virtual": {"rx_channels": 0, "ppm": ppm[0]}},
                "rx": radio | {"virtual": {"tx_channels": 0, "ppm": ppm[1]}},
            },
            "transmitters": [{"radio": "tx", "gain_db": -20}],
            "receiver": {"radio": "rx", "gain_db": 60},
            "links": [{"transmitter": 0, "path_loss_db": 60, "delay_s": 3e-6}],
            "air": {"control_port": 0} | air,
        }
    )


@pytest.fixture
def make_world(monkeypatch):
    monkeypatch.setattr(worlds, "protocol", lambda driver: StillServer)
    made = []

    def make(*args, **kwargs):
        made.append(World(make_bench(*args, **kwargs)))
        made[-1].radios["tx"].set_gain("tx", 0, -20.0)
        made[-1].radios["rx"].set_gain("rx", 0, 60.0)
        return made[-1]

    yield make
    for world in made:
        world.close()


def burst(n, seed=3):
    return np.random.default_rng(seed).integers(-700, 700, (n, 2), dtype=np.int16)


def test_transmission_arrives_at_its_tick(make_world):
    world = make_world()
    tx, rx = world.radios["tx"], world.radios["rx"]
    sent = burst(2000)
    tx.transmit(0, 20_000, sent)
    for _ in range(5):
        world.step()
    got = rx.receive(0, 19_000, 5000).astype(np.float64) @ [1, 1j]
    peak = np.abs(np.correlate(got, sent @ np.array([1, 1j]), "valid"))
    assert peak.argmax() == 1003  # 3 µs of delay


@pytest.mark.parametrize(("piece", "ahead", "read"), [(363, 0, 1000), (50_000, 3, 4096), (7001, 1, 333)])
def test_samples_do_not_depend_on_pieces_or_reads(make_world, piece, ahead, read):
    world = make_world((10.0, -4.0))
    tx, rx = world.radios["tx"], world.radios["rx"]
    sent, got, position, cursor = burst(40_000), [], 17_000, 16_384
    for _ in range(7):
        while position < 57_000 and position < tx.played + (1 + ahead) * QUANTUM + 2:  # from just in time to long before
            tx.transmit(0, position, sent[position - 17_000 : position - 17_000 + piece])
            position += min(piece, 57_000 - position)
        world.step()
        while cursor + read <= rx.receivable:
            got.append(rx.receive(0, cursor, read))
            cursor += read
    heard = np.concatenate(got)[:60_000]
    assert hashlib.sha256(heard.tobytes()).hexdigest() == KNOWN.setdefault("heard", hashlib.sha256(heard.tobytes()).hexdigest())


def test_lateness_is_an_error_of_the_server(make_world):
    world = make_world()
    world.step()
    with pytest.raises(ValueError, match="has been played"):
        world.radios["tx"].transmit(0, 100, burst(10))
    with pytest.raises(ValueError, match="receivable"):
        world.radios["rx"].receive(0, 0, 100_000)


def test_silence_drops_what_was_not_played(make_world):
    world = make_world()
    tx, rx = world.radios["tx"], world.radios["rx"]
    tx.transmit(0, 5_000, burst(60_000))
    world.step()
    tx.silence(0)
    for _ in range(5):
        world.step()
    level = [np.square(rx.receive(0, start, 4000).astype(float)).mean() for start in (8_000, QUANTUM + 100, 40_000)]
    assert level[0] > 20 * level[1]
    assert level[1] == pytest.approx(level[2], rel=0.2)


def test_off_grid_rate_is_heard_by_nobody_and_hears_noise(make_world):
    world = make_world()
    tx, rx = world.radios["tx"], world.radios["rx"]
    tx.set_rate(2e6)
    tx.transmit(0, 40_000, burst(30_000))
    for _ in range(6):
        world.step()
    quiet = [np.square(rx.receive(0, start, 8000).astype(float)).mean() for start in (0, 20_000)]
    assert quiet[0] == pytest.approx(quiet[1], rel=0.2)
    assert tx.played == 12 * QUANTUM
    rx.set_rate(0.5e6)
    assert rx.receive(0, 0, 16_384).any()


def test_clock_never_skips_and_runs_ahead_only_where_it_may():
    times = {"now": 0.0}
    clock = AirClock(1e6, "realtime", lambda: times["now"])
    assert not clock.due(True)
    times["now"] = 1.0  # a late process: air time goes on from where it was, one quantum a step
    assert clock.due(False)
    assert clock.step() == QUANTUM
    assert clock.slipped == 1_000_000 - 250_000 - QUANTUM
    steps = 0
    while clock.due(False):
        clock.step()
        steps += 1
    assert steps == (250_000 + QUANTUM) // QUANTUM - 1
    assert clock.now <= clock.reading() < clock.now + QUANTUM
    free = AirClock(1e6, "free", lambda: times["now"])
    assert free.due(True)
    assert not free.due(False)
    assert free.step() == QUANTUM
    assert free.reading() == QUANTUM
    stepped = AirClock(1e6, "stepped", lambda: times["now"])
    times["now"] = 9.0
    assert not stepped.due(False)
    assert stepped.due(True)
    assert (stepped.step(), stepped.reading(), stepped.slipped) == (QUANTUM, QUANTUM, 0)


def test_stepped_time_is_refused_where_a_radio_needs_more():
    bench = find_bench("virtual-pluto-trio")
    with pytest.raises(ConfigError, match="waits for time to pass"):
        World(relocated(bench.model_copy(update={"air": bench.air.model_copy(update={"pace": "stepped"})})))


def test_faults_act_when_due_as_often_as_asked():
    from hil.radios.airconfig import FaultConfig

    now, noted = [0], []
    faults = Faults(1e6, lambda: now[0], noted.append)
    faults.arm(FaultConfig(radio="a", kind="drop", count=2, at_s=0.001))
    faults.arm(FaultConfig(radio="a", kind="unlock", duration_s=0.002))
    assert faults.take("drop") is None
    assert faults.active("unlock")
    now[0] = 1000
    assert faults.pending() == {"drop": 2}
    assert [faults.take("drop") is not None for _ in range(3)] == [True, True, False]
    now[0] = 2000
    assert not faults.active("unlock")
    assert [fault.kind for fault in noted] == ["unlock", "drop", "drop"]


def test_ramp_says_where_a_sample_belongs():
    got = ramp(5_000_000, 9000, 12)
    assert (ramp_positions(got, 12) == np.arange(5_000_000, 5_009_000)).all()
    assert got.min() >= -2048
    assert got.max() <= 2047


def test_only_loopback_counts_as_virtual():
    assert is_loopback("127.3.2.1")
    assert not any(map(is_loopback, ("128.0.0.1", "127.0.0.1.evil.org", "localhost.org", "", "127.0.0")))
    config = make_bench().radios["tx"]
    assert proven_virtual("tx", config, "127.0.0.1", "hil-tx")
    assert not proven_virtual("tx", config, "192.168.2.1", "hil-tx")
    assert not proven_virtual("tx", config, "127.0.0.1", "1044734c960500")
    assert not proven_virtual("tx", config.model_copy(update={"virtual": None}), "127.0.0.1", "hil-tx")


def test_a_bench_refuses_to_serve_to_the_network(monkeypatch):
    monkeypatch.setattr(worlds, "protocol", lambda driver: StillServer)
    data = make_bench().model_dump()
    data["radios"]["tx"]["virtual"]["host"] = "0.0.0.0"
    bench = BenchConfig.model_validate(data)
    with pytest.raises(ConfigError, match="not loopback"):
        World(bench)
    World(bench, exposed=True).close()


def test_sockets_set_aside_are_not_called():
    sockets = Sockets()
    ours, theirs = socket.socketpair()
    calls = []
    sockets.add(ours, calls.append)
    theirs.send(b"x")
    assert sockets.serve(0) == 1
    assert calls == [selectors.EVENT_READ]
    sockets.want(ours, read=False)
    assert sockets.serve(0) == 0
    sockets.want(ours)
    assert sockets.serve(0) == 1
    sockets.close()
    theirs.close()


def test_sockets_removed_by_a_callback_before_them_are_not_called():
    sockets = Sockets()
    pairs, calls = [socket.socketpair() for _ in range(2)], []

    def end_all(_mask):
        calls.append(1)
        for ours, _ in pairs:
            sockets.remove(ours)

    for ours, theirs in pairs:
        sockets.add(ours, end_all)
        theirs.send(b"x")
    assert sockets.serve(0) == 2
    assert calls == [1]
    sockets.close()
    for _, theirs in pairs:
        theirs.close()


def test_nobody_answers_on_a_free_port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with pytest.raises(RadioNotFoundError, match="hil air"):
        ask(port, {"do": "status"})


def test_faults_of_unknown_radios_are_refused():
    with pytest.raises(ValueError, match="no virtual radio"):
        make_bench(faults=[{"radio": "other", "kind": "drop"}])


def test_air_that_cannot_start_says_why():
    data = make_bench().model_dump()
    data["radios"]["tx"]["virtual"]["host"] = "192.0.2.1"
    with pytest.raises(RadioError, match="not loopback"), serve(BenchConfig.model_validate(data), relocate=False):
        pass


def test_a_bug_in_one_server_restarts_its_radio_and_spares_the_others(make_world, capsys):
    world = make_world()
    resets, played = [], []

    def fail():
        raise ZeroDivisionError("a bug")

    world.servers["tx"].play = fail
    world.servers["tx"].reset = lambda: resets.append("tx")
    world.servers["rx"].play = lambda: played.append("rx")
    world.step()
    world.step()
    assert resets == ["tx", "tx"]
    assert played == ["rx", "rx"]
    assert world.radios["tx"].counters["internal"] == 2
    assert "a bug" in capsys.readouterr().err
    mine, peer = socket.socketpair()
    with mine, peer:
        world.servers["tx"].sockets.add(mine, lambda mask: fail())
        peer.send(b"x")
        world.sockets.serve(1.0)
        assert world.radios["tx"].counters["internal"] == 3
        world.sockets.remove(mine)
        world.sockets.want(mine, read=True)  # closed in the middle of a step: nothing happens


def test_a_fault_for_later_does_not_hold_up_one_for_now():
    faults = Faults(1e6, lambda: 0, lambda fault: None)
    from hil.radios.airconfig import FaultConfig

    faults.arm(FaultConfig(radio="a", kind="drop", at_s=5.0))
    faults.arm(FaultConfig(radio="a", kind="drop"))
    assert faults.take("drop") is not None
    assert faults.take("drop") is None
    assert faults.pending() == {"drop": 1}


@pytest.mark.parametrize("request_", [{"do": "truth", "last": float("inf")}, {"do": "truth", "last": []}, {"do": 5}, {}])
def test_odd_requests_are_answered(request_):
    with serve(make_bench()) as served:
        with pytest.raises(RadioError, match="refused"):
            ask(served.control_port, request_)
        assert served.ask("status")["ok"]
