"""The server for these tests."""

from tests.temporal.server import idle_orders, orders, temporal, world

__all__ = ["idle_orders", "orders", "temporal", "world"]
