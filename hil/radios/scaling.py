"""Complex amplitude <-> the int16 I/Q of a converter, with every clipped sample counted."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hil.errors import ShapeError

__all__ = ["from_int16", "to_int16"]


def to_int16(samples: NDArray[Any], full_scale: float) -> tuple[NDArray[np.int16], NDArray[np.int64]]:
    """Round to a converter's codes.

    Args:
        samples: complex64 [..., n], amplitude 1.0 = full scale; or int16 [..., n, 2], already codes, only limited.
        full_scale: code of amplitude 1.0, at most 32768; codes run from −full_scale to full_scale − 1.

    Returns:
        codes int16 [..., n, 2] and, per leading index, the number of samples whose I or Q was beyond the range, int64 [...].

    Raises:
        ShapeError: another type or shape, or a value that is not finite.
    """
    if np.iscomplexobj(samples):
        data = np.ascontiguousarray(samples, dtype=np.complex64)
        codes = np.rint(data.view(np.float32).reshape(*data.shape, 2) * np.float32(full_scale))
        if not np.isfinite(codes).all():
            raise ShapeError("Argument 'samples' must be finite; it holds NaN or infinity.")
    elif samples.dtype == np.int16 and samples.ndim >= 2 and samples.shape[-1] == 2:
        codes = samples.astype(np.float32)
    else:
        raise ShapeError(
            f"Argument 'samples' must be complex [..., n] or int16 [..., n, 2], not {samples.dtype} {list(samples.shape)}."
        )
    low, high = -full_scale, full_scale - 1
    beyond = ((codes < low) | (codes > high)).any(axis=-1)
    return np.clip(codes, low, high).astype(np.int16), beyond.sum(axis=-1, dtype=np.int64)


def from_int16(samples: NDArray[np.int16], full_scale: float) -> NDArray[np.complex64]:
    """Codes int16 [..., n, 2] to complex64 [..., n] with amplitude 1.0 = full scale."""
    scaled = np.ascontiguousarray(samples).astype(np.float32) * np.float32(1 / full_scale)
    return scaled.view(np.complex64)[..., 0]
