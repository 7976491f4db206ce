"""A bench for the Soapy tests: two transmit channels and a receiver in one virtual device."""

from hil.radios.bench import BenchConfig


def make_bench(*, source="air", rate=1e6, air=None, options=None, **virtual):
    """Transmitter 0 at 60 dB and 1.3 µs, transmitter 1 at 60 dB."""
    return BenchConfig.model_validate(
        {
            "name": "soapy-loop",
            "sample_rate_hz": rate,
            "center_freq_hz": 1e9,
            "clock": "shared",
            "radios": {
                "sdr": {
                    "driver": "soapy",
                    "args": {"driver": "remote", "remote": "tcp://127.0.0.1:1"},
                    "virtual": {"tx_channels": 2, "source": source} | virtual,
                }
                | (options or {})
            },
            "transmitters": [{"radio": "sdr", "channel": k, "gain_db": -20} for k in (0, 1)],
            "receiver": {"radio": "sdr", "gain_db": 60},
            "links": [
                {"transmitter": 0, "path_loss_db": 60, "delay_s": 1.3e-6},
                {"transmitter": 1, "path_loss_db": 60},
            ],
            "air": {"control_port": 0} | (air or {}),
        }
    )
