"""Arguments of flows and tasks: bound, validated, described, and resolved where they are futures."""

from typing import TYPE_CHECKING, Any

from runtime.parameters.annotations import Annotation, allow_failure, quote, unmapped
from runtime.parameters.binding import CallSignature
from runtime.parameters.description import REDACTED, describe_parameters, described_parameters
from runtime.parameters.references import Upstream, collect, put

if TYPE_CHECKING:
    from runtime.parameters.validation import ParameterValidator

__all__ = [
    "REDACTED",
    "Annotation",
    "CallSignature",
    "ParameterValidator",
    "Upstream",
    "allow_failure",
    "collect",
    "describe_parameters",
    "described_parameters",
    "put",
    "quote",
    "unmapped",
]


def __getattr__(name: str) -> Any:
    # pydantic takes 100 ms to import, and most flows have nothing to validate
    if name == "ParameterValidator":
        from runtime.parameters.validation import ParameterValidator

        return ParameterValidator
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
