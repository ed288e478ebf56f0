"""Chance: what each schedule of a strategy that samples is drawn from."""

import random


def chance_of(seed: int, number: int) -> random.Random:
    """The chance of the schedule of that number: the same in every process, whatever came before it."""
    return random.Random(f"{seed} {number}")  # noqa: S311 - the same sequence every time is the point
