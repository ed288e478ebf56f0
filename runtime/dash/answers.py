"""What the page asks for, and the answers, out of the store."""

import json
from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from runtime.exceptions import StoreError
from runtime.history import SQLiteHistoryStore
from runtime.history.sqlite.listing import FlowRunSummary

#: runs on one page of the list, changes in one part of a history, lines in one part of a log
_RUNS, _CHANGES, _LINES = 50, 10_000, 1_000
#: changes in the first part: something is seen while the rest comes
_FIRST_CHANGES = 1_000

Query = Mapping[str, str]


class NotAsked(Exception):
    """A request that nothing here answers, and why."""


class Answers:
    """Answers as JSON: bytes, ready to be sent."""

    def __init__(self, store: SQLiteHistoryStore) -> None:
        self._store = store
        self._by_topic: dict[str, Callable[[Query], object]] = {
            "runs": self._runs,
            "run": self._run,
            "part": self._part,
            "changes": self._changes,
            "log": self._log,
        }

    def answer(self, topic: str, query: Query) -> bytes:
        """Raises :class:`NotAsked` where topic, run or a value is none that we know; ``StoreError``."""
        if topic not in self._by_topic:
            raise NotAsked(f"Nothing is called {topic!r} here.")
        try:
            answer = self._by_topic[topic](query)
        except KeyError as error:
            raise NotAsked(f"There is no {error.args[0]} in the store.") from error
        except StoreError:  # a ValueError, too, and not the asker's doing
            raise
        except (ValueError, OverflowError) as error:
            raise NotAsked(f"This is not a question: {error}") from error
        return json.dumps(answer, separators=(",", ":")).encode()

    def reached(self, query: Query) -> tuple[int, int]:
        """How far the history and the log of the run that is asked for have come."""
        try:
            return self._store.reached(UUID(query["run"]))
        except StoreError:
            raise
        except (KeyError, ValueError) as error:
            raise NotAsked(f"There is no such run: {error}") from error

    def _runs(self, query: Query) -> object:
        before = query.get("before")
        found = self._store.summaries(
            state=query.get("state") or None,
            search=query.get("search") or None,
            before=UUID(before) if before else None,
            limit=_RUNS + 1,
        )
        return {"runs": [_fields(summary) for summary in found[:_RUNS]], "more": len(found) > _RUNS}

    def _run(self, query: Query) -> object:
        summary = self._store.summary(UUID(query["run"]))
        run = summary.flow_run
        return _fields(summary) | {
            "parameters": json.loads(run.parameters),
            "entry_point": run.entry_point,
            "version": run.flow_version,
            "message": summary.state.message if summary.state is not None else None,
        }

    def _part(self, query: Query) -> object:
        start = _number(query, "start")
        limit = _CHANGES if start else _FIRST_CHANGES
        part = self._store.part(UUID(query["run"]), start, limit)
        return {"begun": part.begun, "changes": part.changes, "more": len(part.changes) == limit}

    def _changes(self, query: Query) -> object:
        return self._store.changes_of(UUID(query["run"]), UUID(query["of"]))

    def _log(self, query: Query) -> object:
        lines = self._store.log_lines(UUID(query["run"]), _number(query, "after"), _LINES)
        return {
            "lines": [(line.number, line.run_id.hex, line.at, line.level, line.message) for line in lines],
            "more": len(lines) == _LINES,
        }


def _fields(summary: FlowRunSummary) -> dict[str, Any]:
    run, state = summary.flow_run, summary.state
    return {
        "id": run.id.hex,
        "name": run.name,
        "flow": run.flow_name,
        "tags": run.tags,
        "type": state.type.value if state is not None else None,
        "state": state.name if state is not None else None,
        "created": run.created,
        "elapsed": summary.elapsed,
        "run_count": summary.run_count,
    }


def _number(query: Query, name: str) -> int:
    number = int(query.get(name, "0"))
    if not 0 <= number < 2**53:
        raise ValueError(f"{name} is {number}")
    return number
