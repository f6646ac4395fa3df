"""Where touches are handed in: written together, so that a burst of them costs a few transactions and not one each."""

import structlog

from orderack.errors import OrderAckError
from orderack.ports import TouchBook
from orderack.touches import Touch

log = structlog.get_logger(__name__)

MOST_WAITING = 2_000
"""Touches beyond this, while the ledger is slow, are dropped: they are the weakest evidence there is."""


class TouchDesk:
    """One for each gateway process. What it holds is lost when the process dies, which costs a count and no more."""

    def __init__(self, book: TouchBook) -> None:
        self._book = book
        self._waiting: list[Touch] = []
        self._writing = False

    async def take(self, touch: Touch) -> None:
        """Record it, now or with the batch that is being written. Never fails: what can't be recorded is dropped."""
        if len(self._waiting) >= MOST_WAITING:
            log.warning("touch dropped, too many are waiting")
            return
        self._waiting.append(touch)
        if self._writing:
            return
        self._writing = True
        try:
            while self._waiting:
                batch, self._waiting = self._waiting, []
                await self._write(batch)
        finally:
            self._writing = False

    async def _write(self, batch: list[Touch]) -> None:
        try:
            await self._book.record_touches(batch)
        except OrderAckError as error:
            log.warning("touches not recorded", touches=len(batch), why=type(error).__name__)
        except Exception:
            log.exception("touches cannot be recorded", touches=len(batch))
