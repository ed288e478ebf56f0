"""What may be written around an argument: ``unmapped``, ``allow_failure``, ``quote``."""

from typing import Generic, TypeVar

T = TypeVar("T")


class Annotation(Generic[T]):
    """A value with a word about how it is to be treated."""

    __slots__ = ("value",)

    def __init__(self, value: T) -> None:
        self.value = value

    def unwrap(self) -> T:
        """The value alone."""
        return self.value

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and bool(self.value == other.value)

    __hash__ = None  # pyright: ignore[reportAssignmentType] - the value need not have one

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.value!r})"


class unmapped(Annotation[T]):  # noqa: N801 - Prefect's name
    """Give the whole iterable to every run of a ``map``."""


class allow_failure(Annotation[T]):  # noqa: N801 - Prefect's name
    """Run even if this upstream did not complete, with its exception as the value."""


class quote(Annotation[T]):  # noqa: N801 - Prefect's name
    """Leave this value alone: do not look for futures in it."""
