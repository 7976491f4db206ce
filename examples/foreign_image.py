"""A deep JSCC network that somebody else wrote, as a scheme: of one user, or of two who are superposed."""

import math
import sys
from pathlib import Path

import torch
from foreign.network import DeepJSCC, train_briefly  # theirs

import hil
from hil.models.contract import Card, Images, Plan, Sent


class Foreign:
    """Power 1 on a complex use, whatever their rule makes of it."""

    def __init__(self, checkpoint, users=1):
        self.network = DeepJSCC(users).eval().requires_grad_(False)
        self.network.load_state_dict(torch.load(checkpoint, weights_only=True))
        values = self.network.encoders[0](torch.rand(16, 3, 32, 32))  # two of them are a use
        self.amplitude = float(2 * values.square().mean()) ** 0.5
        print(f"its own SNRs are {20 * math.log10(self.amplitude):+.1f} dB too good; scaled to power 1 a complex use")
        self.card = Card(name=f"theirs-{users}", outputs="images", image_size=(32, 32))
        self.plan = Plan(occupied=torch.ones(users, values.shape[1] // 2, dtype=torch.bool))

    def encode(self, views, csi=None, generator=None):
        values = torch.stack([encoder(views[:, user]) for user, encoder in enumerate(self.network.encoders)])
        return Sent(symbols=torch.view_as_complex(values.unflatten(2, (-1, 2))) / self.amplitude)

    def decode(self, received, blocks=("all",), side=None):
        values = torch.view_as_real(received["rx"].symbols * self.amplitude).flatten(1)
        images = self.network.decoder(values).unflatten(1, (self.plan.transmitters, 3))
        return Images(images=images, erased=~received["rx"].valid.any(1))


if __name__ == "__main__":
    out = Path(sys.argv[1] if len(sys.argv) > 1 else "runs")
    schemes = [Foreign(train_briefly(out / f"theirs-{users}.pth", users), users) for users in (1, 2)]
    for row in hil.run(schemes=schemes, dataset="objects:images=50", snr_db=[10.0], tasks=12, draws=1, out=out).points:
        print(f"{row.source:<10} {row.scheme}: {row.headline[0]} {row.headline[1].value:.1f} dB")
