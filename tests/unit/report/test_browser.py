"""The page in a browser: nothing goes wrong, nothing sticks out sideways, every plot has a size, dark follows the system."""

import json
import re
import shutil
import subprocess

import pytest

from tests.unit.report.page_checks import plot_count

BROWSER = shutil.which("chromium")
FLAGS = "no-sandbox disable-gpu disable-quic no-first-run disable-background-networking disable-component-update disable-sync"
PROBE = """<script>
const wrong = []; addEventListener('error', e => wrong.push(e.message || String(e.target)), true);
for (const k of ['error', 'warn']) console[k] = (...a) => wrong.push(a.join(' '));
addEventListener('load', () => { const seen = [...document.querySelectorAll('svg.plot')].filter(s => {
  const b = s.getBoundingClientRect(); return b.width > 90 && b.height > 60 && s.querySelectorAll('path').length > 5; }).length;
const text = document.querySelector('svg.plot text');
document.documentElement.dataset.probe = JSON.stringify({seen, wrong, wide: document.documentElement.scrollWidth - innerWidth,
  ink: text ? getComputedStyle(text).fill : ''}); });</script>"""

pytestmark = pytest.mark.skipif(BROWSER is None, reason="no browser: apt-get install chromium")


def probed(page, folder, *, width, dark=False):
    """What the page says of itself in a window so wide, and its screenshot."""
    probe, shot = folder / "probe.html", folder / f"{width}{dark}.png"
    probe.write_text(page.replace("<head>", "<head>" + PROBE, 1), encoding="utf-8")
    flags = ["--headless", *(f"--{name}" for name in FLAGS.split()), "--enable-logging=stderr", f"--window-size={width},1000"]
    flags += [f"--user-data-dir={folder / f'profile-{width}{dark}'}", "--dump-dom", f"--screenshot={shot}"]
    flags += ["--blink-settings=preferredColorScheme=0"] if dark else []
    done = subprocess.run([BROWSER, *flags, probe.as_uri()], capture_output=True, text=True, timeout=60, check=True)
    found = re.search(r'data-probe="([^"]*)"', done.stdout)
    assert found, done.stderr[-2000:]
    assert "CONSOLE" not in done.stderr
    assert shot.stat().st_size > 5_000
    return json.loads(found[1].replace("&quot;", '"'))


def check(page, found):
    assert found["seen"] == plot_count(page)
    assert found["wrong"] == []
    assert found["wide"] <= 0


def test_a_run_on_light_and_dark_paper_and_on_a_phone(run, tmp_path):
    page = (run / "report.html").read_text(encoding="utf-8")
    light = probed(page, tmp_path, width=1240)
    dark = probed(page, tmp_path, width=500, dark=True)
    check(page, light)
    check(page, dark)
    assert light["ink"] != dark["ink"]  # plots follow the colour scheme


@pytest.mark.parametrize(
    "kind", ["two goals", "two receivers", "dozens of schemes", "one SNR, dozens of schemes", "published alone"]
)
def test_other_kinds_fit_a_phone(kind, tmp_path, page_of_kind):
    page = page_of_kind(kind)
    check(page, probed(page, tmp_path, width=500))
