"""A shop whose rows lie in a module, as those of a database lie outside of all workers."""

from runtime import flow, task

ROWS = []
KEYED = {}


def clear():
    ROWS.clear()
    KEYED.clear()


@task
def add_row(n):
    ROWS.append(n)
    return n


@task
def put_row(n):
    KEYED[n] = "paid"
    return n


@task(retries=2)
def add_row_for_sure(n):
    ROWS.append(n)
    return n


@task(retries=2)
def add_row_if_missing(n):
    if n not in ROWS:
        ROWS.append(n)
    return n


@flow
def appends():
    clear()
    return sum(future.result() for future in add_row.map([1, 2]))


@flow
def puts():
    clear()
    return sum(future.result() for future in put_row.map([1, 2]))


@flow
def appends_for_sure():
    clear()
    return sum(future.result() for future in add_row_for_sure.map([1, 2]))


@flow
def appends_if_missing():
    clear()
    return sum(future.result() for future in add_row_if_missing.map([1, 2]))
