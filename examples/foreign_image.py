"""A deep JSCC network that somebody else wrote, of one user or of two that are superposed: python examples/foreign_image.py."""

import math
import sys
from pathlib import Path

import torch
from foreign.network import DeepJSCC, train_briefly  # theirs

import hil
from hil.datasets.dataset import load_dataset
from hil.models.contract import Card, Images, Plan, Sent


class Foreign:
    """Their network as a scheme: a complex use of mean power 1, whatever their rule makes of it."""

    def __init__(self, checkpoint, users=1):
        self.network = DeepJSCC(users).eval().requires_grad_(False)
        self.network.load_state_dict(torch.load(checkpoint, weights_only=True))
        probe = self.network.encoders[0](torch.rand(16, 3, 32, 32))
        power = 2 * float(probe.square().mean())  # two real values a use
        self.amplitude = math.sqrt(power)
        if abs(power - 1) > 0.01:
            print(f"its power is {power:.2f} a complex use: its own SNRs are {10 * math.log10(power):+.1f} dB too good; now 1")
        self.card = Card(name=f"theirs-{users}", outputs="images", image_size=(32, 32))
        self.plan = Plan(occupied=torch.ones(users, probe.shape[1] // 2, dtype=torch.bool))

    def encode(self, views, csi=None, generator=None):
        values = torch.stack([encoder(views[:, user]) for user, encoder in enumerate(self.network.encoders)])
        return Sent(symbols=torch.view_as_complex(values.unflatten(2, (-1, 2))) / self.amplitude)

    def decode(self, received, blocks=("all",), side=None):
        values = torch.view_as_real(received["rx"].symbols * self.amplitude).flatten(1)
        pictures = self.network.decoder(values).unflatten(1, (self.plan.transmitters, 3))
        return Images(images=pictures, erased=~received["rx"].valid.any(1))


if __name__ == "__main__":
    out = Path(sys.argv[1] if len(sys.argv) > 1 else "runs")
    data = load_dataset("objects:images=100")
    for users in (1, 2):
        out.mkdir(parents=True, exist_ok=True)
        train_briefly(data.train.float_images(), out / f"theirs-{users}.pth", users)
        theirs = Foreign(out / f"theirs-{users}.pth", users)
        done = hil.run(
            schemes=[theirs], dataset="objects:images=100", snr_db=[10.0], tasks=24, draws=2, out=out, name=f"of-{users}"
        )
        for row in done.points:
            print(f"{row.source:<10} {row.scheme}: {row.headline[0]} {row.headline[1].value:.1f} dB")
