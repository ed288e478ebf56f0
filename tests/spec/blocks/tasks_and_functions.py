def say_hello_extra_nicely_to_marvin(hello): # not a `task`!
    if hello == "Hello Marvin!":
        return "HI MARVIN!"
    return hello

@task
def say_hello(name):
    return f"Hello {name}!"

@task
def say_nice_to_meet_you(hello_greeting):
    return f"{hello_greeting} Nice to meet you :)"

@flow
def hello_world():
    # run a task and get the result
    hello = say_hello.submit("Marvin").result()

    # use .result() and pure Python conditional logic
    special_greeting = say_hello_extra_nicely_to_marvin.submit(hello)

    # pass our modified greeting back into tasks
    nice_to_meet_you = say_nice_to_meet_you.submit(special_greeting)
