"""An attempt in another process: what travels there, what is done there, and what comes back.

Everything that is the same for all task runners with workers; they differ in how they carry it.
A task runner uses it so:

1. In ``open()`` it makes a :class:`Packer`.
2. ``submit(attempt)`` calls ``packer.pack(attempt, id, refer)``. ``refer(future)`` says whether the runner
   holds the result of that upstream run, so that it goes from worker to worker: the runner's own
   handle, or None for a value that travels with the call. What cannot travel raises
   ``NotSerializable``, which names the parameter: let it through, the engine fails the run.
   The :class:`PackedCall` has the call itself, small; two :class:`Parcel`, the task's code and what is
   known of the flow run, which stay the same for many calls and need travel only once; and the
   handles, whose values the worker needs in that order.
3. On the worker, :func:`run` makes the attempt. ``fetch(key)`` gives the body of a parcel and is asked
   once for each; ``tell(message)`` is the live channel: messages must arrive in order, and before
   the last one, which ``run`` returns along with the value for downstream attempts. ``run`` raises
   nothing, whatever the task does. :func:`stop` ends the attempt with that id in this process. Where one
   process plays several, each of them has a :class:`Home`.
4. In the driver, :func:`hear` turns each message into what the engine or the log is to hear.
   ``kept(inline)`` makes the :class:`RemoteResult` that becomes the state's data; ``inline`` holds a small
   result's bytes, so that nobody need fetch it.

Messages are tuples of two strings and bytes, so that any channel can carry them.
"""

from runtime.remote.calls import PackedCall, Packer
from runtime.remote.code import Parcel
from runtime.remote.messages import Message, hear
from runtime.remote.values import RemoteResult, Unusable
from runtime.remote.worker import Home, run, stop

__all__ = [
    "Home",
    "Message",
    "PackedCall",
    "Packer",
    "Parcel",
    "RemoteResult",
    "Unusable",
    "hear",
    "run",
    "stop",
]
