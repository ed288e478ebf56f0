@flow
def my_flow():
    future = my_task.submit()
    result = future.result()
