"""The mathematical channel alone: every point of the plan through AWGN at its target SNR; no radio, no capture."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from hil.models.contract import Sent
from hil.points.spec import transmit_power
from hil.provenance import provenance
from hil.results.compare import Answer
from hil.results.curves import Reading
from hil.results.document import ResultsDocument, Row
from hil.runs.beside import Beside, condition, simulated_rows
from hil.runs.config import RunConfig
from hil.runs.document import document
from hil.runs.explained import explained
from hil.runs.plan import drawn_fade, repeated
from hil.runs.progress import Report
from hil.runs.work import Work
from hil.units import power_to_db

__all__ = ["run_simulation"]


def run_simulation(config: RunConfig, work: Work, report: Report, *, given: Mapping[str, Any] | None = None) -> ResultsDocument:
    """Every point through y = Σ f_k x_k + n; the SNR axis is a unit-power transmitter's.

    Args:
        config: resolved.
        work: data set, tasks, schemes and goals.
        report: told how far it is.
        given: what was asked for of the configuration.
    """
    rows: list[Row] = []
    beside = Beside()
    sent: dict[str, Sent] = {}
    with report.stage("simulating", config.draws * len(config.snr_db) * len(work.contenders)) as progress:
        for contender in work.contenders.values():
            power = transmit_power(contender.plan.occupied, config.energy)
            for target in config.snr_db:
                snr_db = [target + power_to_db(value) for value in power]
                if contender.plan.tx_csi != "none" or contender.name not in sent:
                    sent[contender.name] = contender.encode(snr_db if contender.plan.tx_csi != "none" else None)
                tasks, index, fade = sent[contender.name], None, None
                if config.fading == "emulated":
                    index = torch.arange(config.sent_tasks) % len(work.tasks)
                    tasks, fade = repeated(tasks, index), drawn_fade(config.seed, contender.plan.transmitters, len(index))
                made, samples = simulated_rows(
                    contender,
                    tasks,
                    snr_db=[snr_db] * len(contender.plan.receivers),
                    power=power,
                    basis="link",
                    target=target,
                    energy=config.energy,
                    config=config,
                    progress=progress,
                    index=index,
                    fade=fade,
                )
                drawn = target, f"link{config.energy}"
                about = explained(contender, tasks, snr_db, power, seed=config.seed, drawn=drawn, index=index, fade=fade)
                for key, plain in made.items():
                    row = plain.model_copy(update=about.get(key, {}))
                    rows.append(row)
                    under = condition(key, source="simulation", basis="link", energy=config.energy)
                    answer = Answer(snr_db_target=target, sample=samples[key], reading=Reading(snr_db=target))
                    beside.samples.setdefault(under, {}).setdefault(contender.name, []).append(answer)
                    report.point(row)
    return document(
        config,
        work,
        rows,
        beside,
        sent,
        report,
        given=dict(given or {}),
        provenance=provenance(),
        sources={name: file.sha256 for name, file in work.sources.read().items()},
    )
