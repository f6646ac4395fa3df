"""Errors, named for what happens next.

OrderAckError
├─ Unavailable(retry_after)   the other side is down, slow or limiting: certainly not done → Temporal retries
├─ InDoubt                    cut off after we began to send: it may have happened → settled, never blindly repeated
├─ Refused(reason)            it said no → fallback channel or review; never retried
├─ Unsupported(trait)         this channel cannot carry it → fallback channel
└─ Misconfigured              our key, our URL, our policy → stops and pages an operator; no fallback hides it

BadSignature, Duplicate       the gateway's alone: 401, 202
OrderUnknown, OrderNotOpen    a door's answer: no such order, or one that has closed
InvalidInput                  a door's answer: the field, the problem, the remedy
"""

import re
from collections.abc import Sequence
from datetime import timedelta

from orderack.domain.acknowledgement import Reason
from orderack.domain.problem import Problem


class OrderAckError(Exception):
    """The root of everything this product raises on purpose."""


class Unavailable(OrderAckError):
    """The other side did not take it; nothing was done. Retry, not before `retry_after` where it named one."""

    def __init__(self, message: str, retry_after: timedelta | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class InDoubt(OrderAckError):
    """We were cut off after the request went out: 5xx, read timeout, reset, or an answer that says nothing."""


_LONGEST_CODE = 200
_SOMEBODYS = re.compile(r"@|\+\d|\d{9}")
"""An address or a number to call."""


class Refused(OrderAckError):
    """It said no. `code` keeps the vendor's own word, unless that is a text that names somebody."""

    def __init__(self, message: str, reason: Reason = Reason.OTHER, code: str = "") -> None:
        super().__init__(message)
        self.reason = reason
        self.code = "" if len(code) > _LONGEST_CODE or _SOMEBODYS.search(code) else code


class Unsupported(OrderAckError):
    """The channel cannot carry this message."""

    def __init__(self, trait: str) -> None:
        super().__init__(f"not supported: {trait}")
        self.trait = trait


class Misconfigured(OrderAckError):
    """Ours to mend: the message says which setting."""


class BadSignature(OrderAckError):
    """A request that does not prove where it comes from."""


class StaleSignature(BadSignature):
    """The signature holds, and the time that it vouches for is out of its window: replayed, or a clock is wrong."""

    def __init__(self, off: float) -> None:
        super().__init__("the signature is too old or from the future")
        self.off = off
        """Seconds by which the signed time is behind (+) or ahead of (-) our clock."""


class Duplicate(OrderAckError):
    """Seen before; nothing to do."""


class OrderUnknown(OrderAckError):
    """No order of that store and number, open or closed."""


class OrderNotOpen(OrderAckError):
    """There is no open order to ask this of: it has closed, or it never came."""


class InvalidInput(OrderAckError):
    """An input that cannot be used, with everything that is wrong with it."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("; ".join(f"{p.field}: {p.problem} ({p.remedy})" for p in problems))
        self.problems = tuple(problems)
