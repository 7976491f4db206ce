"""The code that `hil schemes new` writes: the smallest scheme that keeps the contract and can be measured at once."""

from __future__ import annotations

import keyword

from hil.errors import ConfigError

__all__ = ["class_name", "scheme_code"]

_CODE = '''"""{title}: hil schemes test {file}:{cls}, then hil run --schemes {file}:{cls} --tasks 84"""

import torch
from torch.nn import functional as F

from hil.models.contract import Card, Features, Plan, Sent, normalize_power

USES = 24  # complex channel uses a task


class {cls}:
    """Replace `features`, then `encode` and `decode`, by networks of your own (loaded in __init__)."""

    card = Card(name="{name}", outputs="features")  # or "images", "logits", "boxes"

    def __init__(self):
        self.plan = Plan(occupied=torch.ones(1, USES, dtype=torch.bool))  # [tx, use]: one transmitter on all uses

    def features(self, images):  # [n, 3, H, W] in 0…1 -> [n, 2 * USES] of unit norm
        return F.normalize(F.adaptive_avg_pool2d(images - images.mean((2, 3), keepdim=True), (8, 2)).flatten(1), dim=1)

    def encode(self, views, csi=None, generator=None):  # [task, tx, 3, H, W] -> complex [tx, task, use], mean |x|² = 1
        real, imaginary = self.features(views[:, 0]).chunk(2, dim=1)
        return Sent(symbols=normalize_power(torch.complex(real, imaginary)[None], self.plan.occupied))

    def decode(self, received, blocks=("all",), side=None):  # what each receiver got -> [task, view, p]
        one = received["rx"]
        found = F.normalize(torch.cat([one.symbols.real, one.symbols.imag], dim=1), dim=1)
        return Features(features=found[:, None], erased=~one.valid.any(1))

    def embed(self, images, mode="reconstructed"):  # the gallery that retrieval searches -> [view, image, p]
        return self.features(images)[None]
'''


def class_name(name: str) -> str:
    """``my-scheme`` as a class is called: ``MyScheme``.

    Raises:
        ConfigError: no class can be called so.
    """
    found = "".join(part[:1].upper() + part[1:] for part in name.replace("-", "_").split("_"))
    if not found.isidentifier() or keyword.iskeyword(found):
        raise ConfigError(f"NAME must be letters, digits, - and _, beginning with a letter, not {name!r}; such as my-scheme")
    return found


def scheme_code(name: str, file: str) -> str:
    """Python code of a scheme that passes `hil schemes test` as it is.

    Raises:
        ConfigError: no class can be called so.
    """
    cls = class_name(name)
    return _CODE.format(title=f"The scheme {name}", name=name, cls=cls, file=file)
