"""Time by part, against known sleeps."""

import threading
import time

import pytest

from hil.timing import Spent, Stopwatch, spent, timed, watch


def test_a_part_does_not_count_what_is_inside_it():
    stopwatch = Stopwatch()
    with stopwatch.part("outer"):
        time.sleep(0.05)
        with stopwatch.part("inner"):
            time.sleep(0.1)
    with stopwatch.part("inner"):
        time.sleep(0.1)
    found = stopwatch.spent
    assert found["outer"].wall_s == pytest.approx(0.05, abs=0.04)
    assert found["inner"].wall_s == pytest.approx(0.2, abs=0.06)
    assert found["start and other"].wall_s < 0.05


def test_parts_add_up_to_the_whole_after_an_error_too():
    began = time.perf_counter()
    stopwatch = Stopwatch()

    @stopwatch.part("failing")
    def fail():
        time.sleep(0.03)
        raise ValueError("inside")

    with pytest.raises(ValueError, match="inside"):
        fail()
    time.sleep(0.03)
    whole = sum(stopwatch.spent.values(), Spent())
    assert whole.wall_s == pytest.approx(time.perf_counter() - began, abs=0.02)
    assert stopwatch.spent["start and other"].wall_s >= 0.03


def busy(seconds):
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        pass


def test_cpu_of_other_threads_counts_with_the_part_that_waits_for_them():
    stopwatch = Stopwatch()
    with stopwatch.part("waiting"):
        thread = threading.Thread(target=busy, args=[0.1])
        thread.start()
        thread.join()
    assert stopwatch.spent["waiting"].cpu_s >= 0.1


def test_parts_of_other_threads_have_their_own_cpu_once_they_are_over():
    stopwatch = Stopwatch()
    begun, go_on = threading.Event(), threading.Event()

    def work():
        with stopwatch.part("beside"):
            busy(0.6)
            with stopwatch.part("inside"):  # counts with the part around it
                begun.set()
                go_on.wait()
                busy(0.05)

    with stopwatch.part("here"):
        thread = threading.Thread(target=work)
        thread.start()
        begun.wait()
        assert "beside" not in stopwatch.spent  # some systems tell nothing of a thread that waits
        go_on.set()
        thread.join()
    found = stopwatch.spent
    assert found["beside"].cpu_s == pytest.approx(0.65, abs=0.1)
    assert found["beside"].wall_s == 0
    assert found["here"].cpu_s < 0.3
    assert "inside" not in found


def test_decorated_functions_are_parts_once_watched():
    @timed("decorated")
    def sleep():
        time.sleep(0.02)

    watch()
    sleep()
    sleep()
    assert spent()["decorated"].wall_s >= 0.04
