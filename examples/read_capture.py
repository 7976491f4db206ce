"""What a capture holds: raw samples of every burst, what was sent, what came of every frame.

python examples/read_capture.py captures/single.h5
"""

import sys

import numpy as np

from hil import Capture


def main(path):
    """Print a few figures of each point."""
    with Capture.open(path) as capture:
        print(f"{path}: format {capture.version}, {'complete' if capture.complete else 'cut short'}")
        print(f"made by hil {capture.provenance['version']} with {', '.join(capture.receivers)}")
        for point in capture.points:
            sent = point.symbols  # complex64 [tx, task, use]
            print(f"{point.name}: {sent.shape[1]} tasks of {sent.shape[2]} uses from {sent.shape[0]} transmitters")
            ledger = capture.ledger(point.index)  # one row for every frame ever sent, and receiver
            print(f"  frames: {len(ledger)}, found {int(ledger['detected'].sum())}")
            for burst in capture.bursts(point.index):
                iq = burst.samples.astype(np.float32)  # int16 [n, 2]
                level = 10 * np.log10(np.mean(iq**2) * 2 + 1e-9)
                print(f"  first burst: {len(iq)} samples at {burst.receiver}, {level:.1f} dB above one converter step")
                break
            if point.received is not None:
                error = point.received[0] - sent.sum(0)
                print(f"  EVM {10 * np.log10(np.mean(np.abs(error) ** 2)):.1f} dB")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "runs/demo/capture.h5")
