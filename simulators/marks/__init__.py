"""Marks in code objects: calls before statements and accesses, for as long as somebody listens."""

from simulators.marks.accesses import Access, Globals, may_change
from simulators.marks.calls import Call
from simulators.marks.marking import Marking, Unmarked, marked
from simulators.marks.project import Modules, Project
from simulators.marks.statements import Place

__all__ = [
    "Access",
    "Call",
    "Globals",
    "Marking",
    "Modules",
    "Place",
    "Project",
    "Unmarked",
    "marked",
    "may_change",
]
