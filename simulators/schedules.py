"""Schedules: what was decided in a simulated run, in a form that can be kept, sent and read again.

A schedule names runs and points, not positions in a list of what could run, so it still means something
after a small edit of the code. What fifo would have chosen needs no words: a printed token holds the seed
and the choices that deviate from fifo, and nothing else.
"""

import base64
import binascii
import hashlib
import json
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple, cast, get_args

from runtime.history import FlowRunHistory
from simulators.exceptions import ScheduleError
from simulators.timelines import Timeline

#: Where a switch may happen, from few places to many.
Points = Literal["declared", "operations", "statements", "accesses"]
#: Whose code runs the tasks: the simulator's, or that of the runner which the flow declares.
Runner = Literal["simulated", "declared"]

VERSION = 1
#: A schedule may come from anywhere: what is longer than this is not read.
MAX_CHARACTERS = 16_000_000
MAX_CHOICES = 1_000_000
MAX_NAME = 1_000

_TOKEN_START = "fs1-"  # noqa: S105 - a token that anybody may see
_FORMAT = "flows-schedule"


class Decision(NamedTuple):
    """What is done next: ``run`` goes on from ``point``. Its text is ``add-0@3``.

    A point is a number, counted for each run from 1, or a source line and how often the run came there:
    ``orders.py:12.1``. A decision about a fault ends in ``!`` and its name.
    """

    run: str
    point: str

    def __str__(self) -> str:
        return f"{self.run}@{self.point}"

    @classmethod
    def parse(cls, text: str) -> "Decision":
        """The decision that ``text`` names. Raises ``ScheduleError``."""
        run, separator, point = text.rpartition("@")
        if not separator or not run or not point or len(text) > MAX_NAME:
            raise ScheduleError(f"A decision reads `run@point`, not {_shown(text)}")
        return cls(run, point)


class Choice(NamedTuple):
    """One decision, and what fifo would have decided in its place."""

    chosen: Decision
    usual: Decision

    @property
    def deviates(self) -> bool:
        """Whether fifo would have decided otherwise."""
        return self.chosen != self.usual


