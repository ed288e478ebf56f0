"""Plans as one HTML page that needs nothing else: no network, no script, no other file."""

import math
from collections.abc import Sequence
from html import escape
from importlib.resources import files

from simulators.planning.clusters import Plan

_WIDTH, _HEIGHT, _LEFT, _BOTTOM = 640, 240, 70, 30
_COLUMNS = 160


def plan_page(heading: str, verdict: str, plans: Sequence[Plan], shortest: Plan, chosen: int | None) -> str:
    """The whole page."""
    shown = next((plan for plan in plans if plan.workers == chosen), plans[-1])
    chain = [piece.name for piece in shortest.chain]
    parts = {
        "heading": escape(heading),
        "verdict": escape(verdict),
        "sizes": _sizes(plans, shortest),
        "rows": "\n".join(
            f"<tr><td>{plan.workers:,}</td><td>{plan.makespan:,.2f}</td><td>{plan.utilisation:.0%}</td></tr>"
            for plan in plans
        ),
        "caption": f"{shown.workers:,} workers at work, of {shown.threads} thread(s) each",
        "busy": _busy(shown),
        "length": f"{shortest.makespan:,.2f}",
        "chain": "".join(f"<li>{escape(name)}</li>" for name in chain[:200]),
    }
    template = files("simulators.planning").joinpath("page.html").read_text(encoding="utf-8")
    for name, content in parts.items():
        template = template.replace(f"<!--{name}-->", content)
    return template


def _sizes(plans: Sequence[Plan], shortest: Plan) -> str:
    """Makespan by number of workers, which goes up by doubling."""
    most = max(plan.makespan for plan in plans) or 1.0
    last = math.log2(max(2, plans[-1].workers))

    def place(plan: Plan) -> tuple[float, float]:
        return _LEFT + (_WIDTH - _LEFT - 20) * math.log2(plan.workers) / last, _y(plan.makespan / most)

    floor = _y(shortest.makespan / most)
    points = [place(plan) for plan in plans]
    return _picture(
        "Makespan by number of workers",
        most,
        f'<line class="floor" x1="{_LEFT}" x2="{_WIDTH}" y1="{floor:.1f}" y2="{floor:.1f}"/>'
        f'<polyline points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in points)}"/>'
        + "".join(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4"><title>{plan.workers:,} workers: '
            f"{plan.makespan:,.2f} s, {plan.utilisation:.0%} at work</title></circle>"
            f'<text class="tick" x="{x:.1f}" y="{_HEIGHT - 10}">{plan.workers:,}</text>'
            for plan, (x, y) in zip(plans, points, strict=True)
        ),
        "s",
    )


def _busy(plan: Plan) -> str:
    """Slots at work over time."""
    slots = plan.workers * plan.threads
    step = (_WIDTH - _LEFT) / _COLUMNS
    bars = "".join(
        f'<rect x="{_LEFT + step * column:.1f}" y="{_y(busy / slots):.1f}" width="{step:.1f}" '
        f'height="{_HEIGHT - _BOTTOM - _y(busy / slots):.1f}"/>'
        for column, busy in enumerate(plan.busy(_COLUMNS))
    )
    end = f'<text class="tick" x="{_WIDTH - 30}" y="{_HEIGHT - 10}">{plan.makespan:,.2f} s</text>'
    return _picture("Slots at work over time", slots, bars + end, "slots")


def _picture(label: str, most: float, drawn: str, unit: str) -> str:
    bottom = _HEIGHT - _BOTTOM
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(label)}">'
        f'<text x="4" y="{_y(1) + 4:.1f}">{most:,.4g} {unit}</text>'
        f'<line class="axis" x1="{_LEFT}" x2="{_WIDTH}" y1="{bottom}" y2="{bottom}"/>{drawn}</svg>'
    )


def _y(share: float) -> float:
    return 14 + (_HEIGHT - _BOTTOM - 14) * (1 - share)
