from runtime import flow, task
from runtime.task_runners import SequentialTaskRunner

@task
def stop_at_floor(floor):
    print(f"elevator stops on floor {floor}")

@flow(task_runner=SequentialTaskRunner())
def elevator():
    for floor in range(1,10):
        stop_at_floor.submit(floor)
