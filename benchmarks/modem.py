"""`scripts/bench modem`: receiver, transmitter and air against the peers, in one run on frames of one definition."""

from __future__ import annotations

from typing import Any

from benchmarks import air, receivers, runframes
from benchmarks.peers import liquid_speeds, measure
from benchmarks.rows import Row, row

__all__ = ["rows"]

_SCALARS = {
    "receive_msps": ("receive, 20 dB, ~75 % duty", "MS/s", "higher"),
    "noise_msps": ("receive, noise only", "MS/s", "higher"),
    "transmit_msps": ("transmit", "MS/s", "higher"),
    "channel_msps": ("channel simulator", "MS/s", "higher"),
    "channel_resampled_msps": ("channel simulator with resampler", "MS/s", "higher"),
    "floor_db": ("EVM without noise", "dB", "lower"),
    "mp_floor_db": ('EVM without noise, "mp"', "dB", "lower"),
    "false_frames": ("false frames on noise", "frames", "lower"),
}


def _peer_rows(peers: dict[str, dict[str, Any]]) -> list[Row]:
    """What was measured of the peers, one row a figure, without targets; a peer that is missing is named."""
    series = {
        "detection": ("detection at {} dB", "share", "higher"),
        "cfo_rmse": ("CFO RMSE at {} dB", "carrier", "lower"),
        "evm_db": ("EVM at {} dB", "dB", "lower"),
        "mp_evm_db": ('EVM in "mp" at {} dB', "dB", "lower"),
        "sfo_floor_db": ("EVM without noise, SFO {} ppm", "dB", "lower"),
        "packets_with_right_crc": ("QPSK packets with right CRC at {} dB", "share", "higher"),
    }
    out = []
    for name, figures in peers.items():
        label = f"{name} {figures.get('version', '')}".strip()
        if "missing" in figures:
            out.append(row(f"{name}: {figures['missing']}", None, "", peer=name))
        for key, (text, unit, better) in _SCALARS.items():
            if key in figures:
                extra = f" ({figures['false_samples'] / 1e6:.0f} M samples)" if key == "false_frames" else ""
                out.append(row(f"{label}: {text}{extra}", figures[key], unit, better=better))
        for key, (text, unit, better) in series.items():
            for at, value in figures.get(key, {}).items():
                out.append(row(f"{label}: {text.format(at)}", value, unit, better=better))
    return out


def rows(quick: bool) -> tuple[list[Row], dict[str, Any]]:
    """All rows, and the peers' figures as measured."""
    peers = measure(quick)
    out = [*runframes.rows(quick, peers), *receivers.rows(quick, peers), *air.rows(quick, peers), *_peer_rows(peers)]
    label = f"liquid {peers['liquid'].get('version', '')}, once more at the end"
    for key, value in liquid_speeds(quick).items():
        out.append(row(f"{label}: {_SCALARS[key][0]}", value, "MS/s", peer="at the start", peer_value=peers["liquid"].get(key)))
    return out, peers
