"""A bench for the Pluto tests: one virtual Pluto that transmits, and one that receives, on oscillators of their own."""

from hil.radios.bench import BenchConfig


def make_bench(*, air=None, source="air", rate=1e6, ppm=(0.05, -0.03)):
    radio = {"driver": "pluto", "uri": "ip:127.0.0.1:1"}
    return BenchConfig.model_validate(
        {
            "name": "pluto-loop",
            "sample_rate_hz": rate,
            "center_freq_hz": 1e9,
            "clock": "independent",
            "radios": {
                "tx": radio | {"virtual": {"ppm": ppm[0], "source": source}},
                "rx": radio | {"virtual": {"ppm": ppm[1], "source": source}},
            },
            "transmitters": [{"radio": "tx", "gain_db": -20}],
            "receiver": {"radio": "rx", "gain_db": 60},
            "links": [{"transmitter": 0, "path_loss_db": 60, "delay_s": 1.3e-6}],
            "air": {"control_port": 0} | (air or {}),
        }
    )
