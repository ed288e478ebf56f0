"""The fixture ``flow_patch``: patches that reach tasks wherever they run."""

import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from pytest_flows.patches import FlowPatch
from runtime import flow, task
from runtime.task_runners import ConcurrentTaskRunner, SequentialTaskRunner
from simulators import SimulatedTaskRunner
from tests.pytest_flows import shop
from tests.runtime.remote.carrier import Carrier


@pytest.fixture(scope="module")
def worker():
    """A task runner whose tasks run in one other process."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield Carrier(pool)


@pytest.fixture(params=["sequential", "concurrent", "simulated", "worker"])
def runner(request):
    """Each task runner; the last one has a process of its own."""
    if request.param == "worker":
        return request.getfixturevalue("worker")
    kinds = {
        "sequential": SequentialTaskRunner,
        "concurrent": ConcurrentTaskRunner,
        "simulated": SimulatedTaskRunner,
    }
    return kinds[request.param]()


def asked(runner, question):
    """What a task on ``runner`` finds."""

    @task
    def ask():
        return question()

    @flow(task_runner=runner)
    def asking():
        return ask.submit().result()

    return asking()


def test_attributes_of_modules_and_classes_are_patched_until_the_test_ends(runner, flow_patch) -> None:
    with flow_patch.context():
        flow_patch.setattr(shop, "RATE", 7)
        flow_patch.setattr("tests.pytest_flows.shop.NAME", "other")
        flow_patch.setattr(shop.Till, "limit", staticmethod(lambda: 9))
        flow_patch.delattr(shop, "OPEN")

        assert asked(runner, shop.seen) == {"RATE": 7, "NAME": "other", "limit": 9, "OPEN": None, "apple": 1}

    assert asked(runner, shop.seen) == {"RATE": 2, "NAME": "shop", "limit": 5, "OPEN": True, "apple": 1}


def test_items_of_a_dict_that_a_module_has_are_patched(runner, flow_patch) -> None:
    with flow_patch.context():
        flow_patch.setitem(shop.PRICES, "apple", 3)

        assert asked(runner, shop.seen)["apple"] == 3

        flow_patch.delitem(shop.PRICES, "apple")

        assert asked(runner, shop.seen)["apple"] is None

    assert asked(runner, shop.seen)["apple"] == 1


def test_the_environment_and_the_working_folder_are_patched(runner, flow_patch, tmp_path: Path) -> None:
    before = asked(runner, os.getcwd)
    (tmp_path / "lent.py").write_text("answer = 42\n")
    with flow_patch.context():
        flow_patch.setenv("SHOP", "corner")
        flow_patch.setenv("SHOP", "market", prepend=":")
        flow_patch.delenv("HOME")
        flow_patch.chdir(tmp_path)

        assert asked(runner, partial(os.getenv, "SHOP")) == "market:corner"
        assert asked(runner, partial(os.getenv, "HOME")) is None
        assert asked(runner, os.getcwd) == str(tmp_path)

    assert asked(runner, partial(os.getenv, "SHOP")) is None
    assert asked(runner, os.getcwd) == before


def test_modules_are_found_in_a_folder_that_is_put_first(runner, flow_patch, tmp_path: Path) -> None:
    (tmp_path / "lent_module.py").write_text("answer = 42\n")

    def question():
        import lent_module

        return lent_module.answer

    flow_patch.syspath_prepend(tmp_path)

    assert asked(runner, question) == 42


def test_what_has_no_name_is_patched_here_and_travels_as_it_is(runner, flow_patch) -> None:
    prices = {"pear": 1}
    flow_patch.setitem(prices, "pear", 4)

    assert asked(runner, lambda: prices["pear"]) == 4

    flow_patch.undo()

    assert prices == {"pear": 1}


def test_a_patch_that_cannot_be_made_raises_here(flow_patch) -> None:
    with pytest.raises(AttributeError):
        flow_patch.setattr(shop, "MISSING", 1)
    with pytest.raises(KeyError):
        flow_patch.delitem(shop.PRICES, "pear")

    flow_patch.setattr(shop, "MISSING", 1, raising=False)

    assert shop.MISSING == 1  # pyright: ignore[reportAttributeAccessIssue] - patched in


def test_a_patch_that_cannot_travel_fails_the_task_and_says_so(worker, flow_patch) -> None:
    import threading

    flow_patch.setattr(shop, "RATE", threading.Lock())

    with pytest.raises(Exception, match="What plugins put around attempts cannot be sent"):
        asked(worker, shop.seen)


def test_attempts_that_run_at_the_same_time_share_their_patches(flow_patch) -> None:
    """As threads of one worker do: what the first has patched is there until the last has ended."""
    flow_patch.setattr(shop, "RATE", 7)
    [around] = flow_patch.flows_around_attempts()
    flow_patch.undo()

    with around():
        with around():
            assert shop.RATE == 7
        assert shop.RATE == 7
    assert shop.RATE == 2


def test_patches_of_a_later_test_replace_those_of_an_attempt_that_is_left_behind() -> None:
    first, second = FlowPatch(), FlowPatch()
    first.setattr(shop, "NAME", "first")
    second.setattr(shop, "RATE", 7)
    [around_first], [around_second] = first.flows_around_attempts(), second.flows_around_attempts()
    first.undo()
    second.undo()

    with around_first(), around_second():
        assert (shop.NAME, shop.RATE) == ("shop", 7)
    assert (shop.NAME, shop.RATE) == ("shop", 2)


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("runner", ["dask", "ray"])
def test_patches_reach_the_workers_of_clusters_and_leave_them(pytester: pytest.Pytester, runner: str) -> None:
    pytester.makepyfile(
        shop="RATE = 2\n",
        test_it="""
        import os
        import pytest
        import shop
        from runtime import flow, task
        from runtime.task_runners import DaskTaskRunner, RayTaskRunner

        OWN = "own"

        @task
        def look():
            return os.getpid(), shop.RATE, OWN, os.environ.get("SHOP"), os.getcwd()

        @flow
        def looking():
            return [future.result() for future in [look.submit() for _ in range(4)]]

        @pytest.fixture(scope="module")
        def runner():
            if RUNNER == "ray":
                with RayTaskRunner(init_kwargs={"num_cpus": 2}).start():
                    yield RayTaskRunner()
            else:
                from distributed import LocalCluster
                with LocalCluster(n_workers=2, dashboard_address=":0") as cluster:
                    yield DaskTaskRunner(cluster=cluster)

        @pytest.fixture(scope="module")
        def before(runner):
            return set(looking.with_options(task_runner=runner)())

        def test_patched(runner, before, flow_patch, tmp_path):
            flow_patch.setattr(shop, "RATE", 7)
            flow_patch.setattr("test_it.OWN", "patched")
            flow_patch.setenv("SHOP", "corner")
            flow_patch.chdir(tmp_path)

            found = looking.with_options(task_runner=runner)()

            for pid, *seen in found:
                assert pid != os.getpid()
                assert seen == [7, "patched", "corner", str(tmp_path)]

        def test_undone(runner, before):
            after = set(looking.with_options(task_runner=runner)())
            assert {seen[1:] for seen in after} == {seen[1:] for seen in before}
            assert {seen[1:4] for seen in after} == {(2, "own", None)}
        """.replace("RUNNER", repr(runner)),
    )

    pytester.runpytest_subprocess("-p", "no:cacheprovider").assert_outcomes(passed=2)
