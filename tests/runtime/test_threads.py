"""Threads that can be told to stop, and threads with an event loop."""

import asyncio
import gc
import linecache
import subprocess
import sys
import textwrap
import threading

import pytest

from runtime.threads import Interrupted, SystemThreads, frame_of

LIMIT = 10.0


@pytest.fixture
def threads() -> SystemThreads:
    return SystemThreads()


class Call:
    """A guarded call on a thread of its own, and what came of it."""

    def __init__(self, threads, function, *args):
        self.guard = threads.guard()
        self.outcome = None
        self.ended = threading.Event()
        self._function = function
        self._args = args
        threads.start(self._make, "flows-test")

    def _make(self):
        try:
            self.outcome = self.guard.call(self._function, self._args, {})
        except BaseException as error:
            self.outcome = error
        self.ended.set()


def test_a_thread_runs_what_it_is_given_under_its_name_and_does_not_keep_the_process(threads):
    seen = []
    over = threading.Event()

    threads.start(lambda: (seen.append(threading.current_thread()), over.set()), "flows-named")

    assert over.wait(LIMIT)
    assert seen[0].name == "flows-named"
    assert seen[0].daemon


# Guards


def test_a_guarded_call_gives_back_what_the_function_returns(threads):
    assert threads.guard().call(lambda a, b: (a, b), (1,), {"b": 2}) == (1, 2)


def test_a_guarded_call_raises_what_the_function_raises(threads):
    error = KeyError("no")

    def fail():
        raise error

    with pytest.raises(KeyError) as caught:
        threads.guard().call(fail, (), {})
    assert caught.value is error


def test_a_call_that_was_interrupted_before_is_not_made(threads):
    called = []
    guard = threads.guard()
    guard.interrupt()

    with pytest.raises(Interrupted):
        guard.call(called.append, (1,), {})
    assert called == []


def test_an_endless_loop_is_interrupted(threads):
    going = threading.Event()

    def loop():
        while True:
            going.set()

    call = Call(threads, loop)
    assert going.wait(LIMIT)
    call.guard.interrupt()
    call.guard.interrupt()

    assert call.ended.wait(LIMIT)
    assert isinstance(call.outcome, Interrupted)


def test_a_call_into_c_is_interrupted_when_it_comes_back(threads):
    going, may_return = threading.Event(), threading.Event()
    went_on = []

    def sit():
        going.set()
        may_return.wait(LIMIT)
        went_on.append(True)

    call = Call(threads, sit)
    assert going.wait(LIMIT)
    call.guard.interrupt()
    may_return.set()

    assert call.ended.wait(LIMIT)
    assert isinstance(call.outcome, Interrupted)
    assert went_on == []


def test_code_that_cleans_up_does_so_when_it_is_interrupted(threads):
    going = threading.Event()
    cleaned = []

    def work():
        try:
            while True:
                going.set()
        finally:
            cleaned.append(True)

    call = Call(threads, work)
    assert going.wait(LIMIT)
    call.guard.interrupt()

    assert call.ended.wait(LIMIT)
    assert cleaned == [True]


def test_an_interrupt_after_the_call_has_ended_does_nothing(threads):
    guard = threads.guard()
    guard.call(lambda: None, (), {})

    guard.interrupt()

    assert sum(range(1000)) == 499_500


def test_an_interrupt_never_reaches_past_the_call_whenever_it_comes(threads):
    """The interrupt races with the end of the call: it hits the call, or nothing at all."""
    outcomes = []
    for spins in range(300):
        guard = threads.guard()
        begin = threading.Barrier(2)
        escaped = []

        def work(spins=spins):
            for _ in range(spins):
                pass

        def make(guard=guard, begin=begin, work=work, escaped=escaped):
            begin.wait(LIMIT)
            try:
                try:
                    guard.call(work, (), {})
                    outcomes.append("returned")
                except Interrupted:
                    outcomes.append("interrupted")
                for _ in range(50):
                    pass
            except Interrupted:
                escaped.append(True)

        thread = threading.Thread(target=make)
        thread.start()
        begin.wait(LIMIT)
        guard.interrupt()
        thread.join(LIMIT)

        assert not thread.is_alive()
        assert escaped == []
    assert len(outcomes) == 300


@pytest.mark.slow
def test_a_program_that_is_traced_goes_on_after_an_interrupt():
    """As under a debugger, or where coverage is measured."""
    program = """
        import sys, threading
        from runtime.threads import Interrupted, SystemThreads, frame_of

        going, over = threading.Event(), threading.Event()
        guard = SystemThreads().guard()

        def loop():
            while True:
                going.set()

        def make():
            try:
                guard.call(loop, (), {})
            except Interrupted:
                over.set()

        def trace(frame, event, argument):
            return None

        threading.settrace(trace)
        sys.settrace(trace)
        SystemThreads().start(make, "flows-test")
        going.wait(30)
        guard.interrupt()
        print(over.wait(30))
    """

    ran = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, timeout=60
    )

    assert ran.stdout == "True\n", ran.stderr


# Threads with an event loop


def test_a_loop_thread_runs_coroutines_and_ends_when_it_is_told_to(threads):
    loop_thread = threads.start_loop("flows-test-loop")

    future = asyncio.run_coroutine_threadsafe(asyncio.sleep(0, "done"), loop_thread.loop)

    assert future.result(LIMIT) == "done"
    loop_thread.stop()
    assert loop_thread.loop.is_closed()
    assert not [thread for thread in threading.enumerate() if thread.name == "flows-test-loop"]


def test_what_still_runs_on_a_loop_thread_is_cancelled_when_it_stops(threads):
    loop_thread = threads.start_loop("flows-test-loop")
    going, cancelled = threading.Event(), threading.Event()

    async def wait_for_ever():
        going.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    asyncio.run_coroutine_threadsafe(wait_for_ever(), loop_thread.loop)
    assert going.wait(LIMIT)
    loop_thread.stop()

    assert cancelled.is_set()


def test_a_loop_thread_may_be_stopped_from_itself(threads):
    loop_thread = threads.start_loop("flows-test-loop")
    [thread] = [thread for thread in threading.enumerate() if thread.name == "flows-test-loop"]

    loop_thread.loop.call_soon_threadsafe(loop_thread.stop)

    thread.join(LIMIT)
    assert not thread.is_alive()


def test_no_garbage_is_collected_while_threads_are_looked_at():
    collected_at = []

    def note(phase, info):
        if phase == "start":
            at = sys._getframe(1)
            collected_at.append(linecache.getline(at.f_code.co_filename, at.f_lineno))

    def deep(n):
        return deep(n - 1) if n else frame_of(threading.get_ident())  # frames that are made when looked at

    threshold = gc.get_threshold()
    gc.callbacks.append(note)
    gc.set_threshold(1)
    try:
        found = deep(50)
    finally:
        gc.set_threshold(*threshold)
        gc.callbacks.remove(note)

    assert found is not None
    assert collected_at
    assert not [line for line in collected_at if "_current_frames" in line]
    assert gc.isenabled()
