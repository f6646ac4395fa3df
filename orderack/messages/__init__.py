"""Rendering: one canonical content → subject, text, HTML and SMS, in the buyer's language."""

from orderack.messages.check import check_wordings
from orderack.messages.renderer import MessageRenderer
from orderack.messages.wording import wordings

__all__ = ["MessageRenderer", "check_wordings", "wordings"]
