"""Examples at the end of commands' help texts, by the command's words."""

from __future__ import annotations

__all__ = ["EXAMPLES"]

EXAMPLES = {
    "calibrate": ("hil calibrate my-bench --snr 5 --transmit", "hil calibrate my-bench --check"),
    "run": (
        "hil run", "hil run my-bench --schemes single,oma,noma --snr -6:15:3 --transmit --name monday",
        "hil run --schemes mine.py:Mine --snr 0,10 --tasks 84",
    ),
    "replay": ("hil replay runs/demo", "hil replay runs/demo --simulate channel --snr 0:10:5"),
    "score": ("hil score runs/demo --goals image",),
    "send": ("hil send symbols.npy my-bench --snr 10 --transmit", "hil send symbols.mat --snr 0:20:5 --simulate awgn"),
    "sensitivity": ("hil sensitivity noma", "hil sensitivity noma --capture runs/demo --out runs/demo"),
    "sweep": ("hil sweep seeds.toml", "hil sweep seeds.toml --cluster local --workers 2"),
    "train": ("hil train jscc-oma --out models", "hil train jscc-oma --dataset market1501:PATH --out mine --set seed=2"),
    "compare": ("hil compare runs/monday runs/tuesday",),
    "watch": ("hil watch", "hil watch runs/demo", "hil watch my-bench"),
    "report": ("hil report runs/demo",),
    "figures": ("hil figures runs/demo", "hil figures runs/monday runs/tuesday --together"),
    "export": ("hil export runs/demo --rows rows.csv --tasks tasks.parquet",),
    "air": ("hil air virtual-pluto-trio", "hil air --status", "hil air virtual-pluto-trio --fault rx:overflow:samples=5000"),
    "radios list": ("hil radios list",),
    "radios probe": ("hil radios probe rx --bench my-bench",),
    "radios check": ("hil radios check my-bench --snr -6:15:3 --transmit",),
    "radios test": ("hil radios test tx --bench my-bench --transmit",),
    "captures verify": ("hil captures verify runs/demo/capture.h5",),
    "captures info": ("hil captures info runs/demo/capture.h5",),
    "captures export": ("hil captures export runs/demo --sigmf --out shared",),
    "captures import": ("hil captures import shared/capture.hil.h5 --out demo.h5",),
    "captures keep": ("hil captures keep demo --note 'first light'", "hil captures keep demo --whole --name for-anna"),
    "schemes list": ("hil schemes list",),
    "schemes new": ("hil schemes new mine && hil schemes test mine.py:Mine",),
    "schemes test": ("hil schemes test mine.py:Mine", "hil schemes test mine.py:Detector --dataset voc:PATH"),
    "datasets list": ("hil datasets list",),
    "datasets info": ("hil datasets info market1501:PATH",),
    "doctor": ("hil doctor",),
    "completion": ('eval "$(hil completion bash)"',),
}  # fmt: skip
"""Only what is safe to copy: PATH and my-bench are the reader's."""
