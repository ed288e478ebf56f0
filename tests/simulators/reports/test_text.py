from dataclasses import replace
from typing import Any

import pytest

from simulators.reports import Story, text
from simulators.reports.text import MOST_STEPS, WIDTH
from simulators.schedules import Choice, Decision, Schedule
from tests.simulators.reports.conftest import Done


def test_the_report_says_what_failed_and_shows_a_lane_for_each_run(lost_update: Story):
    assert (
        text(lost_update)
        == f"""\
lost_update failed after 12 schedules (pct, seed 7)

  AssertionError: assert 1 == 2

       time  {"main":34}{"add-0":34}add-1
      0.000  submit
      0.000  {"":34}1 seen = counter["value"]
>     0.000  {"":34}{"":34}1 seen = counter["value"]
      0.000  {"":34}{"":34}2 counter["value"] = seen + 1
      1.500  {"":34}2 counter["value"] = seen + 1
      1.500  wait add-1

One decision flips the result: add-1 goes first at add-0@counting.py:2.1 (counting.py:2: \
counter["value"] = seen + 1), where add-0 would have. Without it, the test passes.

  count-0  Pending -> Running -> Completed
  add-0    Pending -> Running -> Completed
  add-1    Pending -> Running -> Completed

Replay it: pytest --flows-replay=fs1-abc tests/test_counting.py::test_count"""
    )


def test_a_failure_in_the_usual_order_needs_no_decision(lost_update: Story):
    usual = replace(lost_update, schedule=Schedule(), tried=1, strategy="fifo")

    assert "lost_update failed after the first schedule (fifo, seed 0)" in text(usual)
    assert "It fails in the usual order: no decision is needed." in text(usual)


def test_several_decisions_are_counted(lost_update: Story):
    decisions = tuple(Choice(Decision("add-1", str(n)), Decision("add-0", str(n))) for n in (1, 2))
    story = replace(lost_update, schedule=Schedule(decisions))

    assert "It takes 2 decisions, and without any one of them the test passes." in text(story)


def test_long_runs_show_what_surrounds_the_decisions(lost_update: Story):
    steps: list[Any] = [Done("add-0", str(n), "checkpoint", moment=float(n)) for n in range(1, 301)]
    decision = Choice(Decision("add-0", "150"), Decision("add-1", "1"))

    shown = text(replace(lost_update, steps=steps, schedule=Schedule((decision,))))

    assert len(shown.splitlines()) < MOST_STEPS
    assert ">   150.000  checkpoint" in shown
    assert "    144.000" in shown
    assert "... 136 steps" in shown


def test_many_runs_share_a_column_except_those_that_a_decision_is_about(lost_update: Story):
    steps: list[Any] = [Done(f"add-{n}", "1", "checkpoint") for n in range(30)]
    decision = Choice(Decision("add-25", "1"), Decision("add-17", "1"))

    shown = text(replace(lost_update, steps=steps, schedule=Schedule((decision,))))

    header = shown.splitlines()[4]
    assert header.split() == ["time", "add-0", "add-1", "add-17", "add-25", "others"]
    assert "add-9: checkpoint" in shown
    assert max(len(line) for line in shown.splitlines() if "flips" not in line) <= WIDTH


@pytest.mark.parametrize(
    "error", [ValueError(), KeyError("x"), ExceptionGroup("two", [OSError(), ValueError()])]
)
def test_any_error_can_be_told(lost_update: Story, error: Exception):
    assert type(error).__name__ in text(replace(lost_update, error=error))


def test_a_failure_without_a_step_or_a_flow_is_told_all_the_same(lost_update: Story):
    shown = text(replace(lost_update, steps=[], histories=[]))

    assert shown.count("\n\n") == 3


def test_what_the_simulation_could_not_look_into_is_told(lost_update: Story):
    told = replace(lost_update, left_out=["No points in users.compiled", *map(str, range(20))])

    shown = text(told).splitlines()

    assert "No points in users.compiled" in shown
    assert "... and 11 more" in shown
