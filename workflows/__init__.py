"""What happens, and when: the durable story of an order. Deterministic; sees contracts and domain only."""

from workflows.look import Look
from workflows.order_acknowledgement import OrderAcknowledgement

WORKFLOWS = [OrderAcknowledgement, Look]

__all__ = ["WORKFLOWS", "Look", "OrderAcknowledgement"]
