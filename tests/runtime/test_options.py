"""What flows and tasks have in common when they are declared."""

import pytest

from runtime import flow, task
from runtime.options import (
    checked_function,
    checked_hooks,
    checked_name,
    checked_run_name,
    checked_tags,
    description_of,
)
from runtime.states import StateType


def documented():
    """What it does."""


@pytest.mark.parametrize("name", ["my-flow", "My flow (2)", "größe", "a.b:c"])
def test_a_name_is_taken_as_it_is(name):
    assert checked_name("flow", name) == name


@pytest.mark.parametrize("character", "/%&<>")
def test_a_name_that_would_break_paths_and_pages_is_refused(character):
    with pytest.raises(ValueError, match="must not contain any of / % & < >"):
        checked_name("flow", f"my{character}flow")


@pytest.mark.parametrize("name", ["", " ", "\t\n"])
def test_an_empty_name_is_refused(name):
    with pytest.raises(ValueError, match="name of a task must not be empty"):
        checked_name("task", name)


def test_a_name_that_is_no_text_is_refused():
    with pytest.raises(TypeError, match="name of a flow must be a string, not 7"):
        checked_name("flow", 7)


def test_a_template_for_run_names_is_taken_as_it_is():
    assert checked_run_name("flow_run_name", "load-{day}", ["day"]) == "load-{day}"
    assert checked_run_name("flow_run_name", None, []) is None


def test_a_function_for_run_names_may_take_the_parameters_or_nothing():
    of_nothing = checked_run_name("task_run_name", lambda: "fixed", ["day"])
    of_parameters = checked_run_name("task_run_name", lambda parameters: f"load-{parameters['day']}", ["day"])

    assert of_nothing({"day": "monday"}) == "fixed"
    assert of_parameters({"day": "monday"}) == "load-monday"


def test_a_function_for_run_names_must_make_text():
    name = checked_run_name("task_run_name", lambda: 7, [])

    with pytest.raises(TypeError, match="task_run_name must make a string, not 7"):
        name({})


def test_a_run_name_that_is_neither_template_nor_function_is_refused():
    with pytest.raises(TypeError, match="flow_run_name must be a string, a function or None, not 7"):
        checked_run_name("flow_run_name", 7, [])


def test_hooks_are_kept_by_the_type_of_state_that_they_wait_for():
    hooks = checked_hooks(
        {
            StateType.COMPLETED: ("on_completion", [documented, print]),
            StateType.FAILED: ("on_failure", []),
            StateType.CRASHED: ("on_crashed", None),
        }
    )

    assert hooks == {StateType.COMPLETED: (documented, print)}


@pytest.mark.parametrize(
    ("functions", "message"),
    [
        (documented, "on_failure must be a list of functions, not <function documented"),
        ([documented, "mail me"], "on_failure must be a list of functions, but there is 'mail me' in it"),
    ],
)
def test_hooks_that_are_none_are_refused(functions, message):
    with pytest.raises(TypeError, match=message):
        checked_hooks({StateType.FAILED: ("on_failure", functions)})


def test_tags_are_put_in_order_without_repetition():
    assert checked_tags(["night", "etl", "night"]) == ("etl", "night")
    assert checked_tags(iter(["b", "a"])) == ("a", "b")
    assert checked_tags(None) == ()


@pytest.mark.parametrize("tags", ["night", [1], 7])
def test_tags_that_are_none_are_refused(tags):
    with pytest.raises(TypeError, match="tags must be"):
        checked_tags(tags)


@pytest.mark.parametrize("around", [staticmethod, classmethod])
def test_a_decorator_above_a_method_decorator_says_how_to_turn_them_round(around):
    with pytest.raises(TypeError, match=f"Put @task below @{around.__name__}, next to the function"):
        checked_function("task", around(documented))


def test_what_cannot_be_called_is_no_function():
    with pytest.raises(TypeError, match="@flow goes on a function, not on 7"):
        checked_function("flow", 7)


def test_an_async_generator_is_refused_since_it_has_no_one_result():
    async def rows():
        yield 1

    with pytest.raises(TypeError, match="@task cannot go on rows: an async generator has no one result"):
        checked_function("task", rows)


def test_a_function_is_described_by_its_docstring_unless_something_else_is_said():
    assert description_of(documented, None) == "What it does."
    assert description_of(documented, "Something else.") == "Something else."


def greet(name, *, loud=False):
    return name.upper() if loud else name


@pytest.mark.parametrize("decorator", [flow, task])
def test_an_option_that_does_not_exist_is_an_error_that_says_what_was_meant(decorator):
    with pytest.raises(TypeError) as error:
        decorator(retry=3)

    assert str(error.value) == f"@{decorator.__name__} has no option 'retry'. Did you mean 'retries'?"


def test_with_options_refuses_what_the_decorator_refuses():
    with pytest.raises(TypeError) as error:
        task(greet).with_options(colour="red")

    assert str(error.value) == "Task 'greet' has no option 'colour'."


@pytest.mark.parametrize("template", ["{nobody}", "hello-{0}", "{}", "{nobody.name}", "{nobody[0]}"])
def test_a_run_name_that_speaks_of_no_parameter_is_an_error(template):
    with pytest.raises(
        ValueError, match=r"task_run_name '.*' speaks of '.*'; the parameters are: name, loud"
    ):
        task(task_run_name=template)(greet)
    with pytest.raises(
        ValueError, match=r"flow_run_name '.*' speaks of '.*'; the parameters are: name, loud"
    ):
        flow(flow_run_name=template)(greet)


def test_a_run_name_that_is_no_template_is_an_error():
    with pytest.raises(ValueError, match="task_run_name 'a}b' is no template: Single '}'"):
        task(task_run_name="a}b")(greet)


def test_a_run_name_may_speak_of_parameters_and_what_is_in_them(flow_runs):
    named = task(task_run_name="greet-{name}-{name[0]}-{loud!r:>6}-{{}}")(greet)

    @flow
    def hello():
        return named("Ada")

    hello()

    assert flow_runs[-1].task_runs[0].name == "greet-Ada-A- False-{}"


def test_a_call_that_does_not_fit_says_what_the_function_takes():
    with pytest.raises(TypeError) as error:
        task(greet)("Ada", "Marvin")

    assert str(error.value) == (
        "greet(name, *, loud=False) cannot be called like this: too many positional arguments"
    )


def test_a_flow_called_without_a_parameter_says_which():
    with pytest.raises(TypeError, match=r"greet\(.*\) cannot be called like this: missing .* 'name'"):
        flow(greet)()
