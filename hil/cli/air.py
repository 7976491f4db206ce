"""`hil air`: virtual radios."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

__all__ = ["air"]

DEFAULT = click.core.ParameterSource.DEFAULT


@click.command()
@click.argument("bench", default="virtual-pluto-trio")
@click.option(
    "--pace", type=click.Choice(["realtime", "free", "stepped"]), help="Real time; faster where clients only wait; only there."
)
@click.option("--status", is_flag=True, help="Show a running air, without BENCH every one: radios, clients, rates, losses.")
@click.option("--fault", metavar="RADIO:KIND[:KEY=VALUE…]", multiple=True, help="Inject a fault into a running air.")
@click.option("--stop", is_flag=True, help="End a running air.")
@click.option("--truth", type=click.Path(path_type=Path), help="Append the truth log to this file (one JSON object a line).")
@click.option("--port", type=int, help="Control port.  [default: the bench file's, 30400]")
@click.option("--expose", is_flag=True, help="Serve on the addresses of the bench file even if they are not loopback.")
@click.option("--home", type=click.Path(path_type=Path), help="Your bench: a folder with radios/, models/, ….")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def air(
    bench: str, pace: str | None, status: bool, fault: tuple[str, ...], stop: bool, truth: Path | None, port: int | None,
    expose: bool, home: Path | None, as_json: bool,
) -> None:  # fmt: skip
    """Serve BENCH's virtual radios until Ctrl-C.

    Drivers, and the vendors' own tools, then reach them at the addresses in the bench file. Faults: drop, overflow, underflow,
    late, unlock, disconnect, slow; for instance --fault rx:overflow:samples=5000:count=3.
    """
    from hil.radios.bench import find_bench
    from hil.radios.virtual.client import ask

    if (
        status
        and port is None
        and not fault
        and not stop
        and click.get_current_context().get_parameter_source("bench") == DEFAULT
    ):
        _every(as_json)
        return
    overrides: dict[str, Any] = {}
    if pace is not None:
        overrides["air.pace"] = pace
    if port is not None:
        overrides["air.control_port"] = port
    config = find_bench(bench, home, overrides)
    control = config.air.control_port
    if status or fault or stop:
        for text in fault:
            ask(control, {"do": "fault", "fault": _fault(text)})
        if status:
            answer = ask(control, {"do": "status"})
            click.echo(json.dumps(answer) if as_json else _table(answer))
        if stop:
            ask(control, {"do": "stop"})
        return
    from hil.radios.virtual.process import run_air
    from hil.radios.virtual.world import protocol

    def ready(control_port: int) -> None:
        if as_json:
            click.echo(json.dumps({"control_port": control_port}))
            return
        for name, radio in config.virtual_radios.items():
            driver, options = config.radios[name].driver, config.radios[name].options
            keys = protocol(driver).client_options(radio.host, radio.port)
            options = {key: options[key] for key in keys if key in options}
            where = ", ".join(f"{key} = {value}" for key, value in options.items()) or radio.host
            click.echo(f"{name}: {driver} at {where}")
        click.echo(f"serving (control port {control_port}); Ctrl-C ends it")

    run_air(config, truth=truth, exposed=expose, ready=ready)


def _every(as_json: bool) -> None:
    """The status of every air that runs here."""
    from hil.errors import RadioNotFoundError
    from hil.radios.virtual.known import statuses

    found = statuses()
    if not found:
        raise RadioNotFoundError("no air runs here: start one with: hil air BENCH")
    click.echo(json.dumps(found) if as_json else "\n".join(f"{_table(one)} (port {one['control_port']})" for one in found))


def _fault(text: str) -> dict[str, Any]:
    radio, _, rest = text.partition(":")
    kind, *pairs = rest.split(":")
    fault: dict[str, Any] = {"radio": radio, "kind": kind}
    for pair in pairs:
        key, _, value = pair.partition("=")
        fault[key] = value
    return fault


def _table(answer: dict[str, Any]) -> str:
    lines = [
        f"bench {answer['bench']}, process {answer['pid']}, {answer['pace']}, {answer['air_s']:.1f} s of air"
        + (f", {answer['slipped_samples']} samples behind the wall clock" if answer["slipped_samples"] else "")
    ]
    for name, radio in answer["radios"].items():
        counters = radio["counters"]
        losses = ("lost", "underflow", "late", "dropped", "rx_clipped", "internal")
        lost = {key: counters[key] for key in losses if counters.get(key)}
        clients = ", ".join(radio["clients"]) or "nobody"
        lines.append(
            f"  {name}: {radio['driver']} {radio['serial']}, {radio['rate_hz'] / 1e6:g} MS/s, clients: {clients}; "
            f"received {counters.get('rx_samples', 0):,}, sent {counters.get('tx_samples', 0):,} samples"
            + "".join(f", {key} {value:,}" for key, value in lost.items())
            + ("; transmitting" if radio["transmitting"] else "")
            + "".join(f"; {kind} fault armed ×{count}" for kind, count in radio["faults"].items())
        )
    return "\n".join(lines)
