"""What happens, and when: the durable story of an order. Deterministic; sees contracts and domain only."""

from workflows.look import Look
from workflows.order_acknowledgement import OrderAcknowledgement
from workflows.sweep import Sweep
from workflows.weekly_report import WeeklyReport

WORKFLOWS = [OrderAcknowledgement, Look, Sweep, WeeklyReport]

__all__ = ["WORKFLOWS", "Look", "OrderAcknowledgement", "Sweep", "WeeklyReport"]
