"""Who may look: this machine, or whoever has the token; what is served keeps to itself."""

import asyncio
import hashlib
import json
import re
import sys

import pytest

pytest.importorskip("fastapi", reason="the extra 'watch' is not installed")

from hil.errors import DriverMissingError
from hil.watch.app import Pages, application
from hil.watch.place import Place
from hil.watch.recording import Recording
from hil.watch.server import check_installed
from hil.watch.source import UPDATES, Asked, Stream
from tests.conftest import ROOT
from tests.unit.watch.signals import write_capture

STATIC = ROOT / "hil" / "watch" / "static"


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return Recording(write_capture(tmp_path_factory.mktemp("app") / "<b>&.h5"), "<b>&.h5", growing=False)


def get(app, path, query="", host="127.0.0.1:8484", bodies=2):
    """Status, headers and text of one request; of a stream, so many pieces."""
    sent = []
    done = asyncio.Event()

    async def receive():
        if sent_request:
            await done.wait()
            return {"type": "http.disconnect"}
        sent_request.append(True)
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        sent.append(message)
        parts = [one for one in sent if one["type"] == "http.response.body" and one.get("body")]
        if len(parts) >= bodies:
            done.set()

    sent_request: list[bool] = []
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "scheme": "http", "path": path,
        "raw_path": path.encode(), "query_string": query.encode(), "root_path": "", "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 8484), "headers": [(b"host", host.encode())],
    }  # fmt: skip

    async def run():
        await asyncio.wait_for(app(scope, receive, send), 20)

    asyncio.run(run())
    body = b"".join(one.get("body", b"") for one in sent if one["type"] == "http.response.body")
    return sent[0]["status"], {k.decode(): v.decode() for k, v in sent[0]["headers"]}, body.decode()


def test_the_page_names_what_is_watched_and_escapes_it(source):
    status, headers, text = get(application(source, Place()), "/")
    assert status == 200
    assert "&lt;b&gt;&amp;.h5" in text
    assert "<b>&" not in text
    assert "default-src 'none'" in headers["content-security-policy"]
    assert headers["referrer-policy"] == "no-referrer"


def test_nothing_is_fetched_from_elsewhere(source):
    _, _, text = get(application(source, Place()), "/")
    for words in [text, *(path.read_text() for path in STATIC.glob("*.*"))]:
        assert re.findall(r"(?:src|href|url|import)\W{1,3}(?:https?:)?//", words) == []


def test_a_stream_begins_with_about_and_goes_on_with_updates(source):
    _, headers, text = get(application(source, Place()), "/events", "at=1&rate=0")
    assert headers["content-type"].startswith("text/event-stream")
    events = re.findall(r"event: (\w+)\ndata: (.*)\n\n", text)
    assert [name for name, _ in events[:2]] == ["about", "update"]
    assert json.loads(events[0][1])["receivers"] == ["rx"]
    assert json.loads(events[1][1])["burst"] == 1


def test_what_fails_is_told_in_the_stream(source):
    _, _, text = get(application(source, Place()), "/events", "receiver=far", bodies=1)
    assert json.loads(text.split("data: ")[1]) == {"state": "failed", "why": "no receiver 'far'; it has rx"}


@pytest.mark.parametrize("query", ["rate=nan", "rate=-1", "at=-1", "rate=1e9", "at=x"])
def test_senseless_questions(source, query):
    assert get(application(source, Place()), "/events", query, bodies=1)[0] == 422


@pytest.mark.parametrize(
    ("host", "status"),
    [("localhost:8484", 200), ("127.0.0.1", 200), ("[::1]:8484", 200), ("evil.example:8484", 403), ("", 403)],
)
def test_on_loopback_other_names_are_turned_away(source, host, status):
    assert get(application(source, Place()), "/", host=host)[0] == status


@pytest.mark.parametrize(
    ("path", "query", "status"),
    [
        ("/", "", 403), ("/", "token=wrong", 403), ("/events", "", 403), ("/events", "token=", 403), ("/", "token={}", 200),
        ("/static/main.js", "", 200), ("/static/../app.py", "", 404),
    ],
)  # fmt: skip
def test_elsewhere_a_token_is_asked_for(source, path, query, status):
    place = Place.at("192.0.2.7", 0)
    assert place.token is not None
    assert len(place.token) >= 24
    assert get(application(source, place), path, query.format(place.token), host="192.0.2.7:1", bodies=1)[0] == status


def test_places():
    assert Place.at("127.0.0.1", 0).token is None
    assert Place.at("::1", 0).url(5) == "http://[::1]:5/"
    assert Place.at("10.0.0.1", 0).token != Place.at("10.0.0.1", 0).token
    one = Place.at("10.0.0.1", 0)
    assert one.url(80) == f"http://10.0.0.1:80/?token={one.token}"


def test_the_charts_library_is_the_one_that_was_published():
    folder = STATIC / "uplot"
    sums = dict(re.findall(r"([0-9a-f]{64})  (\S+)", (folder / "README.md").read_text())[::-1])
    named = {name: digest for digest, name in sums.items()}
    for name in ("uPlot.iife.min.js", "uPlot.min.css"):
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == named[name]
    assert "MIT" in (folder / "LICENSE").read_text()


def test_without_its_libraries_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    with pytest.raises(DriverMissingError, match=r"FastAPI, uvicorn and Jinja2 .*uvicorn.*pip install 'hil\[watch\]'"):
        check_installed()


class Late(Stream):
    """Nothing at five looks, then something, then nothing again."""

    def __init__(self):
        self.looks = 0

    def about(self):
        return {}

    def next(self):
        self.looks += 1
        return {"state": "live"} if self.looks == 6 else None

    def close(self):
        pass


def test_what_comes_late_is_looked_for_soon_and_a_page_at_rest_is_left_alone(source, monkeypatch):
    late, pauses = Late(), []

    async def asleep(seconds):
        pauses.append(seconds)

    async def pieces():
        return [one async for one in Pages(lambda: late.looks == 8).told(source, Asked())]

    monkeypatch.setattr(source, "stream", lambda asked: late)
    monkeypatch.setattr(asyncio, "sleep", asleep)
    said = asyncio.run(pieces())
    assert [one.split("\n")[0] for one in said if "beat" not in one] == ["event: about", "event: update"]
    assert pauses[:5] == [1 / 64, 1 / 32, 1 / 16, 1 / UPDATES, 1 / UPDATES]
    assert 0 < pauses[5] <= 1 / UPDATES
    assert pauses[6] == 1 / 64
