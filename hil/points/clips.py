"""Raw samples: as complex numbers, and what of them lies at the converter's rails."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["clipped", "to_complex"]


def to_complex(samples: NDArray[np.int16], full_scale: float) -> Tensor:
    """Raw int16 I/Q [n, 2] to complex64 [n] with full scale 1.0."""
    values = np.divide(samples, np.float32(full_scale), dtype=np.float32, order="C")
    return torch.from_numpy(values.view(np.complex64)[:, 0])


def clipped(samples: NDArray[np.int16], full_scale: float) -> dict[str, int]:
    """What of a burst lies at the rails of the converter, which reaches from −full_scale to full_scale − 1.

    Args:
        samples: int16 [n, 2].
        full_scale: int16 value of full scale.

    Returns:
        columns of the ledger: samples of which I or Q clipped, and values (I and Q apart) at either rail. A converter that
        saturates symmetrically stops a step above the lower one, so that is counted too.
    """
    if not samples.size or (samples.min() > 1 - full_scale and samples.max() < full_scale - 1):
        return {"clipped": 0, "clipped_low": 0, "clipped_high": 0}
    low, high = samples <= 1 - full_scale, samples >= full_scale - 1
    return {
        "clipped": int((low | high).any(axis=1).sum()),
        "clipped_low": int(low.sum()),
        "clipped_high": int(high.sum()),
    }
