"""Anything that SoapySDR drives."""

from hil.radios.card import DriverEntry

REGISTERED = (
    DriverEntry(
        name="soapy",
        target="hil.radios.drivers.soapy._driver:SoapyRadio",
        summary="anything SoapySDR drives",
        install="apt install python3-soapysdr and the device's module, soapysdr-module-… (conda: "
        "conda install -c conda-forge soapysdr soapysdr-module-…); see: hil doctor",
        server="hil.radios.virtual.soapyremote.server:SoapyRemoteServer",
        check="hil.radios.drivers.soapy._check:check",
        usb=(
            ("1d50", "6108", "LimeSDR"),
            ("0403", "601f", "LimeSDR Mini"),
            ("1d50", "6089", "HackRF One"),
            ("2cf0", "5250", "bladeRF"),
        ),
        udev=("soapy", "lime"),
        killed="a SoapySDR device plays what it has buffered",
    ),
)
