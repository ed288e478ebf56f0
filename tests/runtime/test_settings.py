"""What the surroundings of a process say."""

import subprocess
import sys
import threading
from dataclasses import fields
from pathlib import Path

import pytest

from runtime.settings import (
    Settings,
    SettingsError,
    current_settings,
    read_settings,
    temporary_settings,
)


def test_an_empty_environment_gives_the_defaults():
    assert read_settings({}) == Settings()
    assert read_settings({}).home == Path("~/.flows").expanduser()


def test_each_setting_has_a_variable_of_its_name():
    settings = read_settings(
        {
            "FLOWS_HOME": "~/elsewhere",
            "FLOWS_LOG_LEVEL": "warning",
            "FLOWS_LOG_PRINTS": "Yes",
            "FLOWS_INTERRUPT_GRACE": "0.5",
            "OTHER": "ignored",
        }
    )

    assert settings.home == Path("~/elsewhere").expanduser()
    assert settings.log_level == "WARNING"
    assert settings.log_prints is True
    assert settings.interrupt_grace == 0.5


@pytest.mark.parametrize("field", [field.name for field in fields(Settings)])
def test_every_field_is_read_from_the_environment(field):
    examples = {
        "home": "x",
        "log_level": "DEBUG",
        "log_format": "json",
        "result_key": "a secret of some length",
        "log_prints": "1",
        "interrupt_grace": "7",
        "history": "sqlite",
        "durability": "full",
        "result_serializer": "json",
    }

    others = {"FLOWS_RESULT_SERIALIZER": "json"} if field == "result_storage" else {}
    changed = read_settings(others | {f"FLOWS_{field.upper()}": examples.get(field, "1")})

    assert getattr(changed, field) != getattr(Settings(), field)


@pytest.mark.parametrize("text", ["1", "true", "TRUE", "yes", "0", "false", "No", ""])
def test_truth_has_several_spellings(text):
    assert read_settings({"FLOWS_LOG_PRINTS": text}).log_prints is (text.lower() in {"1", "true", "yes"})


@pytest.mark.parametrize(
    ("variable", "text", "problem"),
    [
        ("FLOWS_LOG_PRINTS", "maybe", "expected true or false"),
        ("FLOWS_LOG_LEVEL", "LOUD", "expected DEBUG, INFO"),
        ("FLOWS_INTERRUPT_GRACE", "soon", "could not convert string to float"),
        ("FLOWS_INTERRUPT_GRACE", "-1", "expected a number of seconds, 0 or more"),
        ("FLOWS_INTERRUPT_GRACE", "inf", "expected a number of seconds, 0 or more"),
        ("FLOWS_INTERRUPT_GRACE", "nan", "expected a number of seconds, 0 or more"),
        ("FLOWS_HOME", "", "expected a folder"),
    ],
)
def test_a_wrong_value_is_refused_with_its_variable(variable, text, problem):
    with pytest.raises(SettingsError, match=problem) as caught:
        read_settings({variable: text})
    assert f"{variable}={text!r}" in str(caught.value)


def test_settings_change_for_the_length_of_a_block():
    before = current_settings()

    with temporary_settings(log_prints=True) as changed:
        assert current_settings() is changed
        assert changed.log_prints
        assert changed.home == before.home
        with temporary_settings(interrupt_grace=9.0):
            assert current_settings().log_prints
            assert current_settings().interrupt_grace == 9.0
    assert current_settings() is before


def test_temporary_settings_end_also_when_the_block_raises():
    before = current_settings()

    with pytest.raises(KeyError), temporary_settings(log_prints=True):
        raise KeyError

    assert current_settings() is before


def test_temporary_settings_hold_in_their_own_context_alone():
    seen = []

    with temporary_settings(interrupt_grace=9.0):
        thread = threading.Thread(target=lambda: seen.append(current_settings().interrupt_grace))
        thread.start()
        thread.join(10)

    assert seen == [3.0]


def test_a_setting_that_does_not_exist_is_refused():
    with pytest.raises(TypeError, match="colour"), temporary_settings(colour="blue"):
        pass


def test_the_environment_of_the_process_is_read_once(tmp_path):
    program = (
        "import os; from runtime.settings import current_settings as now;"
        "first = now().home; os.environ['FLOWS_HOME'] = '/elsewhere'; print(first == now().home, first)"
    )

    ran = subprocess.run(
        [sys.executable, "-c", program],
        env={"FLOWS_HOME": str(tmp_path), "PATH": ""},
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert ran.stdout.split() == ["True", str(tmp_path)], ran.stderr


def test_pickles_in_a_place_that_is_not_private_need_a_key_that_signs_them():
    with pytest.raises(SettingsError, match="FLOWS_RESULT_KEY"):
        read_settings({"FLOWS_RESULT_STORAGE": "s3://bucket/results"})

    settings = read_settings(
        {"FLOWS_RESULT_STORAGE": "s3://bucket", "FLOWS_RESULT_KEY": "sixteen characters"}
    )
    assert "sixteen" not in repr(settings)


def test_a_key_that_is_too_short_is_not_repeated_in_the_error():
    with pytest.raises(SettingsError, match=r"FLOWS_RESULT_KEY=\.\.\.: expected 16 characters") as raised:
        read_settings({"FLOWS_RESULT_KEY": "hunter2"})
    assert "hunter2" not in str(raised.value)
