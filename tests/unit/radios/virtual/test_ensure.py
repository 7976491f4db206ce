"""Which air a session uses: the one that runs, if it is of this very bench."""

import socket

from hil.radios.bench import BenchConfig
from hil.radios.virtual.client import ask
from hil.radios.virtual.ensure import ensure_air
from hil.radios.virtual.process import serve


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def make_config() -> BenchConfig:
    """One virtual Pluto on free ports: its server needs no vendor's library."""
    port = free_port()
    return BenchConfig.model_validate(
        {
            "name": "one",
            "sample_rate_hz": 1e6,
            "center_freq_hz": 1e9,
            "clock": "independent",
            "radios": {"sdr": {"driver": "pluto", "uri": f"ip:127.0.0.1:{port}", "virtual": {"port": port}}},
            "transmitters": [{"radio": "sdr", "gain_db": -20}],
            "receiver": {"radio": "sdr", "gain_db": 40},
            "links": [{"transmitter": 0, "path_loss_db": 50}],
            "air": {"control_port": free_port()},
        }
    )


def test_an_air_that_runs_is_used_only_while_the_bench_is_the_same() -> None:
    bench = make_config()
    paced = bench.model_copy(update={"air": bench.air.model_copy(update={"pace": "free"}), "description": "the same"})
    data = bench.model_dump()
    data["links"][0]["path_loss_db"] = 60
    edited = BenchConfig.model_validate(data)
    assert paced.digest() == bench.digest() != edited.digest()
    with serve(bench, relocate=False) as served:
        assert ask(served.control_port, {"do": "status"})["digest"] == bench.digest()
        for same in (bench, paced):
            with ensure_air(same) as used:
                assert used is same
        with ensure_air(edited) as used:
            assert used.radios["sdr"].options["uri"] != bench.radios["sdr"].options["uri"]
            assert used.links == edited.links
    with ensure_air(bench) as used:
        assert used is not bench
