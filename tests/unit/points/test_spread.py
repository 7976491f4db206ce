"""DFT-spread frames: the transform and its reverse, what it does to peaks, and what a receiver makes of it."""

import pytest
import torch

from hil.errors import ConfigError
from hil.points.carried import Carried
from hil.points.peaks import PeakMeter
from hil.points.receive import Collector
from hil.points.spread import check_spreading, spreading_of
from tests.unit.points.synthetic import Air, spec_of, turns, unit_symbols


def spread_spec(*given, **more):
    spec = spec_of(*given, **more)
    return spec.model_copy(update={"frame": spec.frame.model_copy(update={"spreading": "dft"})})


@pytest.mark.parametrize("transmitters", [1, 2])
def test_the_transform_is_unitary_symbol_by_symbol_and_reversed_to_the_last_digits(transmitters):
    spec = spread_spec(turns(50, transmitters), tasks=24, per_frame=6)
    spreading, sent = spreading_of(spec), unit_symbols(spec)
    spread = spreading.spread(sent)
    assert (spread - sent).abs().max() > 0.5
    assert torch.equal(spread == 0, sent == 0)  # nobody sends where he does not
    assert spread.abs().square().sum().item() == pytest.approx(sent.abs().square().sum().item(), rel=1e-5)
    assert (spreading.undo(spread) - sent).abs().max() < 1e-5
    form = spec.format()
    segment = form.segments[0]  # its first OFDM symbol, by hand
    cells = {int(cell): place for place, cell in enumerate(segment.cells) if cell < 48}
    flat = [(place // len(segment.uses), int(segment.uses[place % len(segment.uses)])) for _, place in sorted(cells.items())]
    before = torch.stack([sent[0, task, use] for task, use in flat])
    after = torch.stack([spread[0, task, use] for task, use in flat])
    assert torch.allclose(torch.fft.fft(before, norm="ortho"), after, atol=1e-5)
    noise = torch.rand(24, 50)
    means = spreading.mean(noise)
    assert torch.allclose(means[tuple(zip(*flat, strict=True))], torch.stack([noise[one] for one in flat]).mean(), atol=1e-5)


def test_qpsk_keeps_low_peaks():
    found = {}
    for name, make in (("none", spec_of), ("dft", spread_spec)):
        spec = make(turns(480), tasks=32, per_frame=16)
        carried, meter = Carried.of(spec, unit_symbols(spec), None, None), PeakMeter(spec)
        for index in range(spec.frames):
            number = spec.first_frame + index
            meter.add(carried.frame(index, number), number)
        found[name] = meter.found()[0, 0]
    assert 8.0 < found["none"] < 8.7
    assert found["dft"] < found["none"] - 0.8


@pytest.mark.parametrize("faded", [False, True])
def test_what_is_received_is_what_was_sent_with_the_noise_of_its_symbol(faded):
    spec = spread_spec(turns(48), tasks=24, per_frame=6)
    sent = unit_symbols(spec)
    fade = torch.polar(0.3 + torch.rand(1, 24), 6 * torch.rand(1, 24)) if faded else None
    air = Air(spec, snr_db=20.0, taps=((1.0,),))
    carried = Carried.of(spec, sent, None, fade).symbols
    collector = Collector(spec, sent, fade=fade)
    for index in range(spec.frames):
        number = spec.first_frame + index
        row = collector.add(air.burst(index, carried), number)
        assert row["status"] == "scored"
    found = collector.finish()
    gain = torch.ones(1, 24) if fade is None else fade
    error = (found.symbols - (sent * gain[..., None])[0]).abs().square()
    assert float(error.mean()) == pytest.approx(float(found.noise_var.mean()), rel=0.25)
    assert float((found.channel - gain[..., None]).abs().max()) < 0.1
    assert found.snr_eff_db == pytest.approx(20, abs=1.5)
    assert found.verdict.suspect is None  # its samples are flatter than a Gaussian's, and nothing was clipped


def test_superposed_transmitters_must_be_aligned():
    occupied = torch.ones(2, 48, dtype=torch.bool)
    check_spreading(spread_spec(occupied))
    with pytest.raises(ConfigError, match="spreading = 'dft' is not for scheme 'x', whose superposed transmitters"):
        check_spreading(spread_spec(occupied, aligned=False))
    check_spreading(spec_of(occupied, aligned=False))
    assert spreading_of(spec_of(occupied)) is None
