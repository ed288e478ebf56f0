"""The report as text: a table with a lane for each run, and the one line that replays it."""

from collections.abc import Iterator

from simulators.reports.stories import Event, Story

#: characters in a line
WIDTH = 118
#: lanes that have a column of their own
MOST_LANES = 5
#: steps that are all shown
MOST_STEPS = 60
#: steps that are shown around one that matters
CONTEXT = 6


def text(story: Story) -> str:
    """The whole report."""
    parts = [
        story.headline,
        _indented(story.problem),
        *_table(story),
        story.verdict,
        *story.races,
        *_outcomes(story),
        "\n".join(story.beyond),
        f"Replay it: {story.command}",
    ]
    return "\n\n".join(part for part in parts if part)


def _table(story: Story) -> list[str]:
    if not story.events:
        return []
    lanes = _shown_lanes(story)
    others = len(lanes) < len(story.lanes)
    columns = [*lanes, "others"] if others else lanes
    width = max(16, (WIDTH - 14) // len(columns) - 2)
    rows = [f"{'':2}{'time':>9}  " + "  ".join(_fitted(column, width) for column in columns)]
    before: Event | None = None
    for event in _shown_events(story.events):
        if event.number - (before.number if before is not None else 0) > 1:
            skipped = event.number - (before.number if before is not None else 0) - 1
            rows.append(f"{'':13}... {skipped} {'step' if skipped == 1 else 'steps'}")
        rows.append(_row(event, lanes, width, others=others))
        before = event
    return ["\n".join(row.rstrip() for row in rows)]


def _row(event: Event, lanes: list[str], width: int, *, others: bool) -> str:
    said = f"{_line_number(event)}{event.code}" if event.code else event.action
    cells = [_fitted(said if event.run == lane else "", width) for lane in lanes]
    if others:
        cells.append(_fitted("" if event.run in lanes else f"{event.run}: {said}", width))
    return f"{'>' if event.decisive else ' '} {_time(event.moment):>9}  " + "  ".join(cells)


def _line_number(event: Event) -> str:
    return f"{event.where.rpartition(':')[2]} "


def _time(moment: float) -> str:
    return f"{moment:.3f}"


def _shown_lanes(story: Story) -> list[str]:
    """The lanes that matter: those that a decision was about first, then those that did most."""
    if len(story.lanes) <= MOST_LANES:
        return story.lanes
    decided = [run for choice in story.schedule.deviations for run in (choice.chosen.run, choice.usual.run)]
    counts = dict.fromkeys(story.lanes, 0)
    for event in story.events:
        counts[event.run] += 1
    busiest = sorted(story.lanes, key=lambda lane: -counts[lane])
    kept = set(list(dict.fromkeys([*(run for run in decided if run in counts), *busiest]))[: MOST_LANES - 1])
    return [lane for lane in story.lanes if lane in kept]


def _shown_events(events: list[Event]) -> Iterator[Event]:
    """All of them where they are few, else the beginning, the end, and what surrounds a decision."""
    if len(events) <= MOST_STEPS:
        yield from events
        return
    matter = [1, len(events), *(event.number for event in events if event.decisive)]
    for event in events:
        if any(abs(event.number - number) <= CONTEXT for number in matter):
            yield event


def _outcomes(story: Story) -> list[str]:
    if not story.outcomes:
        return []
    longest = max(len(name) for name, _ in story.outcomes)
    return ["\n".join(f"  {name:<{longest}}  {states}" for name, states in story.outcomes)]


def _indented(lines: str) -> str:
    return "\n".join(f"  {line}" for line in lines.splitlines())


def _fitted(cell: str, width: int) -> str:
    return f"{cell:<{width}}" if len(cell) <= width else f"{cell[: width - 1]}…"
