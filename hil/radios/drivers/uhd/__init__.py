"""USRPs through UHD's own Python module."""

from hil.radios.card import DriverEntry

REGISTERED = (
    DriverEntry(
        name="uhd",
        target="hil.radios.drivers.uhd._driver:UhdRadio",
        summary="USRP through UHD",
        install="apt install python3-uhd uhd-host (conda: conda install -c conda-forge uhd); see: hil doctor",
        server="hil.radios.virtual.n210.server:N210Server",
    ),
)
