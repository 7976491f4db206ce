"""Small untrained networks of the built-in schemes, and what their decoders get without noise."""

import torch

from hil.models.contract import Received
from hil.models.load import build_network
from hil.models.recipe import Recipe
from hil.models.training.awgn import receive_awgn

SIZE = (64, 32)
FEATURES = 16


def network(scheme: str, **changes):
    """An untrained network in evaluation mode, its batch norm as after training: statistics that are not 0 and 1."""
    torch.manual_seed(3)
    built = build_network(Recipe(name="tiny", scheme=scheme, features=FEATURES, **changes))
    for module in built.modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
    return built.eval()


def views_of(scheme, tasks: int, seed: int = 0) -> torch.Tensor:
    """Random views, float32 [task, tx, C, H, W]."""
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(tasks, scheme.plan.transmitters, 3, *SIZE, generator=generator)


def clean(scheme, symbols: torch.Tensor) -> dict[str, Received]:
    """What the decoder gets of symbols [tx, task, use] without noise."""
    return {"rx": receive_awgn(scheme.plan, symbols, float("inf"))}