@dataclass(frozen=True, slots=True)
class Schedule:
    """The choices of one simulated run. Two schedules are equal when they deviate from fifo alike."""

    choices: tuple[Choice, ...] = field(default=(), compare=False)
    #: where random numbers, ids and names come from
    seed: int = 0
    points: Points = "statements"
    runner: Runner = "simulated"
    #: whether ``choices`` are all that were made; False: only those that deviate from fifo
    complete: bool = field(default=False, compare=False)
    #: whether every wait was a point
    fine: bool = False
    #: the times of a recorded run that attempts are held to
    timeline: Timeline | None = None
    deviations: tuple[Choice, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "deviations", tuple(choice for choice in self.choices if choice.deviates))

    @property
    def decisions(self) -> tuple[Decision, ...]:
        """What was decided, in order; of a schedule that was read from a token, what deviates from fifo."""
        return tuple(choice.chosen for choice in self.choices)

    @property
    def digest(self) -> str:
        """16 hex digits, the same for equal schedules, in every process and on every Python."""
        return hashlib.sha256(_compact(self._outline()).encode()).hexdigest()[:16]

    def deviating(self, deviations: Iterable[Choice]) -> "Schedule":
        """The same, with other deviations from fifo; the rest is left to fifo."""
        return replace(self, choices=tuple(deviations), complete=False)

    @classmethod
    def from_history(
        cls, history: FlowRunHistory, *, points: Points = "statements", seed: int = 0
    ) -> "Schedule":
        """The schedule that a flow run took, as far as its history tells, on whatever task runner.

        Attempts of its task runs begin and end when they began and ended then, in virtual time, and those
        that were lost with their worker are lost again. What code did in between was not recorded: it is
        left to fifo. ``explore(near=history)`` searches that.
        """
        return cls(seed=seed, points=points, timeline=Timeline.of(history))

    def to_json(self) -> str:
        """All of it as JSON, for a file."""
        body: dict[str, Any] = {
            "format": _FORMAT,
            "version": VERSION,
            "seed": self.seed,
            "points": self.points,
            "runner": self.runner,
            "complete": self.complete,
            "choices": [
                [str(choice.chosen), str(choice.usual)] if choice.deviates else str(choice.chosen)
                for choice in self.choices
            ],
        }
        if self.fine:
            body["fine"] = True
        if self.timeline is not None:
            body["timeline"] = self.timeline.outline()
        return json.dumps({**body, "checksum": _checksum(body)}, indent=1)

    @classmethod
    def from_json(cls, text: str) -> "Schedule":
        """Read what :meth:`to_json` wrote. Raises ``ScheduleError`` for anything else."""
        content = _read_json(text)
        if not isinstance(content, dict):
            raise ScheduleError("A schedule file holds a JSON object")
        body = cast("dict[str, Any]", content)
        if body.get("format") != _FORMAT:
            raise ScheduleError(f'This is no schedule: it does not say "format": "{_FORMAT}"')
        if body.get("version") != VERSION:
            raise ScheduleError(
                f"This schedule has version {_shown(body.get('version'))}; version {VERSION} can be read here"
            )
        checksum = body.pop("checksum", None)
        if checksum != _checksum(body):
            raise ScheduleError("The checksum of the schedule is wrong: it was changed, or cut off")
        fine = body.pop("fine", False)
        if not isinstance(fine, bool):
            raise ScheduleError(f'"fine" must be true or false, not {_shown(fine)}')
        timeline = Timeline.from_outline(body.pop("timeline")) if "timeline" in body else None
        if body.keys() != {"format", "version", "seed", "points", "runner", "complete", "choices"}:
            raise ScheduleError("The schedule has other fields than a schedule has")
        if not isinstance(body["complete"], bool):
            raise ScheduleError(f'"complete" must be true or false, not {_shown(body["complete"])}')
        choices = tuple(_choice(item) for item in _list(body["choices"]))
        settings = _settings(body["seed"], body["points"], body["runner"])
        return cls(choices, *settings, body["complete"], fine, timeline)

    def __str__(self) -> str:
        packed = zlib.compress(_compact(self._outline()).encode(), 9, wbits=-15)
        checked = zlib.crc32(packed).to_bytes(4, "big") + packed
        return _TOKEN_START + base64.urlsafe_b64encode(checked).decode().rstrip("=")

    @classmethod
    def parse(cls, token: str) -> "Schedule":
        """Read what ``str(schedule)`` gave. Raises ``ScheduleError`` for anything else."""
        token = token.strip()
        if not token.startswith(_TOKEN_START):
            raise ScheduleError(f"A schedule's token begins with {_TOKEN_START}, not like {_shown(token)}")
        if len(token) > MAX_CHARACTERS:
            raise ScheduleError(f"The token is longer than {MAX_CHARACTERS} characters")
        encoded = token.removeprefix(_TOKEN_START)
        try:
            checked = base64.b64decode(encoded + "=" * (-len(encoded) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError) as error:
            raise ScheduleError(f"The token is not whole: {error}") from error
        if zlib.crc32(checked[4:]).to_bytes(4, "big") != checked[:4]:
            raise ScheduleError("The checksum of the token is wrong: it was changed, or cut off")
        inflate = zlib.decompressobj(wbits=-15)
        try:
            packed = inflate.decompress(checked[4:], MAX_CHARACTERS)
        except zlib.error as error:
            raise ScheduleError(f"The token cannot be unpacked: {error}") from error
        if not inflate.eof:
            raise ScheduleError("The token is cut off, or holds far more than a schedule")
        outline = _list(_read_json(packed.decode(errors="replace")))
        if len(outline) < 4:
            raise ScheduleError("The token does not hold a schedule")
        seed, points, runner, deviations, *more = outline
        fine = more[:1] == ["fine"]
        timelines = more[1:] if fine else more
        if len(timelines) > 1:
            raise ScheduleError("The token does not hold a schedule")
        choices = tuple(_choice(item) for item in _list(deviations))
        timeline = Timeline.from_outline(timelines[0]) if timelines else None
        return cls(choices, *_settings(seed, points, runner), fine=fine, timeline=timeline)

    def _outline(self) -> list[Any]:
        deviations = [[str(choice.chosen), str(choice.usual)] for choice in self.deviations]
        more: list[Any] = ["fine"] if self.fine else []
        if self.timeline is not None:
            more.append(self.timeline.outline())
        return [self.seed, self.points, self.runner, deviations, *more]


def _compact(content: Any) -> str:
    return json.dumps(content, separators=(",", ":"), sort_keys=True)


def _checksum(body: dict[str, Any]) -> str:
    return hashlib.sha256(_compact(body).encode()).hexdigest()


def _read_json(text: str) -> object:
    if len(text) > MAX_CHARACTERS:
        raise ScheduleError(f"The schedule is longer than {MAX_CHARACTERS} characters")
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ScheduleError(f"The schedule is not JSON: {error}") from error


def _list(content: object) -> list[object]:
    if not isinstance(content, list):
        raise ScheduleError(f"There should be a list here, not {_shown(content)}")
    items = cast("list[object]", content)
    if len(items) > MAX_CHOICES:
        raise ScheduleError(f"The schedule has more than {MAX_CHOICES} choices")
    return items


def _choice(item: object) -> Choice:
    if isinstance(item, str):
        decision = Decision.parse(item)
        return Choice(decision, decision)
    if isinstance(item, list):
        pair = cast("list[object]", item)
        if len(pair) == 2 and isinstance(pair[0], str) and isinstance(pair[1], str):
            return Choice(Decision.parse(pair[0]), Decision.parse(pair[1]))
    raise ScheduleError(f"A choice is one decision, or two, not {_shown(cast('object', item))}")


def _settings(seed: object, points: object, runner: object) -> tuple[int, Points, Runner]:
    if not isinstance(seed, int) or isinstance(seed, bool) or seed.bit_length() > 256:
        raise ScheduleError(f"A seed is a whole number, not {_shown(seed)}")
    if points not in get_args(Points):
        raise ScheduleError(f"Points are {', '.join(get_args(Points))}, not {_shown(points)}")
    if runner not in get_args(Runner):
        raise ScheduleError(f"The runner is {' or '.join(get_args(Runner))}, not {_shown(runner)}")
    return seed, cast("Points", points), cast("Runner", runner)


def _shown(content: object) -> str:
    text = repr(content)
    return text if len(text) <= 80 else f"{text[:77]}..."
