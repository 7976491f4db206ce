"""Pictures sent, received, and what is wrong with them, side by side over schemes and SNRs."""

from __future__ import annotations

import base64
import binascii
import io

import numpy as np
from PIL import Image

from hil.report.measure import target_text
from hil.report.page import Html, cell, fold, paragraph, picture, table
from hil.report.panel import Panel, Point
from hil.report.view import View
from hil.results.parts import Picture

__all__ = ["ERROR_GAIN", "pictures"]

ERROR_GAIN = 4
"""By which differences are made visible; grey is none."""


def pictures(view: View, panel: Panel) -> list[Html]:
    """A table a task: a row for what each scheme received, one for the error; a column for each SNR."""
    shown = [point for point in panel.main_points() if point.repeat == 0 and _pictures(point)]
    tasks = sorted({one.task for point in shown for one in _pictures(point)})
    if not tasks:
        return []
    parts = [
        paragraph(
            f"As sent, as received, and the difference times {ERROR_GAIN} (grey: none). The same tasks for every scheme and "
            "SNR: the first ones of the run, not chosen. Of large pictures the middle is shown.",
            "note",
        )
    ]
    parts += [fold(f"Task {task}", _task(view, panel, shown, task), opened=task == tasks[0]) for task in tasks]
    return parts


def _pictures(point: Point) -> list[Picture]:
    row = point.air or point.link
    return list(row.pictures or []) if row is not None else []


def _task(view: View, panel: Panel, shown: list[Point], task: int) -> Html:
    targets = [target for target in panel.targets if any(point.target == target for point in shown)]
    found = {(point.scheme, point.target): one for point in shown for one in _pictures(point) if one.task == task}
    rows, groups = [], []
    for scheme in panel.schemes:
        own = [found.get((scheme, target)) for target in targets]
        first = next((one for one in own if one is not None), None)
        if first is None:
            continue
        name = cell(view.label(scheme), kind="text")
        rows.append([name, _cell(first.sent, "sent"), *(_cell(one.received if one else "", "received") for one in own)])
        wrong = [_error(one) if one is not None else "" for one in own]
        rows.append([cell("difference", kind="text"), _cell("", ""), *(_cell(one, "difference") for one in wrong)])
        groups += [True, False]
    return table(["", "sent", *(f"{target_text(target)} dB" for target in targets)], rows, groups=groups)


def _cell(png: str, what: str) -> Html:
    if not png:
        return cell("lost" if what == "received" else "–" if what else "")
    return picture(png, what)


def _error(one: Picture) -> str:
    """The difference of received and sent around grey, as base64 of a PNG; "" where nothing came, or it is no picture."""
    try:
        sent, received = (
            np.asarray(Image.open(io.BytesIO(base64.b64decode(png))), np.float64) for png in (one.sent, one.received)
        )
        values = np.clip(127.5 + ERROR_GAIN * (received - sent), 0, 255).round().astype(np.uint8)
    except (OSError, ValueError, binascii.Error):
        return ""
    data = io.BytesIO()
    Image.fromarray(values).save(data, "PNG")
    return base64.b64encode(data.getvalue()).decode("ascii")
