"""Coefficients of the logarithm, sine and cosine that plain and compiled code share: same coefficients, same bits."""

from __future__ import annotations

__all__ = ["COS", "LOG", "SIN"]

LOG = (
    0.999999975, -0.4999997774, 0.3333416046, -0.2500294611, 0.199584171, -0.1654373793, 0.1491737766, -0.1448218591,
    0.08959912092,
)  # fmt: skip
"""ln(1 + s)/s in powers of s on √½ − 1 … √2 − 1."""
SIN = (0.785398161, -0.08074543483, 0.002490007127, -3.595450779e-05)
"""sin(πt/4)/t in powers of t² on −1 … 1."""
COS = (1.0, -0.3084251352, 0.01585432525, -0.0003259386143, 3.529811307e-06)
"""cos(πt/4) in powers of t²."""
