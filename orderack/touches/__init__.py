"""Touches: an image or a link of a message was fetched. Pure: what they are, and whether a machine did it.

Open `classify.py` for the tests, `agents.py` and `networks.py` for what they know, `rules.py` for where none are made.
"""

from orderack.touches.classify import SETTLED, classify
from orderack.touches.record import GradedTouch, SettledTouch
from orderack.touches.rules import OFF, in_force
from orderack.touches.touch import MARKS, Reason, Touch, Verdict, What

__all__ = [
    "MARKS",
    "OFF",
    "SETTLED",
    "GradedTouch",
    "Reason",
    "SettledTouch",
    "Touch",
    "Verdict",
    "What",
    "classify",
    "in_force",
]
