"""Running tasks on Ray: in a private instance, in the one of this process, or on a cluster."""

from runtime.task_runners.ray.options import remote_options
from runtime.task_runners.ray.runner import RayTaskRunner

__all__ = ["RayTaskRunner", "remote_options"]
