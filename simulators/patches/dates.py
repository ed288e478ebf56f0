"""Dates as simulated code sees them: ``datetime.now()`` follows virtual time.

freezegun works in a simulated run as elsewhere: for as long as it holds, dates are those that it says. Around
an exploration it is set aside, for virtual time begins at the same moment always.
"""

import datetime
from typing import Any, Self

import freezegun.api

from simulators.clocks import wall_time
from simulators.patches.substitution import Substitutes
from simulators.surroundings import scheduler_here

_datetime, _date = datetime.datetime, datetime.date


def substitute(substitutes: Substitutes) -> None:
    """The classes whose instances know what time it is."""
    substitutes.everywhere(datetime, "datetime", SimulatedDatetime, _datetime)
    substitutes.everywhere(datetime, "date", SimulatedDate, _date)
    # freezegun remembers which modules have something to be frozen, and knows it by these identities.
    known = freezegun.api._real_time_object_ids | substitutes.identities  # pyright: ignore
    substitutes.attribute(freezegun.api, "_real_time_object_ids", known)
    substitutes.attribute(freezegun.api, "_GLOBAL_MODULES_CACHE", {})


class _LooksLikeDatetime(type):
    # Dates made by code that is not simulated must count as dates here.
    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, _datetime)

    def __subclasscheck__(cls, subclass: type) -> bool:
        return issubclass(subclass, _datetime)


class SimulatedDatetime(_datetime, metaclass=_LooksLikeDatetime):
    """``datetime.datetime``, in virtual time."""

    @classmethod
    def now(cls, tz: Any = None) -> Self:
        """The virtual moment."""
        scheduler = scheduler_here()
        if scheduler is None:
            return super().now(tz)
        return cls.fromtimestamp(wall_time(scheduler), tz)

    @classmethod
    def utcnow(cls) -> Self:
        """The virtual moment in UTC, without a time zone."""
        return cls.now(datetime.UTC).replace(tzinfo=None)

    @classmethod
    def today(cls) -> Self:
        """The virtual moment."""
        return cls.now()

    def __reduce_ex__(self, protocol: Any) -> Any:
        # What is kept in files must be readable without a simulation.
        made, *rest = super().__reduce_ex__(protocol)
        return (_datetime if made is SimulatedDatetime else made, *rest)


class _LooksLikeDate(type):
    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, _date)

    def __subclasscheck__(cls, subclass: type) -> bool:
        return issubclass(subclass, _date)


class SimulatedDate(_date, metaclass=_LooksLikeDate):
    """``datetime.date``, in virtual time."""

    @classmethod
    def today(cls) -> Self:
        """The virtual day."""
        scheduler = scheduler_here()
        if scheduler is None:
            return super().today()
        return cls.fromtimestamp(wall_time(scheduler))

    def __reduce_ex__(self, protocol: Any) -> Any:
        made, *rest = super().__reduce_ex__(protocol)
        return (_date if made is SimulatedDate else made, *rest)
