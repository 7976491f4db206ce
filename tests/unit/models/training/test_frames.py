"""Gradients through frames, impairments and captured channels: right, and useful."""

import math

import pytest
import torch
from torch import Tensor, nn

from hil.channel.awgn import complex_normal, superpose
from hil.channel.simulator import ChannelConfig, Tap
from hil.errors import ShapeError
from hil.models.contract import normalize_power
from hil.models.training.frames import CarrierLink, FrameLink, LinkOutput, drawn_from_capture
from hil.phy.frame import FrameConfig, FrameFormat
from hil.phy.receive import Receiver, ReceiverConfig

MP = (
    Tap(gain_db=-1.26),
    Tap(delay=2, gain_db=-7.28, phase_deg=57.3),
    Tap(delay=5, gain_db=-13.3, phase_deg=143.2),
    Tap(delay=9, gain_db=-21.26, phase_deg=-68.8),
)
DEEP = (Tap(gain_db=-3), Tap(delay=1, gain_db=-3.6, phase_deg=100))
FADING = ChannelConfig(
    taps=MP, delay=0.3, sfo_ppm=10, cfo_hz=2000, phase_noise="locked", pa_saturation=0.5, adc_bits=12, dac_bits=12
)


def frames(
    transmitters: int = 1, *, tasks: int = 6, uses: int = 24, interleave: bool = True, shared: bool = False
) -> FrameFormat:
    occupied = torch.ones(transmitters, uses, dtype=torch.bool)
    if transmitters == 2 and not shared:
        occupied[0, uses // 2 :] = occupied[1, : uses // 2] = False
    return FrameFormat(FrameConfig(tasks_per_frame=tasks, sounding_symbols=4, interleave=interleave), occupied)


def draw(form: FrameFormat, tasks: int, seed: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    symbols = complex_normal(form.transmitters, tasks, form.occupied.shape[1], generator=generator)
    return normalize_power(symbols, form.occupied)


def noise_for(form: FrameFormat, snr_db: float) -> float:
    """Noise power a sample at which a link of gain 1 has this SNR."""
    return form.sample_amplitude**2 * 10 ** (-snr_db / 10)


@pytest.mark.parametrize(("transmitters", "shared"), [(1, False), (2, False)])
def test_without_impairments_what_is_sent_comes_out(transmitters: int, shared: bool) -> None:
    form = frames(transmitters, shared=shared)
    symbols = draw(form, 15)
    out = FrameLink(form, (ChannelConfig(),) * transmitters, noise_power=0.0)(symbols)
    assert torch.allclose(out.symbols, symbols.sum(0), atol=1e-4)
    assert torch.allclose(out.channel, form.occupied[:, None].expand_as(out.channel).to(torch.complex64), atol=1e-4)


def test_noise_is_as_stated() -> None:
    form = frames(tasks=40)
    symbols = draw(form, 400)
    link = FrameLink(form, (ChannelConfig(taps=MP, cfo_hz=3000, delay=2.0),), noise_power=noise_for(form, 20))
    out = link(symbols)
    error = (out.symbols - symbols[0]).abs().square()
    assert float(error.mean()) == pytest.approx(float(out.noise_var.mean()), rel=0.25)  # and the estimate's own error
    assert not torch.equal(link(symbols, 1).symbols, out.symbols)
    assert torch.equal(link(symbols).symbols, out.symbols)


def test_superposed_transmitters_have_their_channels() -> None:
    form = frames(2, shared=True)
    symbols = draw(form, 12)
    channels = (ChannelConfig(taps=MP, cfo_hz=100), ChannelConfig(taps=DEEP, cfo_hz=-100, delay=1.0))
    out = FrameLink(form, channels, noise_power=noise_for(form, 40))(symbols)
    error = (out.symbols - (out.channel * symbols).sum(0)).abs().square().mean()
    assert (
        10 * math.log10(float(error / (out.channel * symbols).sum(0).abs().square().mean())) < -26
    )  # each drifts by 9° over the symbols averaged


def check_gradient(run: "object", symbols: Tensor, tolerance: float) -> None:
    """Directional derivative against central differences."""
    weight = complex_normal(*symbols.shape[1:], generator=torch.Generator().manual_seed(8))
    direction = draw_like(symbols)

    def loss(x: Tensor) -> Tensor:
        out: LinkOutput = run(x)  # type: ignore[operator]
        return (out.symbols.abs().square() * weight.real + (out.symbols * weight).imag).double().sum()

    x = symbols.clone().requires_grad_()
    loss(x).backward()
    assert x.grad is not None
    step = 1e-2
    with torch.no_grad():
        numeric = float(loss(symbols + step * direction) - loss(symbols - step * direction)) / (2 * step)
    analytic = float((x.grad.conj() * direction).real.sum())
    assert analytic == pytest.approx(numeric, rel=tolerance)


def draw_like(symbols: Tensor) -> Tensor:
    return complex_normal(*symbols.shape, generator=torch.Generator().manual_seed(9))


def test_gradient_through_frames_matches_finite_differences() -> None:
    form = frames()
    smooth = FADING.model_copy(update={"adc_bits": None, "dac_bits": None})  # rounding has no derivative to compare with
    link = FrameLink(form, (smooth,), noise_power=noise_for(form, 15))
    check_gradient(link, draw(form, 6), 5e-3)


def test_gradient_of_two_superposed_transmitters() -> None:
    form = frames(2, shared=True)
    channels = (ChannelConfig(taps=MP, cfo_hz=50), ChannelConfig(taps=DEEP, doppler_hz=20, iq_gain_db=0.5))
    check_gradient(FrameLink(form, channels, noise_power=noise_for(form, 15)), draw(form, 6), 5e-3)


def test_gradient_through_a_captured_response() -> None:
    form = frames(2)
    response = complex_normal(2, form.numerology.active, generator=torch.Generator().manual_seed(3))
    phase = 0.3 * torch.randn(2, form.symbols - form.payload_index, generator=torch.Generator().manual_seed(4))
    link = CarrierLink(form, response, 0.01, phase=phase)
    check_gradient(lambda x: link(x, torch.Generator().manual_seed(5)), draw(form, 6), 1e-3)


def test_rounding_passes_gradients_straight_through() -> None:
    form = frames()
    symbols = draw(form, 6).requires_grad_()
    FrameLink(form, (FADING,), noise_power=0.0)(symbols).symbols.abs().square().sum().backward()
    assert symbols.grad is not None
    assert float(symbols.grad.abs().mean()) > 0.1


# --- fine-tuning


class TinyJscc(nn.Module):
    """A linear autoencoder of real vectors, one transmitter, power-normalised."""

    def __init__(self, width: int, uses: int) -> None:
        super().__init__()
        self.encode = nn.Linear(width, 2 * uses, bias=False)
        self.decode = nn.Linear(2 * uses, width, bias=False)
        self.occupied = torch.ones(1, uses, dtype=torch.bool)

    def symbols(self, vectors: Tensor) -> Tensor:
        return normalize_power(torch.view_as_complex(self.encode(vectors).unflatten(-1, (-1, 2)))[None], self.occupied)

    def restore(self, out: Tensor) -> Tensor:
        return self.decode(torch.view_as_real(out).flatten(-2))


WIDTH, USES, SNR_DB = 96, 48, 6.0


def vectors(seed: int, n: int) -> Tensor:
    scale = torch.linspace(1.6, 0.2, WIDTH)
    return torch.randn(n, WIDTH, generator=torch.Generator().manual_seed(seed)) * scale


def train(model: TinyJscc, send: "object", steps: int, rate: float) -> None:
    optimizer = torch.optim.Adam(model.parameters(), lr=rate)
    for step in range(steps):
        batch = vectors(1000 + step, 96)
        optimizer.zero_grad()
        loss = (model.restore(send(model.symbols(batch), step)) - batch).square().mean()  # type: ignore[operator]
        loss.backward()
        optimizer.step()


def error(model: TinyJscc, send: "object") -> float:
    with torch.no_grad():
        test = vectors(1, 480)
        return float((model.restore(send(model.symbols(test), 50_000)) - test).square().mean())  # type: ignore[operator]


def pretrained() -> TinyJscc:
    torch.manual_seed(0)
    model = TinyJscc(WIDTH, USES)
    train(model, ideal, 300, 1e-2)
    return model


def ideal(symbols: Tensor, step: int) -> Tensor:
    return superpose(symbols, None, 10 ** (-SNR_DB / 10), torch.Generator().manual_seed(step))


def test_fine_tuning_through_an_impaired_link_helps() -> None:
    form = frames(tasks=48, uses=USES, interleave=False)  # one task a symbol: each use has its carrier
    channel = ChannelConfig(taps=DEEP, cfo_hz=1500, phase_noise="locked", pa_saturation=0.45)
    link = FrameLink(form, (channel,), noise_power=noise_for(form, SNR_DB))

    def impaired(symbols: Tensor, step: int) -> Tensor:
        return link(symbols, 2 * step).symbols

    tuned, control = pretrained(), pretrained()
    before = error(tuned, impaired)
    train(tuned, impaired, 60, 5e-3)
    train(control, ideal, 60, 5e-3)
    after, without = error(tuned, impaired), error(control, impaired)
    assert after < 0.8 * before
    assert after < 0.8 * without


def test_fine_tuning_through_a_captured_channel_helps() -> None:
    form = frames(tasks=48, uses=USES, interleave=False)
    carriers = torch.tensor(form.numerology.carriers, dtype=torch.float32)
    response = sum(
        complex(tap.gain) * torch.exp(torch.complex(torch.zeros(()), -2 * math.pi / 64 * tap.delay * carriers)) for tap in DEEP
    )
    link = CarrierLink(form, torch.as_tensor(response)[None], 10 ** (-SNR_DB / 10))
    captured = link(draw(form, 96), torch.Generator().manual_seed(1))

    def replayed(symbols: Tensor, step: int) -> Tensor:
        return drawn_from_capture(symbols, captured.channel, captured.noise_var, torch.Generator().manual_seed(step)).symbols

    def truth(symbols: Tensor, step: int) -> Tensor:
        return link(symbols, torch.Generator().manual_seed(step)).symbols

    tuned = pretrained()
    before = error(tuned, truth)
    train(tuned, replayed, 100, 5e-3)
    assert error(tuned, truth) < 0.8 * before


def test_a_captured_frame_becomes_a_link() -> None:
    form = frames(tasks=48, uses=USES)
    snr_db = 15.0
    link = FrameLink(form, (ChannelConfig(taps=DEEP, delay=0.4, cfo_hz=900),), noise_power=noise_for(form, snr_db))
    samples = torch.cat([torch.zeros(500, dtype=torch.complex64), link.samples(draw(form, 48), 7).detach()])
    noise = complex_normal(500, generator=torch.Generator().manual_seed(2)) * noise_for(form, snr_db) ** 0.5
    samples[:500] = noise
    [frame] = Receiver(form, ReceiverConfig(max_cfo_hz=5000.0)).receive(samples)
    again = CarrierLink.from_reception(form, frame, sample_rate_hz=1e6)
    symbols = draw(form, 48, seed=5)
    out = again(symbols, torch.Generator().manual_seed(3))
    error = float((out.symbols - symbols[0]).abs().square().mean())
    assert error == pytest.approx(float(out.noise_var.mean()), rel=0.1)
    captured = float(frame.noise_var[:48].median())
    assert float(out.noise_var.median()) == pytest.approx(captured, rel=0.2)
    replayed = drawn_from_capture(symbols, frame.channel, frame.noise_var, torch.Generator().manual_seed(4))
    assert float((replayed.symbols - symbols[0]).abs().square().median()) == pytest.approx(
        float((out.symbols - symbols[0]).abs().square().median()), rel=0.2
    )


# --- refusals


def test_wrong_shapes_are_refused() -> None:
    form = frames()
    with pytest.raises(ShapeError, match="channels"):
        FrameLink(form, (ChannelConfig(noise_power=1.0),), noise_power=0.0)
    with pytest.raises(ShapeError, match="symbols"):
        FrameLink(form, (ChannelConfig(),), noise_power=0.0)(torch.zeros(1, 2, 3))
    with pytest.raises(ShapeError, match="response"):
        CarrierLink(form, torch.zeros(1, 3), 0.1)
    with pytest.raises(ShapeError, match="phase"):
        CarrierLink(form, torch.zeros(1, 52), 0.1, phase=torch.zeros(1, 1))
    with pytest.raises(ShapeError, match="channel"):
        drawn_from_capture(torch.zeros(1, 2, 3), torch.zeros(1, 5, 4), torch.zeros(5, 4))
