"""`hil watch` as a user has it: a page in a browser over a capture, and beside a run that it does not disturb."""

import json
import signal
import threading
import time
from contextlib import contextmanager
from urllib.error import HTTPError
from urllib.request import urlopen

import numpy as np
import pytest

from hil.captures import Capture
from hil.errors import DriverMissingError
from hil.radios.drivers.soapy._device import load_soapy
from tests.browser import BROWSER, Browser
from tests.conftest import DATASET, ROOT
from tests.system.waiting import wait_for
from tests.unit.watch.signals import SNR_DB, write_capture

pytest.importorskip("uvicorn", reason="the extra 'watch' is not installed")

STATE = "document.documentElement.dataset.state"


@contextmanager
def watching(hil, *arguments, cwd=None):
    """`hil watch` and the address that it printed; Ctrl-C ends it, in one line."""
    process = hil.start("watch", *arguments, "--port", 0, cwd=cwd)
    try:
        line = process.stdout.readline()
        assert line.startswith("watching "), line or process.communicate(10)[1]
        yield line.split(": ")[1].split(" (")[0]
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(30)
        assert process.returncode == 130
        assert errors.strip() == "hil: stopped by Ctrl-C"
    finally:
        process.kill()


def events(url, query="", *, until, seconds=60):
    """Updates as they come, up to the first for which `until` holds."""
    got, deadline = [], time.monotonic() + seconds
    with urlopen(f"{url}events{query}", timeout=seconds) as stream:
        while time.monotonic() < deadline:
            name, data = stream.readline().decode().strip(), stream.readline().decode().strip()
            assert stream.readline() == b"\n"
            if name == "event: update":
                got.append(json.loads(data.removeprefix("data: ")))
                if until(got[-1]):
                    return got
    raise AssertionError(f"it never came; the last of {len(got)}: { {k: v for k, v in got[-1].items() if k != 'spectrum'} }")


def test_a_capture_is_played_to_its_end(hil, tmp_path):
    capture = write_capture(tmp_path / "signals.h5", rounds=3)
    with watching(hil, capture) as url:
        got = events(url, "?at=0&rate=10", until=lambda one: one["state"] == "ended")
    assert [one["burst"] for one in got] == sorted({one["burst"] for one in got})
    assert got[-1]["burst"] == 11
    assert {one["state"] for one in got[:-1]} == {"playing"}


def test_elsewhere_than_on_loopback_only_with_the_token(hil, tmp_path):
    capture = write_capture(tmp_path / "signals.h5")
    with watching(hil, capture, "--listen", "0.0.0.0") as shown:
        base, token = shown.split("?token=")
        here = f"http://127.0.0.1:{base.rsplit(':', 1)[1]}"
        with pytest.raises(HTTPError, match="403"):
            urlopen(here, timeout=20)
        with urlopen(f"{here}?token={token}", timeout=20) as page:
            assert b"signals.h5" in page.read()


def test_a_run_is_the_same_with_and_without_it(hil, small_run, untrained, tmp_path):
    seen: list[dict] = []
    run = hil.start(
        "run", "--models", untrained, "--dataset", DATASET, "--snr", "0,12", "--tasks", 36, "--distinct-tasks", 18,
        "--tasks-per-frame", 12, "--draws", 3, "--out", tmp_path, "--name", "watched",
    )  # fmt: skip
    wait_for(tmp_path / "watched" / "run.toml", run)
    with watching(hil, tmp_path / "watched") as url:
        page = threading.Thread(target=lambda: seen.extend(events(url, until=lambda one: one["state"] == "ended", seconds=120)))
        page.start()
        _, errors = run.communicate(120)
        assert run.returncode == 0, errors
        page.join(60)
    with Capture.open(small_run / "capture.h5") as alone, Capture.open(tmp_path / "watched" / "capture.h5") as watched:
        np.testing.assert_array_equal(alone.burst_table(), watched.burst_table())
        for one, other in zip(alone.bursts(), watched.bursts(), strict=True):
            np.testing.assert_array_equal(one.samples, other.samples)
        lost = int(np.isin(watched.ledger()["status"], [2, 4, 5]).sum())
        bursts = watched.committed["bursts"]
    results = [json.loads((folder / "results.json").read_text()) for folder in (small_run, tmp_path / "watched")]
    assert results[0]["points"] == results[1]["points"]
    assert seen[-1]["state"] == "ended"
    assert (seen[-1]["bursts"], seen[-1]["counts"]["lost"]) == (bursts, lost)
    assert any("frame" in one for one in seen)


