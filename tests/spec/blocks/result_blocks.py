@task
def say_hello(name):
    return f"Hello {name}!"

@task
def do_important_stuff():
    print("Doing lots of important stuff!")

@flow
def hello_world():
    future = say_hello.submit("Marvin").result() # blocks until `say_hello` has finished
    do_important_stuff.submit()
