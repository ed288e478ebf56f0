@flow
def my_flow():
    future = my_task.submit()
    final_state = future.wait()
