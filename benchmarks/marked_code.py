"""Code that benchmarks put marks into."""

counter = 0
#: statements in a round of ``work``, its loop's head included
STATEMENTS = 5


def work(rounds: int) -> int:
    total = 0
    for i in range(rounds):
        total = total + i
        total = total - 1
        total = total + 2
        total = total - 3
    return total


def add() -> None:
    global counter
    seen = counter
    seen = seen + 1
    counter = seen
