"""What a run found: typed rows, and what they say together.

python examples/read_results.py runs/demo/results.json
"""

import sys

from hil import load_results


def main(path):
    """Print every measured row, and where air and simulation disagree."""
    results = load_results(path)  # older schemas are brought up to date
    print(f"{results.status}: {len(results.points)} rows on data set {results.dataset['spec']}")
    for row in results.points:
        if row.source != "air":
            continue
        name, metric = row.headline
        low, high = metric.ci
        snr = ", ".join(f"{value:.1f}" for value in row.snr_db)
        print(f"{row.scheme} at {snr} dB: {name} {metric.value:.3f} [{low:.3f}, {high:.3f}] of {metric.n} tasks")
    for item in results.agreement:
        if item.outside_bound:
            print(f"{item.scheme} at {item.snr_db_target:g} dB: air − simulation {item.difference:+.3f}")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "runs/demo/results.json")
