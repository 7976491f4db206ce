"""ADALM-Pluto through pyadi-iio."""

from hil.radios.card import DriverEntry

REGISTERED = (
    DriverEntry(
        name="pluto",
        target="hil.radios.drivers.pluto._driver:PlutoRadio",
        summary="ADALM-Pluto through pyadi-iio",
        install="apt install libiio0 (conda: conda install -c conda-forge libiio), then pip install 'hil[pluto]'",
        server="hil.radios.virtual.iiod.server:IiodServer",
        check="hil.radios.drivers.pluto._check:check",
        usb=(("0456", "b673", "ADALM-Pluto"),),
        udev=("iio", "pluto"),
        killed="a Pluto on USB may repeat a cyclic buffer until it is opened again, one behind a cut network until the "
        "connection times out; a host-fed stream ends by itself",
    ),
)
