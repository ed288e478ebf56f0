from runtime import flow, task

@task
def task():
    print("I'm running in a task runner!")

@flow
def run_with_task_runner():
    task.submit()
