"""What happens, and when: the durable story of an order. Deterministic; sees contracts and domain only."""

from workflows.look import Look
from workflows.order_acknowledgement import OrderAcknowledgement
from workflows.sweep import Sweep

WORKFLOWS = [OrderAcknowledgement, Look, Sweep]

__all__ = ["WORKFLOWS", "Look", "OrderAcknowledgement", "Sweep"]
