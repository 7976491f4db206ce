"""Small benches of virtual radios for the benchmarks, one protocol each: a transmitter, a receiver, 60 dB between them."""

from __future__ import annotations

from typing import Any

from hil.radios.airconfig import SimRadioConfig
from hil.radios.bench import BenchConfig

__all__ = ["PROTOCOLS", "make_bench", "twin_of"]

PROTOCOLS = ("pluto", "uhd", "soapy")
_ADDRESS: dict[str, dict[str, Any]] = {
    "pluto": {"uri": "ip:127.0.0.1:1"},
    "uhd": {"args": "type=usrp2,addr=127.0.0.1"},
    "soapy": {"args": {"driver": "remote", "remote": "tcp://127.0.0.1:1"}},
}
_GAINS = {"pluto": (-20.0, 60.0), "uhd": (20.0, 20.0), "soapy": (-20.0, 60.0)}
_VIRTUAL: dict[str, dict[str, Any]] = {
    "pluto": {},
    "uhd": {"tx_gain_range_db": (0, 31.5), "rx_gain_range_db": (0, 31.5), "gain_step_db": 0.5, "tx_full_scale_dbm": -11.5,
            "rx_full_scale_dbm": -10.0, "dac_bits": 16, "adc_bits": 16},
    "soapy": {},
}  # fmt: skip


def make_bench(protocol: str, *, rate: float, source: str = "air", transmitters: int = 1, **virtual: Any) -> BenchConfig:
    """A bench whose radios are served anew by `serve` (control port 0), clocks equal."""

    def radio() -> dict[str, Any]:
        more = {"adc_bits": 16} if source == "ramp" and protocol != "pluto" else {}
        return {
            "driver": protocol,
            **_ADDRESS[protocol],
            "virtual": _VIRTUAL[protocol] | {"source": source, "host": "127.0.0.1"} | more | virtual,
        }

    tx_gain, rx_gain = _GAINS[protocol]
    names = [f"tx{k}" for k in range(transmitters)]
    return BenchConfig.model_validate(
        {
            "name": f"bench-{protocol}",
            "sample_rate_hz": rate,
            "center_freq_hz": 1e9,
            "clock": "shared",
            "clock_source": "external" if protocol == "uhd" else None,
            "time_source": "external" if protocol == "uhd" else None,
            "radios": {name: radio() for name in (*names, "rx")},
            "transmitters": [{"radio": name, "gain_db": tx_gain} for name in names],
            "receiver": {"radio": "rx", "gain_db": rx_gain},
            "links": [{"transmitter": k, "path_loss_db": 60} for k in range(transmitters)],
            "air": {"control_port": 0},
        }
    )


def twin_of(bench: BenchConfig) -> BenchConfig:
    """The same bench with every radio simulated in this process: what knows the truth."""
    table = bench.model_dump(mode="json")
    for name, radio in bench.radios.items():
        if radio.virtual is not None:
            own = radio.virtual.model_dump(mode="json")
            table["radios"][name] = {"driver": "sim", **{key: own[key] for key in SimRadioConfig.model_fields if key in own}}
        table["radios"][name]["gain_step_db"] = (
            0.0  # it takes whatever the radio read back: a Pluto steps by 0.25 dB in any case
        )
    return BenchConfig.model_validate(table | {"clock_source": None, "time_source": None})
