"""Which points' payload is spread (`hil.phy.spread`), and which must not be."""

from __future__ import annotations

from hil.errors import ConfigError
from hil.phy.spread import Spreading
from hil.points.spec import PointSpec

__all__ = ["check_spreading", "spreading_of"]


def spreading_of(spec: PointSpec) -> Spreading | None:
    """The transforms of a point's frames; None where these spread nothing."""
    return Spreading(spec.format()) if spec.frame.spreading == "dft" else None


def check_spreading(spec: PointSpec) -> None:
    """Refuse what a transform cannot be undone of: transmitters that are superposed and heard through different channels.

    Raises:
        ConfigError: naming the scheme.
    """
    if spec.frame.spreading == "dft" and spec.superposed and not spec.aligned:
        raise ConfigError(
            f"frame.spreading = 'dft' is not for scheme '{spec.scheme}', whose superposed transmitters are not aligned: each "
            "carrier adds them up otherwise; use frame.spreading = 'none'"
        )
