"""A bench that is listened to: updates come by themselves, from one thread for all pages, and stop without a page."""

import time

import pytest

from hil.errors import ConfigError
from hil.radios.bench import find_bench
from hil.watch.listening import Listening
from hil.watch.source import Asked
from tests.conftest import ROOT


@pytest.fixture
def listening():
    source = Listening(find_bench(ROOT / "radios" / "builtin.toml"))
    yield source
    source.close()


def first_updates(stream, count, seconds=10.0):
    got, deadline = [], time.monotonic() + seconds
    while len(got) < count and time.monotonic() < deadline:
        update = stream.next()
        if update is not None:
            got.append(update)
    assert len(got) == count
    return got


def test_noise_is_heard_and_no_frame(listening):
    stream = listening.stream(Asked())
    assert stream.about()["source"] == "bench"
    update = first_updates(stream, 3)[-1]
    assert update["state"] == "live"
    assert update["levels"]["rms_dbfs"] == pytest.approx(-48, abs=0.3)  # as the bench file says
    assert update["counts"] == {"found": 0, "missing": 0}
    assert len(update["spectrum"]) == 1024
    assert "frame" not in update


def test_two_pages_see_the_same(listening):
    one, two = listening.stream(Asked()), listening.stream(Asked(receiver="rx"))
    assert first_updates(one, 1)[0]["state"] == first_updates(two, 1)[0]["state"] == "live"
    assert len(listening._readers) == 1


def test_without_a_page_nothing_is_read_and_a_page_wakes_it(listening):
    first_updates(listening.stream(Asked()), 1)
    reader = listening._readers["rx"]
    deadline = time.monotonic() + 5
    while reader.running and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not reader.running
    assert first_updates(listening.stream(Asked()), 1)[0]["state"] == "live"


def test_a_stranger_is_told_who_listens(listening):
    with pytest.raises(ConfigError, match="no receiver 'far'; the bench has rx"):
        listening.stream(Asked(receiver="far"))
