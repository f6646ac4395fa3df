"""`record`: write the last entries of an order's journal."""

from temporalio import activity

from activities._boundary import boundary
from orderack.contracts import names
from orderack.contracts.journal import Journal
from orderack.ports import Ledger


class Record:
    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    @activity.defn(name=names.RECORD)
    @boundary
    async def record(self, journal: Journal) -> None:
        """Entries are keyed by order and number: written twice, they stand once."""
        await self._ledger.write(journal)
