"""Stands for a deep JSCC network that somebody else published: it knows nothing of hil, and has a power rule of its own.

Like many public ones it puts power 1 on each *real* dimension, so 2 on a complex use, against noise of σ²/2 a real dimension.
"""

import torch
from torch import nn

CHANNELS = 8  # on 8 × 8 places: 512 real values, 256 complex uses of a 32 × 32 picture


class Encoder(nn.Module):
    """Images [n, 3, H, W] to real values [n, k], Σ z² = k in each row."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, 16, 5, 2, 2), nn.PReLU(), nn.Conv2d(16, 32, 5, 2, 2), nn.PReLU(), nn.Conv2d(32, CHANNELS, 5, 1, 2)
        )

    def forward(self, images):
        """See the class."""
        values = self.layers(images).flatten(1)
        return values * values.shape[1] ** 0.5 / values.norm(dim=1, keepdim=True)


class DeepJSCC(nn.Module):
    """An encoder a user, whose values add up on the channel, and a decoder of all users' pictures."""

    def __init__(self, users=1):
        super().__init__()
        self.encoders = nn.ModuleList(Encoder() for _ in range(users))
        self.decoder = nn.Sequential(
            nn.Unflatten(1, (CHANNELS, 8, 8)), nn.Conv2d(CHANNELS, 32, 5, 1, 2), nn.PReLU(),
            nn.ConvTranspose2d(32, 16, 5, 2, 2, 1), nn.PReLU(), nn.ConvTranspose2d(16, 3 * users, 5, 2, 2, 1), nn.Sigmoid(),
        )  # fmt: skip

    def forward(self, images, snr_db=10.0):
        """Images [n, user, 3, H, W] through noise of power 1/SNR a complex value, which is half of it a real one."""
        total = sum(encoder(images[:, user]) for user, encoder in enumerate(self.encoders))
        noise = torch.randn_like(total) * (10 ** (-snr_db / 10) / 2) ** 0.5
        return self.decoder(total + noise).unflatten(1, (len(self.encoders), 3))


def train_briefly(path, users=1, steps=60):
    """A checkpoint that is better than nothing: trained for a moment on the built-in pictures; gives `path`."""
    from hil.datasets.dataset import load_dataset

    images = load_dataset("objects:images=50").train.float_images()
    torch.manual_seed(0)
    network = DeepJSCC(users)
    optimiser = torch.optim.Adam(network.parameters(), lr=3e-3)
    for _ in range(steps):
        batch = images[torch.randint(len(images), (16, users))]
        loss = (network(batch) - batch).square().mean()
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        optimiser.step()
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(network.state_dict(), path)
    return path
