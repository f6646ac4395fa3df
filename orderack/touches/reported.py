"""Touches that a provider's own tracking saw and reports to us, one at a time and without their company."""

from datetime import datetime, timedelta

from orderack.touches.classify import classify
from orderack.touches.touch import Reason, Touch, What

_LONG = timedelta(days=1)
"""When it was delivered is not known here, so that nothing is too soon."""


def reported(what: What, at: datetime, *, address: str | None, user_agent: str | None) -> tuple[str, ...]:
    """Why a reported open or click counts as a machine's; empty: nothing in the report says so.

    A user agent that the provider left out says nothing: the request may well have had one.
    """
    touch = Touch(send_key="", what=what, address=(address or "")[:500], user_agent=(user_agent or "")[:500], at=at)
    found = (reason for reason in classify(touch, (), at - _LONG).reasons)
    return tuple(reason.value for reason in found if user_agent is not None or reason is not Reason.NO_USER_AGENT)
