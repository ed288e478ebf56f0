@flow
def my_flow():
    future = my_task.submit()
    state = future.get_state()
