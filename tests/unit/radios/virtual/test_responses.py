"""What an air says of its links is what its radios hear."""

import numpy as np
import pytest

from benchmarks.benches import twin_of
from hil.errors import RadioError
from hil.radios.bench import find_bench
from hil.radios.session import Bench
from hil.radios.virtual import world as worlds
from hil.radios.virtual.client import ask
from hil.radios.virtual.process import serve
from hil.radios.virtual.responses import link_responses
from hil.radios.virtual.world import World
from tests.unit.radios.virtual.test_world import StillServer, make_bench

FREQS_HZ = np.array([-2e5, 0.0, 3e5])


def responses(bench, **gains_db):
    """Of each link of a world without sockets, complex [frequency]."""
    world = World(bench)
    try:
        for name, gain_db in gains_db.items():
            world.radios[name].set_gain("rx" if name == "rx" else "tx", 0, gain_db)
        return [np.array(one["re"]) + 1j * np.array(one["im"]) for one in link_responses(world, FREQS_HZ.tolist())]
    finally:
        world.close()


def test_a_link_as_its_file_and_its_gains_say(monkeypatch):
    monkeypatch.setattr(worlds, "protocol", lambda driver: StillServer)
    (response,) = responses(make_bench(), tx=-20.0, rx=60.0)
    np.testing.assert_allclose(20 * np.log10(np.abs(response)), 7.0 - 20.0 - 60.0 + 60.0, atol=1e-9)  # a Pluto's full scales
    turned = response * np.exp(2j * np.pi * FREQS_HZ * 3e-6)
    np.testing.assert_allclose(turned, turned[0], rtol=1e-9)


def test_the_control_port_answers_with_the_links_and_refuses_what_is_no_frequency():
    with serve(make_bench()) as served:
        (link,) = served.ask("links", freqs_hz=FREQS_HZ.tolist())["links"]
        assert len(link["re"]) == len(link["im"]) == 3
        with pytest.raises(RadioError, match="refused"):
            ask(served.control_port, {"do": "links", "freqs_hz": "all"})


def test_a_served_bench_and_its_twin_differ_by_the_phases_of_their_tunes(monkeypatch):
    monkeypatch.setattr(worlds, "protocol", lambda driver: StillServer)
    bench = find_bench("virtual-n210-pair")
    served = responses(bench, tx0=5.0, tx1=6.0, rx=30.0)
    with Bench(twin_of(bench)) as twin:
        for tx in range(2):
            twin.set_tx_gain(tx, 5.0 + tx)
            turns = served[tx] / twin.truth().response(tx, FREQS_HZ)
            np.testing.assert_allclose(turns, turns[0], rtol=1e-9)
            assert abs(turns[0]) == pytest.approx(1.0)
