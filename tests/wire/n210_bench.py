"""A bench for the USRP tests: a virtual N210 that transmits, and one that receives; and what tests send and look for."""

import time

import numpy as np

from hil.radios.bench import BenchConfig
from hil.radios.scaling import from_int16

SLOWEST = 8.0  # s: the longest deadline of any call in the tests, with room for a busy machine

SBX = {
    "dac_bits": 16,
    "adc_bits": 16,
    "tx_gain_range_db": [0.0, 31.5],
    "rx_gain_range_db": [0.0, 38.0],
    "gain_step_db": 0.5,
    "tx_full_scale_dbm": -15.0,
    "rx_full_scale_dbm": -10.0,
}


def make_bench(*, source="air", rate=1e6, clock=None, time=None, air=None, options=None, **virtual):
    """One link of 60 dB and 1.3 µs. Without a time source devices keep the air's time, which they share."""
    radio = {"driver": "uhd", "args": "type=usrp2,addr=127.0.0.1", "virtual": SBX | {"source": source} | virtual}
    return BenchConfig.model_validate(
        {
            "name": "n210-loop",
            "sample_rate_hz": rate,
            "center_freq_hz": 1e9,
            "clock": "shared",
            "clock_source": clock,
            "time_source": time,
            "radios": {"tx": radio | (options or {}), "rx": radio | (options or {})},
            "transmitters": [{"radio": "tx", "gain_db": 20}],
            "receiver": {"radio": "rx", "gain_db": 25},
            "links": [{"transmitter": 0, "path_loss_db": 60, "delay_s": 1.3e-6}],
            "air": {"control_port": 0} | (air or {}),
        }
    )


def noise(n, seed=1, amplitude=0.5):
    phases = np.random.default_rng(seed).random(n)
    return (amplitude * np.exp(2j * np.pi * phases)).astype(np.complex64)[None]


def heard_at(samples, sent):
    """Position of `sent` in int16 [n, 2], and the peak over the mean."""
    heard = from_int16(samples, 32768.0)
    size = 1 << (len(heard) + len(sent)).bit_length()
    profile = np.abs(np.fft.ifft(np.fft.fft(heard, size) * np.conj(np.fft.fft(sent, size))))[: len(heard)]
    return int(profile.argmax()), profile.max() / profile.mean()


def quiet(air, within=1.0):
    """Whether the virtual transmitter is silent at most so long from now."""
    deadline = time.monotonic() + within
    while air.ask("status")["radios"]["tx"]["transmitting"]:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
