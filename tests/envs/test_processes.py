"""Ctrl-C is held back, and never lost; worker processes do not hear it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from turngym import cli
from turngym.envs.benchmark import descendants
from turngym.envs.processes import deaf_to_interrupts, uninterrupted


def test_a_block_is_finished_first():
    done = []
    with pytest.raises(KeyboardInterrupt), uninterrupted():
        signal.raise_signal(signal.SIGINT)
        done.append("block")
    assert done == ["block"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_the_end_of_a_block_within_a_block_waits_for_the_outer_one():
    done = []
    with pytest.raises(KeyboardInterrupt), uninterrupted():
        with uninterrupted():
            signal.raise_signal(signal.SIGINT)
        done.append("outer block")
    assert done == ["outer block"]


def test_a_program_that_ignores_it_goes_on_doing_so():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with uninterrupted():
            signal.raise_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_polite_end_is_heard_where_interrupts_are_ignored():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN), signal.signal(signal.SIGTERM, cli._interrupt)
    try:
        with pytest.raises(KeyboardInterrupt), uninterrupted():
            signal.raise_signal(signal.SIGTERM)
    finally:
        signal.signal(signal.SIGINT, before[0])
        signal.signal(signal.SIGTERM, before[1])


def test_an_interrupt_is_held_back_and_not_lost():
    done = []
    with pytest.raises(KeyboardInterrupt):
        with deaf_to_interrupts():
            os.kill(os.getpid(), signal.SIGINT)
            done.append("the block")
        done.append("what follows it")
    assert done == ["the block"]
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


def test_what_is_started_inside_does_not_hear_it():
    with deaf_to_interrupts():
        child = subprocess.Popen([sys.executable, "-c", "print(1, flush=True); input(); print(2)"],
                                 stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # fmt: skip
    assert child.stdout.readline() == "1\n"
    child.send_signal(signal.SIGINT)
    assert child.communicate("\n", timeout=30)[0] == "2\n"


@pytest.mark.browser
def test_ctrl_c_ends_a_benchmark_with_one_line_and_no_process():
    code = "import sys; from turngym.cli import main; sys.exit(main())"
    arguments = ["bench", "turngym/MiniWoB-v0", "--task", "click-test", "--seconds", "60"]
    with subprocess.Popen(
        [sys.executable, "-c", code, *arguments], stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as bench:
        try:
            until(lambda: len(family(bench)) > 8)  # two workers, each with a browser's processes
            started = family(bench)
            os.killpg(bench.pid, signal.SIGINT)
            _, said = bench.communicate(timeout=60)
        finally:
            bench.kill()
    assert (bench.returncode, said) == (130, "turngym: interrupted\n")
    until(lambda: not [pid for pid in started if alive(pid)])


def family(process):
    return list(descendants([process.pid]))


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.1)
