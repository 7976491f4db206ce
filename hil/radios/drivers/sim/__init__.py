"""Simulated radios that share one air in this process."""

from hil.radios.card import DriverEntry

REGISTERED = (
    DriverEntry(
        name="sim",
        target="hil.radios.drivers.sim._driver:SimulatedRadio",
        summary="simulated radios in this process",
        simulated=True,
        check="hil.radios.drivers.sim._check:check",
    ),
)
