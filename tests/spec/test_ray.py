"""The specification's example of a flow on Ray."""

from runtime.task_runners import RayTaskRunner


def test_a_flow_may_name_a_ray_that_is_not_there_yet(run_block):
    block = run_block("ray_address")

    assert block.my_flow.task_runner == RayTaskRunner(address="ray://192.0.2.255:8786")
