import json
import string

import pytest

from simulators.exceptions import ScheduleError
from simulators.schedules import Choice, Decision, Schedule


def choice(chosen: str, usual: str | None = None) -> Choice:
    return Choice(Decision.parse(chosen), Decision.parse(usual or chosen))


RECORDED = Schedule(
    (choice("add-0@1"), choice("add-1@1", "add-0@2"), choice("child-flow-0/é!-1@orders.py:12.3", "add-0@2")),
    seed=7,
    points="declared",
    complete=True,
)


def test_a_decision_reads_as_run_at_point():
    assert str(Decision("add-0", "3")) == "add-0@3"
    assert Decision.parse("a@b-0@orders.py:12.1") == Decision("a@b-0", "orders.py:12.1")


@pytest.mark.parametrize("text", ["", "@", "add-0", "add-0@", "@3", "a" * 2000 + "@1"])
def test_what_is_no_decision_is_refused(text):
    with pytest.raises(ScheduleError):
        Decision.parse(text)


def test_deviations_are_the_choices_that_fifo_would_not_make():
    assert RECORDED.deviations == RECORDED.choices[1:]
    assert [str(decision) for decision in RECORDED.decisions][:2] == ["add-0@1", "add-1@1"]


def test_json_keeps_all_of_a_schedule():
    read = Schedule.from_json(RECORDED.to_json())

    assert read == RECORDED
    assert read.choices == RECORDED.choices
    assert read.complete


def test_a_token_keeps_the_seed_and_the_deviations():
    token = str(RECORDED)

    read = Schedule.parse(token)

    assert read == RECORDED
    assert read.digest == RECORDED.digest
    assert read.choices == RECORDED.deviations
    assert not read.complete
    assert set(token) <= set(string.ascii_letters + string.digits + "-_")


def test_a_token_of_one_deviation_is_short():
    schedule = Schedule((choice("add-1@1", "add-0@2"),), points="declared")

    assert len(str(schedule)) < 90


def test_schedules_differ_by_seed_points_runner_and_deviations():
    different = [
        RECORDED,
        Schedule(RECORDED.choices, 8, "declared"),
        Schedule(RECORDED.choices, 7, "operations"),
        Schedule(RECORDED.choices, 7, "declared", "declared"),
        Schedule(RECORDED.choices[:2], 7, "declared"),
    ]

    assert len({schedule.digest for schedule in different}) == len(different)
    assert len(set(different)) == len(different)


def changed(**fields: object) -> str:
    return json.dumps(json.loads(RECORDED.to_json()) | fields)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        "null",
        "[" * 100_000,
        RECORDED.to_json()[:-20],
        changed(version=2),
        changed(format="other"),
        changed(seed=8),
        changed(checksum=None),
        changed(choices=[]),
    ],
)
def test_json_that_is_no_schedule_is_refused(text):
    with pytest.raises(ScheduleError):
        Schedule.from_json(text)


def resealed(**fields: object) -> str:
    import hashlib

    body = {k: v for k, v in (json.loads(RECORDED.to_json()) | fields).items() if k != "checksum"}
    compact = json.dumps(body, separators=(",", ":"), sort_keys=True)
    return json.dumps({**body, "checksum": hashlib.sha256(compact.encode()).hexdigest()})


@pytest.mark.parametrize(
    "fields",
    [
        {"seed": "7"},
        {"seed": True},
        {"seed": 1 << 300},
        {"points": "lines"},
        {"points": ["declared"]},
        {"runner": "dask"},
        {"complete": 1},
        {"choices": "add-0@1"},
        {"choices": [["add-0@1"]]},
        {"choices": [["add-0@1", 2]]},
        {"choices": [{"a": 1}]},
        {"choices": ["add-0"]},
        {"more": 1},
    ],
    ids=str,
)
def test_fields_that_a_schedule_does_not_have_are_refused_whatever_the_checksum_says(fields):
    with pytest.raises(ScheduleError):
        Schedule.from_json(resealed(**fields))


@pytest.mark.parametrize(
    "token",
    ["", "fs1-", "fs1-!!!", "fs2-abcd", str(RECORDED)[:-3], str(RECORDED)[:10] + "A" + str(RECORDED)[11:]],
)
def test_a_token_that_was_changed_is_refused(token):
    with pytest.raises(ScheduleError):
        Schedule.parse(token)


def test_a_token_that_unpacks_to_far_more_than_a_schedule_is_refused():
    import base64
    import zlib

    packed = zlib.compress(b"[" + b" " * 40_000_000, 9, wbits=-15)
    token = "fs1-" + base64.urlsafe_b64encode(zlib.crc32(packed).to_bytes(4, "big") + packed).decode().rstrip(
        "="
    )

    with pytest.raises(ScheduleError, match="more than a schedule"):
        Schedule.parse(token)
