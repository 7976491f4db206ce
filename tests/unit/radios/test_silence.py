"""Signals belong to the program: opening a bench changes none; one that asks for it leaves no transmitter on."""

import os
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest

from hil.radios.bench import find_bench
from hil.radios.session import Bench
from hil.radios.silence import silence_on_signals
from tests.conftest import ROOT

NUMBERS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)

PROGRAM = """
import atexit, signal, sys, time
import numpy as np

bench = None

@atexit.register  # first, so that it runs last
def tell():
    radio = bench.radios["tx"]
    print("sending" if any(radio.air.sending(port) for port in radio.tx_ports) else "silent", flush=True)

from hil.radios.bench import find_bench
from hil.radios.session import Bench, silence_on_signals
{before}
silence_on_signals()
bench = Bench(find_bench(sys.argv[1]))
bench.radios["tx"].transmit(np.full((2, 4096), 0.1, np.complex64), cyclic=True)
print("on", flush=True)
{after}
"""


def start(before: str = "", after: str = "time.sleep(60)") -> subprocess.Popen[str]:
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", PROGRAM.format(before=before, after=after), str(ROOT / "radios" / "builtin.toml")]
    return subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True)


def test_opening_a_bench_leaves_the_programs_handlers_alone() -> None:
    before = [signal.getsignal(number) for number in NUMBERS]
    with Bench(find_bench(ROOT / "radios" / "builtin.toml")) as bench:
        bench.burst(np.full((2, 100), 0.1, np.complex64))
        assert [signal.getsignal(number) for number in NUMBERS] == before
    assert [signal.getsignal(number) for number in NUMBERS] == before


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_program_that_asks_for_it_leaves_no_transmitter_on(number: signal.Signals) -> None:
    with start() as program:
        assert program.stdout is not None
        assert program.stdout.readline() == "on\n"
        program.send_signal(number)
        assert program.stdout.read() == "silent\n"
        assert program.wait(10) == 128 + number


def test_a_handler_that_somebody_installed_is_kept() -> None:
    before = """
def mine(number, frame):
    bench.silence()
    print("mine", flush=True)
    sys.exit(7)

signal.signal(signal.SIGTERM, mine)
signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
"""
    with start(before) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == "on\n"
        program.send_signal(signal.SIGHUP)
        program.send_signal(signal.SIGTERM)
        assert program.stdout.read() == "mine\nsilent\n"
        assert program.wait(10) == 7


def test_the_end_of_a_program_silences_too() -> None:
    with start(after="sys.exit(3)") as program:
        assert program.stdout is not None
        assert program.stdout.read() == "on\nsilent\n"
        assert program.wait(10) == 3


def test_another_thread_may_not_and_does_not() -> None:
    before = signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=silence_on_signals)
    thread.start()
    thread.join()
    assert signal.getsignal(signal.SIGTERM) == before


def test_the_command_line_asks_for_it() -> None:
    code = """
import signal
from hil.cli import main
main.cli = lambda **_: print([signal.getsignal(n) is signal.SIG_DFL for n in (signal.SIGTERM, signal.SIGHUP)])
main.main()
"""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert done.stdout == "[False, False]\n"
