"""USRPs through UHD's own Python module."""

from hil.radios.card import DriverEntry

REGISTERED = (
    DriverEntry(
        name="uhd",
        target="hil.radios.drivers.uhd._driver:UhdRadio",
        summary="USRP through UHD",
        install="apt install python3-uhd uhd-host (conda: conda install -c conda-forge uhd); see: hil doctor",
        server="hil.radios.virtual.n210.server:N210Server",
        check="hil.radios.drivers.uhd._check:check",
        usb=(("2500", "0020", "USRP B200/B210"), ("2500", "0021", "USRP B200mini")),
        udev=("uhd",),
        killed="a USRP plays what it has buffered (an N210 0.26 s at 1 MS/s)",
    ),
)
