"""The real server, and the real PostgreSQL, for installations of processes."""

from tests.temporal.server import Temporal, temporal

__all__ = ["Temporal", "temporal"]
