"""Ids, names and chance."""

import os
import re
import select
from uuid import UUID

import pytest

from runtime.identities import RandomIdentities, name_from


def test_a_name_is_two_words_that_belong_to_the_id():
    run_id = UUID("6f1c9e7a-52c7-4a41-9a53-0d3c5d1f2b10")

    assert re.fullmatch("[a-z]+-[a-z]+", name_from(run_id))
    assert name_from(run_id) == name_from(UUID(str(run_id)))
    assert RandomIdentities().flow_run_name(run_id) == name_from(run_id)


def test_names_of_many_ids_are_many():
    identities = RandomIdentities()

    names = {name_from(identities.flow_run_id(None, "f", 0)) for _ in range(2_000)}

    assert len(names) > 1_800


def test_ids_are_valid_and_never_come_twice():
    identities = RandomIdentities()

    ids = [identities.task_run_id(None, "add-0") for _ in range(1_000)]
    ids += [identities.flow_run_id(None, "flow", 0) for _ in range(1_000)]

    assert len(set(ids)) == 2_000
    assert {run_id.version for run_id in ids} == {4}
    assert {run_id.variant for run_id in ids} == {"specified in RFC 4122"}


def test_two_sources_of_ids_do_not_agree():
    one, other = RandomIdentities(), RandomIdentities()

    assert one.task_run_id(None, "add-0") != other.task_run_id(None, "add-0")


def test_chance_is_a_fraction():
    identities = RandomIdentities()

    fractions = [identities.fraction(UUID(int=1), attempt) for attempt in range(100)]

    assert all(0.0 <= fraction < 1.0 for fraction in fractions)
    assert len(set(fractions)) > 90


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_a_fork_goes_its_own_way():
    identities = RandomIdentities()
    reading, writing = os.pipe()

    child = os.fork()
    if child == 0:
        os.write(writing, identities.flow_run_id(None, "f", 0).bytes)
        os._exit(0)
    mine = identities.flow_run_id(None, "f", 0)
    assert select.select([reading], [], [], 30)[0]
    theirs = UUID(bytes=os.read(reading, 16))
    os.waitpid(child, 0)
    os.close(reading)
    os.close(writing)

    assert mine != theirs
