"""Signals and stops wait until the engine is not at work."""

import asyncio
import multiprocessing
import os
import signal
import sys
import threading
import time

import pytest

from runtime import flow, interrupts, task
from runtime.exceptions import Terminated
from runtime.interrupts import SignalsHeld, came_by_signal, may_interrupt


@task
def add(x, y):
    return x + y


@pytest.fixture
def handler():
    """A handler of the user's that notes the signals it gets."""
    received = []
    before = signal.signal(signal.SIGINT, lambda number, frame: received.append(number))
    yield received
    signal.signal(signal.SIGINT, before)


def within_the_engine(function):
    """The function, as if it stood in a file of the engine."""
    name = f"{interrupts._ENGINE}pretended.py"
    return type(function)(
        function.__code__.replace(co_filename=name), function.__globals__, closure=function.__closure__
    )


def test_a_flow_leaves_the_handlers_as_they_were():
    before = [signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)]
    within = []

    @flow
    def looks():
        within.append(signal.getsignal(signal.SIGINT))
        add.submit(1, 2)

    looks()

    assert within[0] not in before
    assert [signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)] == before


def test_a_handler_that_a_flow_sets_stays():
    before = signal.getsignal(signal.SIGINT)

    def mine(number, frame): ...

    @flow
    def sets():
        signal.signal(signal.SIGINT, mine)

    sets()
    left = signal.signal(signal.SIGINT, before)

    assert left is mine


def test_a_signal_in_user_code_arrives_at_once(handler):
    @flow
    def interrupted():
        signal.raise_signal(signal.SIGINT)
        return list(handler)

    assert interrupted() == [signal.SIGINT]


def test_a_signal_in_the_engine_arrives_when_its_work_is_done(handler):
    def work():
        signal.raise_signal(signal.SIGINT)
        return list(handler)

    with SignalsHeld():
        during = within_the_engine(work)()
        deadline = time.monotonic() + 10
        while not handler and time.monotonic() < deadline:
            time.sleep(0.001)

        assert during == []
        assert handler == [signal.SIGINT]


def test_a_signal_that_is_still_held_arrives_at_the_end_of_the_block_and_once(handler):
    def work():
        with SignalsHeld():
            signal.raise_signal(signal.SIGINT)

    within_the_engine(work)()
    at_the_end = list(handler)
    time.sleep(0.01)

    assert at_the_end == handler == [signal.SIGINT]


def test_a_signal_that_was_sent_again_arrives_once(handler, monkeypatch):
    class Repeating:
        """The lock of the signals, where one comes again when it was just taken."""

        lock = interrupts._signals._lock
        repeated = False

        def __enter__(self):
            self.lock.acquire()

        def __exit__(self, *exc_info):
            self.lock.release()
            by_main = threading.current_thread() is threading.main_thread()
            if by_main and not self.repeated and not interrupts._signals.held:
                self.repeated = True
                signal.raise_signal(signal.SIGINT)

    def work():
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(interrupts._signals, "_lock", Repeating())
    with SignalsHeld():
        within_the_engine(work)()
        for thread in threading.enumerate():
            if thread.name == "flows-interrupts":
                thread.join(30)

    assert handler == [signal.SIGINT]


def test_a_signal_is_not_held_for_ever(handler, monkeypatch):
    def work():
        signal.raise_signal(signal.SIGINT)
        deadline = time.monotonic() + 30
        while not handler and time.monotonic() < deadline:
            time.sleep(0.001)

    monkeypatch.setattr(interrupts, "_TRIES", 5)
    with SignalsHeld():
        within_the_engine(work)()

    assert handler == [signal.SIGINT]


def test_a_signal_to_end_is_raised_as_an_exit():
    with pytest.raises(Terminated) as raised, SignalsHeld():
        signal.raise_signal(signal.SIGTERM)

    assert raised.value.code == 128 + signal.SIGTERM


def test_blocks_may_overlap(handler):
    one, other = SignalsHeld(), SignalsHeld()
    outside = signal.getsignal(signal.SIGINT)

    one.__enter__()
    other.__enter__()
    one.__exit__()
    between = signal.getsignal(signal.SIGINT)
    other.__exit__()

    assert between != outside
    assert signal.getsignal(signal.SIGINT) is outside


def test_on_other_threads_nothing_is_held():
    before = signal.getsignal(signal.SIGINT)
    within = []

    @flow
    def looks():
        within.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=looks)
    thread.start()
    thread.join()

    assert within == [before]


def test_an_interrupt_by_signal_is_told_from_one_that_code_raises():
    def by_signal():
        with SignalsHeld():
            signal.raise_signal(signal.SIGINT)

    def by_code():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as signalled:
        by_signal()
    with pytest.raises(KeyboardInterrupt) as raised:
        by_code()

    assert came_by_signal(signalled.value)
    assert not came_by_signal(raised.value)


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_gets_signals_as_before():
    @flow
    def forks():
        child = multiprocessing.get_context("fork").Process(target=time.sleep, args=(60,))
        child.start()
        child.terminate()
        child.join()
        return child.exitcode

    assert forks() == -signal.SIGTERM


def test_asyncio_cancels_the_flow_at_the_first_interrupt():
    @flow
    async def interrupted():
        os.kill(os.getpid(), signal.SIGINT)
        await asyncio.sleep(30)

    with pytest.raises(KeyboardInterrupt):
        asyncio.run(interrupted())


def test_user_code_may_be_interrupted_and_the_engine_around_it_may_not():
    seen = []

    @task
    def look():
        seen.append(may_interrupt(sys._getframe()))

    @flow
    def looks():
        look()
        look.submit().wait()

    looks()

    assert seen == [True, True]
