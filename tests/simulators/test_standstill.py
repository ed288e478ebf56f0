import asyncio
import threading

from simulators import Schedule, explore, replay
from simulators.exceptions import Deadlock


def test_a_deadlock_says_who_waits_for_what_held_by_whom_and_where():
    def test() -> None:
        first, second = threading.Lock(), threading.Lock()

        def other() -> None:
            with second, first:
                pass

        thread = threading.Thread(target=other)
        thread.start()
        with first, second:
            pass
        thread.join()

    (failure,) = explore(test, strategy="exhaustive", points="operations").failures

    lines = str(failure.error).splitlines()
    assert isinstance(failure.error, Deadlock)
    assert lines[0] == "Deadlock: nothing can go on, and no alarm is set."
    assert "  main waits for a lock, held by main/1" in lines
    assert "  main/1 waits for a lock, held by main" in lines
    assert any("in test: with first, second:" in line for line in lines)


def test_an_asyncio_task_that_waits_for_ever_is_named():
    async def test() -> None:
        await asyncio.Event().wait()

    error = replay(test, Schedule(points="operations")).error

    assert isinstance(error, Deadlock)
    assert "main (asyncio) waits for a future that nobody sets" in str(error)


def test_what_is_left_over_cleans_up():
    cleaned: list[str] = []

    def test() -> None:
        def waits() -> None:
            try:
                threading.Event().wait()
            finally:
                cleaned.append("thread")

        threading.Thread(target=waits).start()
        threading.Event().wait(timeout=1)

    execution = replay(test, Schedule(points="operations"))

    assert execution.error is None
    assert cleaned == ["thread"]
