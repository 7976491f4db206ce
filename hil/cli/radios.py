"""`hil radios`: what is there, what it can do, and whether it does it."""

from __future__ import annotations

import contextlib
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from hil.cli.display import show_checks
from hil.cli.options import parse_snr

__all__ = ["radios"]

HOME = click.option("--home", type=click.Path(path_type=Path), help="Your bench: a folder with radios/, models/, ….")
BENCH = click.option("--bench", default="builtin", show_default=True, help="Bench file that has the radio.")


@click.group()
def radios() -> None:
    """List, probe and test radios."""


@radios.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@HOME
def list_radios(as_json: bool, home: Path | None) -> None:
    """Drivers, the devices that they find, and the benches' radios; why something is not usable."""
    from hil.doctor import driver_checks, find_devices, list_benches

    drivers = [
        {"driver": name, "usable": library.ok, "detail": library.detail, "fix": library.fix}
        for name, (library, *_) in driver_checks().items()
    ]
    devices = find_devices()
    benches = list_benches(home)
    if as_json:
        click.echo(json.dumps({"drivers": drivers, "devices": devices, "benches": benches}))
        return
    click.echo("drivers")
    for driver in drivers:
        click.echo(f"  {driver['driver']}: {driver['detail']}" + (f"; fix: {driver['fix']}" if driver["fix"] else ""))
    click.echo("devices found")
    for device in devices:
        click.echo(f"  {device}")
    if not devices:
        click.echo("  none (network devices are not searched for: name their addresses in a bench file)")
    click.echo("benches")
    for bench in benches:
        click.echo(f"  {bench['name']}: " + ", ".join(f"{name} ({what})" for name, what in bench["radios"].items()))


@radios.command("probe")
@click.argument("name")
@BENCH
@HOME
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def probe(name: str, bench: str, home: Path | None, as_json: bool) -> None:
    """Open radio NAME of a bench, configure it, and show what it can do, reads back and senses. Transmits nothing."""
    from hil.radios.bench import find_bench
    from hil.radios.session import Bench

    config = _with_radio(find_bench(bench, home), name)
    with Bench(config) as session:
        info, applied = session.radios[name].info, session.settings(name)
        sensors = session.describe()[name]["sensors"]
    if as_json:
        click.echo(json.dumps({"info": info.to_dict(), "applied": applied.to_dict(), "sensors": sensors}))
        return
    for title, values in (("can", info), ("read back", applied)):
        click.echo(title)
        for key in values.to_dict():
            value = getattr(values, key)
            click.echo(f"  {key}: {value}")
    click.echo("senses" if sensors else "senses nothing: it has no sensor of locks or temperature")
    for key, value in sensors.items():
        click.echo(f"  {key}: {value}")


@radios.command("check")
@click.argument("bench", default="builtin")
@click.option("--snr", "snr_db", callback=parse_snr, metavar="DB", help="Are these in reach: FIRST:LAST:STEP or a list.")
@click.option("--transmit", is_flag=True, help="Look at it as if real transmitters were allowed to send.")
@HOME
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def check(ctx: click.Context, bench: str, snr_db: tuple[float, ...], transmit: bool, home: Path | None, as_json: bool) -> None:
    """Look at BENCH without opening a radio: drivers, limits for transmitters, SNRs in reach; exit code 1 if something is red.

    `hil run` and `hil send` look at the same first.
    """
    from hil.radios.bench import find_bench
    from hil.runs.plan import look_at

    checks = look_at(find_bench(bench, home), snr_db=snr_db, transmit=transmit)
    if as_json:
        click.echo(json.dumps([one.to_dict() for one in checks]))
    else:
        show_checks(checks)
    if any(one.ok is False for one in checks):
        ctx.exit(1)


@radios.command("test")
@click.argument("name")
@BENCH
@HOME
@click.option("--transmit", is_flag=True, help="Allow a real transmitter to send, within the bench file's limits.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON; what people read goes to standard error.")
def test(name: str, bench: str, home: Path | None, transmit: bool, as_json: bool) -> None:
    """Run the conformance suite on radio NAME of a bench: it sends, the bench's receiver hears (by cable, or it is virtual).

    NAME is a transmitting radio. Between it and the receiver must be a cable with the attenuation that the bench file states.
    """
    from hil.errors import DriverMissingError, RadioError
    from hil.radios.bench import find_bench
    from hil.radios.limits import check_transmit
    from hil.radios.selftest import run_conformance
    from hil.radios.session import Bench

    config = _with_radio(find_bench(bench, home), name)
    if all(end.radio != name for end in config.transmitters):
        raise RadioError(f"radio '{name}' is no transmitter of bench '{config.name}'")
    with Bench(config, transmit=transmit) as session:
        check_transmit(config, session.radios[name].info, transmit)
    try:
        with contextlib.redirect_stdout(sys.stderr) if as_json else contextlib.nullcontext():
            found = run_conformance(config, name, transmit=transmit)
    except ModuleNotFoundError as err:
        raise DriverMissingError(f"the conformance suite needs pytest ({err}); install it with: pip install pytest") from err
    if as_json:
        click.echo(json.dumps(asdict(found)))
    if not found.passed:
        raise RadioError(f"radio '{name}' does not pass the conformance suite (see above)")


def _with_radio(config: Any, name: str) -> Any:
    from hil.errors import RadioNotFoundError

    if name not in config.radios:
        raise RadioNotFoundError(f"no radio named '{name}' in bench '{config.name}'; it has {', '.join(config.radios)}")
    return config
