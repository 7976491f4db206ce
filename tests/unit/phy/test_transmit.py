"""Frames' samples against modulation written out, and both forms of the transmitter."""

import math

import pytest
import torch

from hil.errors import ShapeError
from hil.phy.frame import FrameConfig, FrameFormat
from hil.phy.numerology import Numerology
from hil.phy.ofdm import modulate
from hil.phy.transmit import FrameBuilder, build_frame
from tests.unit.phy.signals import gaussian, occupied

WIDE = Numerology(fft_size=256, cyclic_prefix=20, active_half=90, pilots=9)


def written_out(symbols, number, form, weights, gain):
    """One frame as SIGNALS.md says it, cell by cell."""
    grid = torch.zeros((form.transmitters, form.symbols, form.numerology.active), dtype=torch.complex64)
    slot, data = form.config.sounding_symbols, list(form.numerology.data_positions)
    for tx in range(form.transmitters):
        grid[tx, tx * slot : (tx + 1) * slot] = form.sounding[tx]
    grid[0, form.header_index : form.payload_index] = form.header_grid(number)
    for segment in form.segments:
        known = form.pilot_symbols[segment.first :]
        for tx in segment.transmitters:
            rides = {
                int(cell): value for cell, value in zip(segment.cells, symbols[tx][:, segment.uses].flatten(), strict=True)
            }
            for row in range(segment.symbols):
                target = grid[tx, form.payload_index + segment.first + row]
                for place, carrier in enumerate(data):
                    target[carrier] = rides.get(row * len(data) + place, known[row, carrier])
                for carrier in form.pilots_of(segment, tx):
                    target[carrier] = known[row, carrier]
    samples = torch.zeros((form.transmitters, form.samples), dtype=torch.complex64)
    samples[:, form.sounding_start :] = modulate(grid * weights[:, None], form.numerology) * form.sample_amplitude
    rms = 10 ** (form.config.digital_rms_dbfs / 20)
    samples[0, form.preamble_start : form.sounding_start] = form.preamble * rms
    return samples * gain[:, None]


@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize("access", ["single", "oma", "noma"])
@pytest.mark.parametrize("numerology", [Numerology(), WIDE])
def test_frames_are_as_written_out(fast, access, numerology):
    if fast:
        pytest.importorskip("numba")
    form = FrameFormat(FrameConfig(numerology=numerology, tasks_per_frame=4, sounding_symbols=3), occupied(access, 31))
    generator = torch.Generator().manual_seed(2)
    weights = torch.randn(form.transmitters, numerology.active, dtype=torch.complex64, generator=generator)
    gain = torch.rand(form.transmitters, generator=generator)
    frames = torch.stack([gaussian(form, seed) for seed in range(11)])
    ones, one = torch.ones_like(weights), torch.ones_like(gain)
    built = FrameBuilder(form, fast=fast).build(frames, range(65_530, 65_541))
    shaped = FrameBuilder(form, precoder=weights, scale=gain, fast=fast).build(frames, range(11))
    for index in (0, 7, 10):
        expected = written_out(frames[index], (65_530 + index) % 65_536, form, ones, one)
        torch.testing.assert_close(built[index], expected, atol=1e-6, rtol=0)
        expected = written_out(frames[index], index, form, weights, gain)
        torch.testing.assert_close(shaped[index], expected, atol=1e-6, rtol=0)
    torch.testing.assert_close(build_frame(frames[3], 65_533, form), built[3], atol=1e-6, rtol=0)


@pytest.mark.parametrize("fast", [True, False])
def test_frames_without_tasks_and_a_buffer_used_again(fast):
    if fast:
        pytest.importorskip("numba")
    form = FrameFormat(FrameConfig(tasks_per_frame=0, sounding_symbols=5), torch.ones(2, 1, dtype=torch.bool))
    out = torch.full((2, 2, form.samples), math.nan, dtype=torch.complex64)
    built = FrameBuilder(form, fast=fast).build(None, [3, 4], out=out)
    assert built.data_ptr() == out.data_ptr()
    torch.testing.assert_close(built[1], build_frame(None, 4, form), atol=1e-6, rtol=0)
    with pytest.raises(ShapeError, match="out"):
        FrameBuilder(form, fast=fast).build(None, [3], out=out)


def test_gradients_reach_what_is_sent_and_nothing_else():
    form = FrameFormat(FrameConfig(tasks_per_frame=2, sounding_symbols=2), occupied("oma", 6))
    symbols = gaussian(form, 1).requires_grad_()
    build_frame(symbols, 1, form).abs().square().sum().backward()
    assert symbols.grad is not None
    inside = symbols.grad[form.occupied[:, None].expand_as(symbols)]
    assert float(inside.abs().min()) > 0
    assert float(symbols.grad[~form.occupied[:, None].expand_as(symbols)].abs().max()) == 0
