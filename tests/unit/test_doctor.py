"""The diagnosis: every driver says for itself what it needs, and devices are told by their makers' identifiers."""

from pathlib import Path

from hil.doctor import diagnose, driver_checks, find_devices, list_benches
from hil.registry import DRIVERS


def test_every_driver_is_asked() -> None:
    checks = driver_checks()
    assert list(checks) == DRIVERS.names()
    assert [lines[0].name for lines in checks.values()] == DRIVERS.names()
    assert checks["sim"][0].ok


def test_the_diagnosis_has_a_fix_for_every_red_line() -> None:
    checks = diagnose()
    names = [check.name for check in checks]
    assert {"interpreter", "torch", "USB access", "devices", "weights", "silence after SIGKILL", *DRIVERS.names()} <= set(names)
    assert all(check.fix for check in checks if check.ok is False)
    silence = next(check for check in checks if check.name == "silence after SIGKILL")
    assert "Pluto on USB" in silence.detail


def test_devices_are_found_by_their_identifiers(tmp_path: Path) -> None:
    for name, vendor, product in (("1-1", "0456", "b673"), ("1-2", "2500", "0020"), ("1-3", "1234", "5678")):
        device = tmp_path / name
        device.mkdir()
        (device / "idVendor").write_text(vendor + "\n")
        (device / "idProduct").write_text(product + "\n")
    for name, speed, version in (("1-1", "480", " 2.00"), ("1-2", "480", " 2.10")):
        (tmp_path / name / "speed").write_text(speed + "\n")
        (tmp_path / name / "version").write_text(version + "\n")
    (tmp_path / "usb1").mkdir()
    assert find_devices(tmp_path) == ["ADALM-Pluto at USB 1-1", "USRP B200/B210 at USB 1-2 on a USB 2 link"]
    assert find_devices(tmp_path / "nowhere") == []


def test_images_of_usrps_are_looked_for(tmp_path: Path, monkeypatch) -> None:
    def said() -> str:
        return next(check for check in driver_checks()["uhd"] if check.name == "USRP images").detail

    monkeypatch.setenv("UHD_IMAGES_DIR", str(tmp_path))
    assert said().startswith(f"none of the B200 series in {tmp_path}")
    for name in ("usrp_b200_fw.hex", "usrp_b210_fpga.bin"):
        (tmp_path / name).touch()
    assert said() == f"of the B200 series in {tmp_path}"


def test_benches_that_cannot_be_read_say_why(tmp_path: Path) -> None:
    folder = tmp_path / "radios"
    folder.mkdir()
    (folder / "broken.toml").write_text("name = ")
    benches = {bench["name"]: bench["radios"] for bench in list_benches(tmp_path)}
    assert "not valid TOML" in benches["broken"]["error"]
    assert benches["two-receivers"] == {"tx": "sim", "rx0": "sim", "rx1": "sim"}