def test_a_run_over_the_wire_is_the_same_with_and_without_it(hil, untrained, tmp_path):
    """Through SoapySDR's own library, timed bursts: on an air that steps, so that what differs is not the machine's doing."""
    try:
        load_soapy()
    except DriverMissingError as err:
        pytest.skip(f"python3-soapysdr: {err}")
    runs, seen = {}, []
    for place, name in enumerate(("alone", "watched")):
        text = (ROOT / "radios" / "virtual-soapy.toml").read_text(encoding="utf-8")
        bench = tmp_path / f"{name}.toml"
        bench.write_text(text.replace("control_port = 30403", f'control_port = {30721 + place}\npace = "stepped"'))
        runs[name] = hil.start(
            "run", bench, "--models", untrained, "--dataset", DATASET, "--schemes", "noma", "--snr", "9", "--tasks", 24,
            "--distinct-tasks", 12, "--tasks-per-frame", 12, "--draws", 2, "--out", tmp_path, "--name", name,
        )  # fmt: skip
    wait_for(tmp_path / "watched" / "run.toml", runs["watched"])
    with watching(hil, tmp_path / "watched") as url:
        page = threading.Thread(target=lambda: seen.extend(events(url, until=lambda one: one["state"] == "ended", seconds=120)))
        page.start()
        for run in runs.values():
            _, errors = run.communicate(120)
            assert run.returncode == 0, errors
        page.join(60)
    with Capture.open(tmp_path / "alone" / "capture.h5") as alone, Capture.open(tmp_path / "watched" / "capture.h5") as watched:
        np.testing.assert_array_equal(alone.burst_table(), watched.burst_table())  # with times and checksums of samples
        assert [row.tobytes() for row in alone.ledger()] == [row.tobytes() for row in watched.ledger()]
        assert not np.isin(watched.ledger()["status"], [2, 4, 5]).any()  # nothing lost, late or overflown
    assert any("frame" in one for one in seen)


@pytest.mark.skipif(BROWSER is None, reason="no browser: apt-get install chromium")
def test_the_page(hil, tmp_path):
    capture = write_capture(tmp_path / "signals.h5")
    with watching(hil, capture) as url, Browser(tmp_path) as browser:
        browser.size(1400, 1000)
        browser.open(url)
        browser.wait(f"{STATE} === 'ended'", 60)
        assert browser.ask("document.getElementById('level').textContent") == "silent"

        browser.press(" ", "Space")  # once more from the beginning
        browser.wait(f"{STATE} === 'playing'")
        browser.press(" ", "Space")
        browser.wait(f"{STATE} === 'paused'")
        browser.press("Home")
        browser.wait("document.getElementById('where').textContent.startsWith('burst 1 of 4')")
        assert browser.ask("document.getElementById('level').textContent") == "−6.0 dBFS"
        assert browser.ask("document.getElementById('upper').textContent") == "6.0 dB"
        assert browser.ask("document.documentElement.dataset.points") == "0"
        assert "no frame found" in browser.ask("document.getElementById('constellation-empty').textContent")

        browser.press("ArrowRight")
        browser.wait("document.documentElement.dataset.points > 300")
        snr = browser.ask("document.getElementById('snr').textContent")
        assert abs(float(snr.removesuffix(" dB")) - SNR_DB) < 1.5
        browser.press("ArrowRight")
        browser.wait("document.getElementById('clips-more').textContent.includes('upper')")
        assert browser.ask("document.getElementById('clips').parentElement.classList.contains('bad')")
        assert browser.ask("document.getElementById('upper').textContent") == "0.0 dB"

        browser.press("?", "Slash")
        assert browser.wait("document.getElementById('help').open")
        browser.press("Escape", windowsVirtualKeyCode=27)
        browser.wait("!document.getElementById('help').open")
        browser.shot(tmp_path / "light.png")
        light = browser.ask("getComputedStyle(document.body).backgroundColor")
        browser.size(380, 800, dark=True, phone=True)
        assert browser.wait(f"getComputedStyle(document.body).backgroundColor !== '{light}'")
        time.sleep(0.3)  # charts follow the width
        assert browser.ask("document.documentElement.scrollWidth - innerWidth") <= 0
        assert (browser.wrong, browser.ask("document.documentElement.dataset.errors")) == ([], None)
    assert (tmp_path / "light.png").stat().st_size > 20_000


@pytest.mark.skipif(BROWSER is None, reason="no browser: apt-get install chromium")
def test_a_page_whose_server_is_gone_says_so(hil, tmp_path):
    capture = write_capture(tmp_path / "signals.h5")
    with Browser(tmp_path) as browser:
        with watching(hil, capture) as url:
            browser.open(url)
            browser.wait(f"{STATE} === 'ended'", 60)
        browser.wait(f"{STATE} === 'lost'")
        assert "connection to hil watch is lost" in browser.ask("document.getElementById('notice').textContent")
        assert browser.ask("document.documentElement.classList.contains('stale')")
