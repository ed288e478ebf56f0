"""Options are checked where a flow or a task is declared, and a wrong one is told apart by name."""

import pytest

from runtime import flow, task


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
