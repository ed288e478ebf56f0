"""Bugs that show only where something goes wrong on a worker."""

import time

from runtime import flow, get_run_context, task
from simulators import checkpoint

#: what lies outside of all workers
STORE = {}


@task(retries=1)
def pay(order):
    STORE[order] = STORE.get(order, 0) + 1


@flow
def pay_all():
    STORE.clear()
    for future in pay.map([1, 2, 3]):
        future.wait()


def paid_twice():
    """The effect comes before the report, and whoever tries again does not look for it."""
    pay_all()
    assert STORE == {1: 1, 2: 1, 3: 1}


@task(retries=1)
def with_lease(name):
    if name in STORE:
        raise RuntimeError(f"{name} is taken")
    STORE[name] = "taken"
    try:
        checkpoint()
    finally:
        del STORE[name]


@flow
def lease_all():
    STORE.clear()
    for future in with_lease.map(["a", "b"]):
        future.result()


def lease_left_behind():
    """A dead worker gives nothing back, and nothing says for how long a lease holds."""
    lease_all()


@task(retries=1)
def publish():
    attempt = get_run_context().attempt
    if attempt == 1:
        time.sleep(30)  # the first one is slow
    STORE["published"] = attempt
    return attempt


@flow
def publish_one():
    STORE.clear()
    attempt = publish.submit().result()
    time.sleep(100)
    return attempt


def overwritten_by_the_past():
    """A worker that was given up goes on, and nothing keeps its attempt from writing."""
    assert publish_one() == STORE["published"]


@task
def change(account, amount):
    STORE[account] += amount


@flow
def transfer():
    STORE.update(mine=100, yours=0)
    change.submit("mine", -10).wait()
    change.submit("yours", 10).wait()


def half_a_transfer():
    """Two steps, and nothing that undoes the first where the second is lost."""
    transfer(return_state=True)
    assert sum(STORE[account] for account in ("mine", "yours")) == 100
