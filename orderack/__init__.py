"""orderack: durable order acknowledgement on Temporal."""

__version__ = "0.1.0"
