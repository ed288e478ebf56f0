def say_hello(name):
    return f"Hello {name}!"

def say_nice_to_meet_you(hello_greeting):
    return f"{hello_greeting} Nice to meet you :)"

@flow
def hello_world():
    hello = say_hello("Marvin") # because this is just a Python function, calls will not be tracked
    nice_to_meet_you = say_nice_to_meet_you(hello)
