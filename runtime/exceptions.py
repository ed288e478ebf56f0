"""What goes wrong, one class for each thing a caller would handle differently."""


class FlowsError(Exception):
    """The base of all errors of this package."""


class FailedRun(FlowsError):
    """A run failed and left no exception of its own to raise."""


class CrashedRun(FlowsError):
    """A run was lost: its worker died, its process ended, or its result is gone."""


class CancelledRun(FlowsError):
    """A run was cancelled before it could give a result."""


class UnfinishedRun(FlowsError):
    """A result was asked of a run that has none, and will have none by itself."""


class Terminated(SystemExit):
    """The process was told to end, by SIGTERM, while a flow ran on its main thread."""


class MissingContext(FlowsError, RuntimeError):
    """Something that needs a running flow or task was called outside of one."""


class ParameterTypeError(FlowsError, TypeError):
    """A flow was called with parameters that its annotations do not allow."""


class NotSerializable(FlowsError, TypeError):
    """A parameter, a result or a task's code cannot travel to another process, or not back."""


class ReservedArgumentError(FlowsError, TypeError):
    """A task names a parameter like an argument of ``submit`` itself."""


class MappingLengthMismatch(FlowsError, ValueError):
    """``map`` was given iterables of different lengths."""


class MappingMissingIterable(FlowsError, ValueError):
    """``map`` was given nothing to map over."""


class IllegalTransition(FlowsError):
    """A run was told something that cannot happen in its state: a bug of the engine or of a runner."""


class WouldDeadlock(FlowsError, RuntimeError):
    """A wait was refused because it could never end."""


class HistoryError(FlowsError, ValueError):
    """A history cannot be read: it is broken, of another version, or not a history at all."""


class ResumeError(FlowsError):
    """A flow run cannot be resumed: it has not ended, it completed, or its code or parameters are others."""


class StoreError(HistoryError):
    """Histories cannot be kept, or not be given back: the disk is full, the file damaged or locked."""


class AmbiguousRunName(FlowsError, KeyError):
    """A short name fits several runs of a history."""

    def __str__(self) -> str:  # KeyError would show the message quoted
        return str(self.args[0])
