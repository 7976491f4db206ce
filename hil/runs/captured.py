"""Channels of captures to train through."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import torch

from hil.captures import Capture
from hil.config import validate
from hil.errors import ConfigError
from hil.models.training.medium import CapturedLinks
from hil.points.spec import PointSpec
from hil.runs.replay import collect_point

__all__ = ["captured_links"]


def captured_links(paths: Iterable[Path], occupied: Sequence[Sequence[bool]], *, name: str) -> CapturedLinks:
    """Gains and noise that tasks met, of all points whose schemes send in the same uses; receivers beside each other.

    Args:
        paths: of captures.
        occupied: [tx][use], of the scheme that is to be trained; name: of its recipe, for messages.

    Raises:
        ConfigError: no point of a capture sends in these uses, or none of its tasks was received.
        CaptureError: a capture cannot be read.
    """
    channel, noise_var, identities = [], [], []
    wanted = tuple(map(tuple, occupied))
    for path in paths:
        with Capture.open(path) as capture:
            specs = [
                (record, validate(PointSpec, record.attrs["spec"], f"point '{record.name}'"))
                for record in capture.points
                if record.attrs.get("kind") == "point"
            ]
            fitting = [(record, spec) for record, spec in specs if spec.occupied == wanted]
            if not fitting:
                have = sorted({f"{spec.scheme} ({len(spec.occupied)} × {len(spec.occupied[0])})" for _, spec in specs})
                raise ConfigError(
                    f"{path} has no point that sends as '{name}' does (transmitters × uses: {len(wanted)} × {len(wanted[0])}); "
                    f"it holds {', '.join(have) or 'none'}; name a capture of a scheme that sends in the same uses"
                )
            heard = 0
            for record, spec in fitting:
                collections, _, _ = collect_point(capture, record, spec)
                for one in collections.values():
                    whole = (one.valid | ~torch.tensor(wanted).any(0)).all(1)
                    channel.append(one.channel[:, whole])
                    noise_var.append(one.noise_var[whole])
                    heard += int(whole.sum())
            if not heard:
                raise ConfigError(f"{path}: none of the tasks that send as '{name}' does was received")
            identities.append(capture.identity)
    return CapturedLinks(channel=torch.cat(channel, dim=1), noise_var=torch.cat(noise_var), captures=tuple(identities))
