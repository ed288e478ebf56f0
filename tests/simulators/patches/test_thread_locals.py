import threading

from runtime import flow, task
from simulators import checkpoint, explore

local = threading.local()
local.value = "outside"


def test_each_task_has_thread_local_data_of_its_own():
    @task
    def remember(n: int) -> int:
        assert not hasattr(local, "value")
        local.value = n
        checkpoint("others remember theirs")
        return local.value

    @flow
    def several() -> list[int]:
        return [future.result() for future in remember.map([1, 2, 3])]

    def test() -> None:
        assert several() == [1, 2, 3]

    exploration = explore(test, strategy="random", points="declared", schedules=50)

    assert [str(failure) for failure in exploration.failures] == []
    assert local.value == "outside"


def test_thread_local_data_that_is_made_in_a_run_is_of_that_run():
    def test() -> str:
        fresh = threading.local()
        fresh.value = 1
        del fresh.value
        return getattr(fresh, "value", "gone")

    exploration = explore(test, strategy="fifo", points="declared")

    assert exploration.outcomes == {"gone": 1}


def test_a_class_of_thread_local_data_is_initialised_for_each_thread():
    def test() -> list[int]:
        class Numbered(threading.local):
            def __init__(self, first: int) -> None:
                self.next = first

        numbered = Numbered(5)

        @task
        def count() -> int:
            numbered.next += 1
            return numbered.next

        @flow
        def several() -> list[int]:
            return [future.result() for future in (count.submit(), count.submit())]

        return several()

    exploration = explore(test, strategy="fifo", points="declared")

    assert exploration.outcomes == {"[6, 6]": 1}
