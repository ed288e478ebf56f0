"""The report as one HTML page that needs nothing else: no network, no other file."""

from html import escape
from importlib.resources import files

from simulators.reports.stories import Event, Story

_ROW, _COLUMN, _LEFT, _TOP = 22, 190, 90, 34


def page(story: Story) -> str:
    """The whole page. It can be read without scripts; with them, arrow keys walk from step to step."""
    parts = {
        "title": escape(f"{story.test}: {type(story.error).__name__}"),
        "headline": escape(story.headline),
        "problem": escape(story.problem),
        "verdict": escape(story.verdict),
        "lanes": _lanes(story),
        "steps": "\n".join(_step(event) for event in story.events),
        "outcomes": "\n".join(
            f"<tr><th scope=row>{escape(run)}</th><td>{escape(states)}</td></tr>"
            for run, states in story.outcomes
        ),
        "races": _races(story),
        "beyond": "".join(f"<p class=hint>{escape(line)}</p>" for line in story.beyond),
        "command": escape(story.command),
    }
    template = files("simulators.reports").joinpath("page.html").read_text(encoding="utf-8")
    for name, content in parts.items():
        template = template.replace(f"<!--{name}-->", content)
    return template


def _races(story: Story) -> str:
    if not story.races:
        return ""
    return "<h2>Data races</h2>\n" + "\n".join(
        f"<pre class=race>{escape(race)}</pre>" for race in story.races
    )


def _lanes(story: Story) -> str:
    """The steps as a picture: time goes down, each run has a lane, and a line follows who is at it."""
    column = {lane: _LEFT + _COLUMN * number for number, lane in enumerate(story.lanes)}
    width, height = _LEFT + _COLUMN * len(column), _TOP + _ROW * (len(story.events) + 1)
    drawn = [
        (
            f'<svg width="{width}" height="{height}" viewBox="0 0 {width} {height}" role="img" '
            f'aria-label="The steps of each run, from top to bottom">'
        )
    ]
    for lane, x in column.items():
        drawn.append(f'<text class="lane" x="{x}" y="16">{escape(_short(lane))}</text>')
        drawn.append(f'<line class="lane" x1="{x}" x2="{x}" y1="{_TOP - 10}" y2="{height - 8}"/>')
    steps: list[str] = []  # over all lines
    moment = None
    for before, event in zip([None, *story.events], story.events, strict=False):
        x, y = column[event.run], _TOP + _ROW * (event.number - 1) + 10
        if before is not None and before.run != event.run:
            kind = "switch decisive" if event.decisive else "switch"
            drawn.append(f'<path class="{kind}" d="M{column[before.run]} {y - _ROW} L{x} {y}"/>')
        if event.moment != moment:
            moment = event.moment
            steps.append(f'<text class="time" x="{_LEFT - 22}" y="{y + 4}">{moment:.3f} s</text>')
        kind = "step decisive" if event.decisive else "step"
        steps.append(
            f'<g class="{kind}" data-step="{event.number}"><title>{escape(_said(event))}</title>'
            f'<circle cx="{x}" cy="{y}" r="{6 if event.decisive else 4}"/>'
            f'<text x="{x + 10}" y="{y + 4}">{escape(_short(event.code or event.action))}</text></g>'
        )
    return "\n".join([*drawn, *steps, "</svg>"])


def _step(event: Event) -> str:
    mark = '<abbr title="a decision that fifo would not have made">&gt;</abbr>' if event.decisive else ""
    return (
        f'<tr id="step-{event.number}" data-step="{event.number}" tabindex="-1"'
        f"{' class=decisive' if event.decisive else ''}>"
        f"<td>{mark}</td><td>{event.number}</td><td>{event.moment:.3f}</td><td>{escape(event.run)}</td>"
        f"<td>{escape(event.action)}</td><td><code>{escape(event.code)}</code></td><td>{escape(event.where)}</td></tr>"
    )


def _said(event: Event) -> str:
    return " ".join(part for part in (event.run, event.action, event.where, event.code) if part)


def _short(words: str) -> str:
    return words if len(words) <= 24 else f"{words[:23]}…"
