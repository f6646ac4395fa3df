"""A workflow that writes down when each of its news came."""

import asyncio
from datetime import timedelta

from temporalio import workflow

NAP = timedelta(seconds=1)


@workflow.defn
class News:
    """Ends when its nap is over and one signal has come."""

    def __init__(self) -> None:
        self.came: list[tuple[str, str]] = []

    @workflow.run
    async def run(self) -> list[tuple[str, str]]:
        self._note("began")
        await asyncio.gather(self._nap(), workflow.wait_condition(lambda: any(what == "told" for what, _ in self.came)))
        await asyncio.sleep(0.01)
        return self.came

    @workflow.signal
    def tell(self) -> None:
        self._note("told")

    @workflow.query
    def how_many(self) -> int:
        return len(self.came)

    async def _nap(self) -> None:
        await workflow.sleep(NAP)
        self._note("awake")

    def _note(self, what: str) -> None:
        self.came.append((what, workflow.now().isoformat()))
