"""The frame's layout, and what cannot be a frame."""

import pytest
import torch
from pydantic import ValidationError

from hil.errors import ConfigError, ShapeError
from hil.phy.frame import FrameConfig, FrameFormat, sounding_cost_db, sounding_symbols_for
from hil.phy.numerology import Numerology
from hil.phy.preamble import design
from hil.phy.receive import Receiver, ReceiverConfig
from hil.phy.transmit import FrameBuilder, build_frame
from hil.units import db_to_amplitude
from tests.unit.phy.signals import gaussian, occupied


@pytest.mark.parametrize("access", ["single", "oma", "noma"])
def test_frame_layout(access):
    form = FrameFormat(FrameConfig(tasks_per_frame=6, sounding_symbols=4), occupied(access))
    waves = build_frame(gaussian(form, 1), 7, form)
    assert waves.shape == (form.transmitters, form.samples)
    assert waves[:, :80].abs().max() == 0  # the silent symbol
    slots = waves[:, form.sounding_start : form.sounding_start + form.header_index * 80]
    for tx in range(form.transmitters):
        for slot in range(form.transmitters):
            power = slots[tx, slot * 320 : (slot + 1) * 320].abs().square().mean()
            expected = 10 ** (-12 / 10) if slot == tx else 0.0
            assert float(power) == pytest.approx(expected, rel=0.15, abs=1e-9)
    if form.transmitters == 2:  # preamble and header are transmitter 0's alone
        assert waves[1, : form.sounding_start].abs().max() == 0
        start = form.sounding_start + form.header_index * 80
        assert waves[1, start : start + form.header_symbols * 80].abs().max() == 0
    first, second = (form.segments[0], form.segments[-1])
    if access == "oma":
        assert first.transmitters == (0,)
        assert second.transmitters == (1,)
        assert second.first == first.symbols
    if access == "noma":
        pilots = [set(form.pilots_of(first, tx)) for tx in (0, 1)]
        assert not pilots[0] & pilots[1]


def test_oma_payload_halves_do_not_overlap():
    form = FrameFormat(FrameConfig(tasks_per_frame=6, sounding_symbols=4), occupied("oma"))
    payload = build_frame(gaussian(form, 1), 0, form)[:, form.sounding_start + form.payload_index * 80 :]
    half = form.segments[0].symbols * 80
    assert payload[1, :half].abs().max() == 0
    assert payload[0, half:].abs().max() == 0


def test_digital_scale_is_constant():
    form = FrameFormat(FrameConfig(), occupied("single"))
    waves = [build_frame(gaussian(form, seed), seed, form) for seed in range(4)]
    for wave in waves:
        preamble = wave[0, form.preamble_start : form.sounding_start].abs().square().mean().sqrt()
        assert float(preamble) == pytest.approx(db_to_amplitude(-12.0), rel=1e-3)
    assert float(torch.cat(waves, 1).abs().max()) > db_to_amplitude(-5.0)  # peaks are not scaled away


def test_formats_that_cannot_be():
    with pytest.raises(ShapeError, match="occupied"):
        FrameFormat(FrameConfig(), torch.ones(3))
    with pytest.raises(ShapeError, match="pilots must be at least 5, not 4"):
        FrameFormat(FrameConfig(), torch.ones(5, 2, dtype=torch.bool))
    with pytest.raises(ValidationError, match="sounding_symbols"):
        FrameConfig(sounding_symbols=1)
    with pytest.raises(ShapeError, match="multiple of 16"):
        design(250, 1, 0.4)
    form = FrameFormat(FrameConfig(), torch.ones(2, 4, dtype=torch.bool))
    with pytest.raises(ShapeError, match="numbers"):
        FrameBuilder(form).build(torch.zeros((1, 2, 84, 4), dtype=torch.complex64))
    with pytest.raises(ShapeError, match="symbols"):
        build_frame(None, 0, form)


def test_prefixes_that_cannot_be():
    with pytest.raises(ValidationError, match="at most fft_size"):
        Numerology(fft_size=64, cyclic_prefix=65)
    form = FrameFormat(FrameConfig(numerology=Numerology(cyclic_prefix=3)), occupied("single"))
    with pytest.raises(ConfigError, match="advance = 4"):
        Receiver(form, ReceiverConfig())
    assert Receiver(form, ReceiverConfig(advance=3)).config.advance == 3


def test_configurations_of_captures_of_format_1_are_read():
    stored = {"preamble_samples": 240, "sounding_symbols": 12, "header_repetitions": 1, "silent": True, "seed": 1}
    assert FrameConfig.model_validate(stored).sounding_symbols == 12
    with pytest.raises(ValidationError, match="silent"):
        FrameConfig.model_validate(stored | {"silent": False})


def test_sounding_costs_what_is_allowed():
    for snr, active, due in ((-6.0, 52, 44), (9.0, 52, 10), (-6.0, 200, 12)):
        assert sounding_symbols_for(snr, taps=16, active=active) == due
        costs = [sounding_cost_db(snr, taps=16, active=active, symbols=count) for count in (due - 1, due)]
        assert costs[1] <= 0.15 < costs[0]
    with pytest.raises(ConfigError, match="SNR"):
        sounding_symbols_for(-40.0, taps=16, active=52)
