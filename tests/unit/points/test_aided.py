"""Link powers by the symbols that were known to be sent."""

import pytest
import torch

from hil.points.aided import aided_signal
from hil.points.receive import Collector
from tests.unit.points.synthetic import Air, spec_of, turns, unit_symbols


def point(occupied, *, memory, **more):
    """A point with few sounding symbols and many tasks a frame."""
    spec = spec_of(occupied, tasks=180 * 8, per_frame=180, **more).with_receiver({"shape_memory": memory})
    frame = spec.frame.model_copy(update={"sounding_symbols": 4})
    return spec.model_copy(update={"frame": frame, "opening_symbols": 16})


def measured(spec, air, sent):
    collector = Collector(spec, sent)
    for index in range(spec.frames):
        assert collector.add(air.burst(index, sent), 100 + index)["status"] == "scored"
    return collector.finish()


@pytest.mark.parametrize("access", ["single", "oma", "noma"])
def test_snrs_are_the_true_ones_with_smaller_errors(access):
    occupied = turns(24, 1 if access == "single" else 2)
    occupied = occupied if access != "noma" else occupied | True
    more = {"aligned": access != "noma", "power": (2.0, 1.0) if access == "oma" else (1.0,) * len(occupied)}
    aided, plain = (point(occupied, memory=memory, **more) for memory in (100, 0))
    sent, air = unit_symbols(aided), Air(aided, snr_db=0.0)
    found, without = measured(aided, air, sent), measured(plain, Air(aided, snr_db=0.0), sent)
    true = air.link_snr_db
    for tx, value in enumerate(found.snr_db):
        assert abs(value - true[tx]) < 4 * found.snr_db_error[tx] + 0.05
        assert found.snr_db_error[tx] < without.snr_db_error[tx]
    spread, before = (one.record.signal.std(0) / one.record.signal.mean(0) for one in (found, without))
    assert spread.mean() < 0.8 * before.mean()


def test_symbols_that_tell_nothing_are_not_asked():
    spec = point(turns(24), memory=100)
    sent, air = unit_symbols(spec), Air(spec, snr_db=0.0)
    collector = Collector(spec, sent)
    (frame,) = collector._usual.receiver.receive(air.burst(1, sent), full_scale=32768.0)
    assert aided(frame, sent[:, 180:360]) == pytest.approx(frame.signal.numpy(), rel=0.3)
    assert aided(frame, torch.zeros_like(sent[:, 180:360])) is None
    assert aided(frame, sent[:, 180:360].flip(1) * 1j) is None


def aided(frame, rows):
    """Link powers by what is said to have been sent (h = 1, one transmitter), None where it tells nothing."""
    weighed = (rows / frame.noise_var).flatten(1).conj()
    gram = torch.cat([weighed @ rows.flatten(1).T, (weighed @ frame.symbols.flatten())[:, None]], dim=1)
    power = frame.response.abs().square().mean(1).double().numpy()
    found, tells = aided_signal(
        gram[None].numpy().astype(complex), power[None], (power - frame.noise * frame.response_errors)[None]
    )
    return found[0] if tells[0] else None
