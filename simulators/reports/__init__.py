"""What is told of a failure: as text, as a page, and as a trace for a trace viewer."""

from simulators.reports.pages import page
from simulators.reports.perfetto import perfetto
from simulators.reports.stories import Step, Story
from simulators.reports.text import text

__all__ = ["Step", "Story", "page", "perfetto", "text"]
