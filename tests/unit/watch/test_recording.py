"""A capture, played and followed: the right burst at the right time, with what is in it."""

import shutil
import time

import numpy as np
import pytest

from hil.captures import CaptureWriter
from hil.errors import ConfigError
from hil.watch.recording import Recording
from hil.watch.source import Asked
from tests.conftest import ROOT
from tests.unit.watch.signals import ORDER, SNR_DB, TONE_BIN, Window, blocks, write_capture


@pytest.fixture(scope="module")
def capture(tmp_path_factory):
    return write_capture(tmp_path_factory.mktemp("watch") / "signals.h5")


def played(path, **asked):
    return Recording(path, path.name, growing=False).stream(Asked(**asked))


def test_each_block_shows_for_what_it_is(capture):
    shown = {name: played(capture, at=place, rate=0).next() for place, name in enumerate(ORDER)}
    tone, ofdm, clipped, silence = (shown[name] for name in ORDER)
    assert [one["burst"] for one in shown.values()] == [0, 1, 2, 3]
    assert {one["state"] for one in shown.values()} == {"paused"}
    assert tone["spectrum"].index(max(tone["spectrum"])) == 512 + TONE_BIN
    assert max(tone["spectrum"]) == pytest.approx(-60, abs=1)  # tenths of a dB
    assert "frame" not in tone
    assert ofdm["frame"]["snr"][0] == pytest.approx(SNR_DB, abs=1.5)
    assert len(ofdm["frame"]["carriers"]) == len(ofdm["frame"]["carrier_snr"][0]) == 52
    assert ofdm["levels"]["clipped"] == 0
    assert clipped["levels"]["clipped_high"] > 100
    assert clipped["levels"]["clipped_low"] > 100
    assert clipped["levels"]["upper_db"] == clipped["levels"]["lower_db"] == 0
    assert silence["levels"]["rms_dbfs"] is None
    assert set(silence["spectrum"]) == {-1500}
    assert [one["counts"]["found"] for one in shown.values()] == [0, 1, 2, 2]
    assert [one["counts"]["lost"] for one in shown.values()] == [1, 1, 1, 2]
    assert silence["history"]["x"] == [0, 1, 2, 3]
    assert silence["history"]["lost"] == [0, 3]


def test_about(capture):
    about = played(capture).about()
    assert (about["source"], about["receivers"], about["rate_hz"], about["carrier_hz"]) == ("capture", ["rx"], 1e6, 2.45e9)


def test_it_is_played_to_its_end_and_tells_every_burst_once(capture):
    stream = played(capture, rate=50.0)
    seen, deadline = [], time.monotonic() + 5
    while (not seen or seen[-1]["state"] != "ended") and time.monotonic() < deadline:
        update = stream.next()
        if update is not None:
            seen.append(update)
    places = [one["burst"] for one in seen]
    assert places == sorted(set(places))
    assert places[-1] == 3
    assert stream.next() is None


def test_a_place_beyond_the_end_is_the_last(capture):
    assert played(capture, at=99, rate=0).next()["burst"] == 3


def test_a_stranger_is_told_who_listens(capture):
    with pytest.raises(ConfigError, match=r"no receiver 'rxx'; did you mean 'rx'\?; it has rx"):
        played(capture, receiver="rxx")


def test_a_run_is_followed_from_before_its_capture_is_there(tmp_path):
    path = tmp_path / "capture.h5"
    stream = Recording(path, "run", growing=True).stream(Asked())
    assert stream.next() == {"state": "waiting"}
    assert stream.next() is None
    done = write_capture(tmp_path / "other.h5", finished=False)
    shutil.copyfile(done, path)
    first = stream.next()
    assert (first["state"], first["burst"], first["counts"]["found"]) == ("live", 3, 2)
    assert stream.about()["receivers"] == ["rx"]
    assert stream.next() is None  # nothing new


def test_the_newest_burst_of_a_run_that_goes_on(tmp_path):
    path = tmp_path / "capture.h5"
    stream = Recording(path, "run", growing=True).stream(Asked())
    bench = {"receivers": [{"name": "rx", "radio": "rx"}], "sample_rate_hz": 1e6, "center_freq_hz": 1e9, "clock": "shared"}
    with CaptureWriter.create(
        path, config={"bench": bench}, provenance={}, models={}, receivers=["rx"], transmitters=1
    ) as writer:
        radios = {"rx": {"info": {"rx_full_scale": 2048}}}
        assert stream.next() == {"state": "waiting"}
        for point in range(2):
            writer.add_point(f"p{point}", attrs={"radios": radios}, symbols=np.ones((1, 1, 1), np.complex64), labels={})
            for name in ORDER:
                row = {"status": "lost"}
                writer.append_burst(
                    point, {"rx": Window(blocks()[name], 0)}, kind="calibration", frame_numbers=[0], ledger={"rx": [row]}
                )
                update = stream.next()
                assert (update["state"], update["burst"]) == ("live", 4 * point + ORDER.index(name))
                assert (update["point"], update["samples"]) == (f"p{point}", len(blocks()[name]))
                assert update["counts"]["lost"] == update["burst"] + 1
        writer.finish({})
    assert stream.next()["state"] == "ended"


@pytest.mark.parametrize("name", ["single", "oma", "noma"])
def test_captures_of_the_first_format_play(name):
    update = played(ROOT / "tests/golden/v1" / name / "capture.h5", at=10**6, rate=0).next()
    assert update["kind"] == "frame"
    assert len(update["spectrum"]) == 1024
    assert update["counts"]["found"] > 0
