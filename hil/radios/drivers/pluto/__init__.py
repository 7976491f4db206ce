"""ADALM-Pluto through pyadi-iio."""

from hil.radios.card import DriverEntry

REGISTERED = (
    DriverEntry(
        name="pluto",
        target="hil.radios.drivers.pluto._driver:PlutoRadio",
        summary="ADALM-Pluto through pyadi-iio",
        install="apt install libiio0 (conda: conda install -c conda-forge libiio), then pip install 'hil[pluto]'",
        server="hil.radios.virtual.iiod.server:IiodServer",
    ),
)
