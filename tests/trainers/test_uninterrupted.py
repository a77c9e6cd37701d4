"""Ctrl-C is held back, and never lost."""

import signal

import pytest

from turngym.trainers.uninterrupted import uninterrupted


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
