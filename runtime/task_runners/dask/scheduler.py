"""What is asked of Dask's scheduler: an attempt runs once, whatever becomes of it."""

from typing import Any

from distributed.diagnostics.plugin import SchedulerPlugin

#: What a driver that leaves tells those who listen to its topic: that there is nothing more.
NOTHING_MORE: list[Any] = []
#: Seconds in which workers may still report to a driver that has left.
LAST_WORDS_WITHIN = 10


class OneAttempt(SchedulerPlugin):
    """Keeps the scheduler from running again what belongs to one driver. All else it leaves alone.

    By itself a scheduler runs a task anew when its worker dies, and also when its result dies with the
    worker that held it. Here the driver decides: retries are its business.
    """

    _scheduler: Any

    def __init__(self, token: str, topic: str, client: str) -> None:
        self.name = f"flows-{token}"
        self._token = token
        self._topic = topic
        #: the id of the driver's client
        self._client = client

    async def start(self, scheduler: Any) -> None:
        """The scheduler has taken it."""
        self._scheduler = scheduler

    def update_graph(self, scheduler: Any, *, tasks: list[Any], **kwargs: Any) -> None:
        """The first worker that dies of a task, or with it, is the last."""
        del kwargs
        for key in tasks:
            if self._is_ours(key):
                scheduler.tasks[key].suspicious = scheduler.allowed_failures

    def transition(self, key: Any, start: str, finish: str, *args: Any, **kwargs: Any) -> None:
        """A result is data from now on, with no recipe to make it again."""
        del args, kwargs
        if finish == "memory" and start == "processing" and self._is_ours(key):
            self._scheduler.tasks[key].run_spec = None

    def log_event(self, topic: str, msg: Any) -> None:
        """What was sent to the driver need not be kept. When it leaves, it says so."""
        if topic != self._topic:
            return
        if msg:
            self._scheduler._broker.truncate(topic)
        else:
            self._leave(self._scheduler)

    def remove_client(self, scheduler: Any, client: str) -> None:
        """The driver's client has gone, or was killed."""
        if client == self._client:
            self._leave(scheduler)

    def _leave(self, scheduler: Any) -> None:
        """Nothing of the driver stays, and nothing of this."""
        scheduler.plugins.pop(self.name, None)
        self._clear(scheduler)
        # a worker that has not heard of it may have had something to say
        scheduler.loop.call_later(LAST_WORDS_WITHIN, self._clear, scheduler)

    def _clear(self, scheduler: Any) -> None:
        scheduler._broker._topics.pop(self._topic, None)
        scheduler.task_metadata.pop(self._topic, None)

    def _is_ours(self, key: Any) -> bool:
        return isinstance(key, str) and self._token in key
