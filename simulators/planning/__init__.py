"""Planning: how long a recorded flow run would take on clusters of other sizes."""

from simulators.planning.clusters import Plan, critical_path, fewest_workers, plan
from simulators.planning.pages import plan_page
from simulators.planning.work import Piece, Work

__all__ = ["Piece", "Plan", "Work", "critical_path", "fewest_workers", "plan", "plan_page"]
