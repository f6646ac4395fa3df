"""What happens, and when: the durable story of an order. Deterministic; sees contracts and domain only."""

from workflows.order_acknowledgement import OrderAcknowledgement

WORKFLOWS = [OrderAcknowledgement]

__all__ = ["WORKFLOWS", "OrderAcknowledgement"]
