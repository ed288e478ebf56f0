"""The rules of a run, pure: events in, commands out; no clock, no thread, no input or output."""

from runtime.lifecycle.conclusions import Tally
from runtime.lifecycle.crashes import crash_message, describe
from runtime.lifecycle.flow_runs import FlowRunLifecycle
from runtime.lifecycle.messages import (
    AlarmRang,
    BodyRaised,
    BodyReturned,
    CancelRequested,
    ClearAlarm,
    Command,
    FlowRunEvent,
    Lost,
    ParametersRefused,
    Raised,
    Record,
    Refused,
    Returned,
    RunAttempt,
    SetAlarm,
    Settle,
    Started,
    StopAttempt,
    Stopped,
    Submitted,
    TaskRunEvent,
    UpstreamSettled,
)
from runtime.lifecycle.task_runs import TaskRunLifecycle
from runtime.lifecycle.transitions import TRANSITIONS, check_transition, illegal_step

__all__ = [
    "TRANSITIONS",
    "AlarmRang",
    "BodyRaised",
    "BodyReturned",
    "CancelRequested",
    "ClearAlarm",
    "Command",
    "FlowRunEvent",
    "FlowRunLifecycle",
    "Lost",
    "ParametersRefused",
    "Raised",
    "Record",
    "Refused",
    "Returned",
    "RunAttempt",
    "SetAlarm",
    "Settle",
    "Started",
    "StopAttempt",
    "Stopped",
    "Submitted",
    "Tally",
    "TaskRunEvent",
    "TaskRunLifecycle",
    "UpstreamSettled",
    "check_transition",
    "crash_message",
    "describe",
    "illegal_step",
]
