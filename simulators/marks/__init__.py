"""Marks in code objects: a call before every statement of chosen code, for as long as somebody listens."""

from simulators.marks.marking import Marking, Unmarked, marked
from simulators.marks.project import Modules, Project
from simulators.marks.statements import Place

__all__ = ["Marking", "Modules", "Place", "Project", "Unmarked", "marked"]
