"""Vendors' bodies as their documentation shows them, with invented people."""

from pathlib import Path


def payload(path: str) -> bytes:
    """The body stored under this path."""
    return (Path(__file__).parent / path).read_bytes()
