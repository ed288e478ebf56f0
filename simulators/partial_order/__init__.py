"""Executions as partial orders: events, what they touch, and which could have come the other way round."""

from simulators.partial_order.data_races import RaceDetector, Racing, Spot, Where
from simulators.partial_order.events import ANYTHING, TIME, Access, Event, dependent
from simulators.partial_order.order import Order, Race
from simulators.partial_order.wakeup import Branch, Reversal, insert, prune

__all__ = [
    "ANYTHING",
    "TIME",
    "Access",
    "Branch",
    "Event",
    "Order",
    "Race",
    "RaceDetector",
    "Racing",
    "Reversal",
    "Spot",
    "Where",
    "dependent",
    "insert",
    "prune",
]
