"""One Ray for all tests that leave it as it was."""

import pytest

from runtime.task_runners import RayTaskRunner


@pytest.fixture(scope="session")
def shared_ray():
    """A Ray of two CPUs, which runners adopt."""
    runner = RayTaskRunner(init_kwargs={"num_cpus": 2})
    with runner.start():
        yield runner


@pytest.fixture
def ray_runner(shared_ray):
    """A runner that finds a running Ray."""
    return RayTaskRunner()
