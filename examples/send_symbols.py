"""Complex symbols of your own over a bench: arrays in, arrays out.

python examples/send_symbols.py [FOLDER]
"""

import sys
from pathlib import Path

import numpy as np

import hil


def main(folder):
    """Send random QPSK at 12 dB and count the symbols that were decided wrongly."""
    rng = np.random.default_rng(1)
    bits = rng.integers(0, 2, size=(2, 1, 42, 64))
    symbols = ((2 * bits[0] - 1) + 1j * (2 * bits[1] - 1)) / np.sqrt(2)  # [tx, task, use], mean power 1
    got = hil.send(symbols, "builtin", snr_db=12.0, capture=Path(folder) / "capture.h5")
    error = got.symbols - symbols[0]
    wrong = (np.sign(got.symbols.real) != np.sign(symbols[0].real)) | (np.sign(got.symbols.imag) != np.sign(symbols[0].imag))
    print(f"SNR {got.about['snr_db'][0]:.1f} dB, EVM {10 * np.log10(np.mean(np.abs(error) ** 2)):.1f} dB")
    print(f"noise as the receiver states it: {10 * np.log10(got.noise_var.mean()):.1f} dB")
    print(f"{int(wrong.sum())} of {wrong.size} symbols decided wrongly; samples: {got.about['capture']}")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "runs/symbols")
