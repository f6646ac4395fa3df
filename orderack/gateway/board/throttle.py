"""Wrong logins: few from one address, and not many from all of them together, in each gateway process."""

import math
from time import time

from limits import RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import MovingWindowRateLimiter

FROM_ONE = RateLimitItemPerMinute(10, 5, namespace="board-one")
FROM_ALL = RateLimitItemPerMinute(200, 5, namespace="board-all")
_ALL = "everybody"


class Throttle:
    """Counts wrong logins; a right one counts for nothing."""

    def __init__(self) -> None:
        self._windows = MovingWindowRateLimiter(MemoryStorage())

    async def wait(self, client: str) -> int:
        """Seconds until this address may try again; 0: at once."""
        for item, who in ((FROM_ONE, client), (FROM_ALL, _ALL)):
            if not await self._windows.test(item, who):
                stats = await self._windows.get_window_stats(item, who)
                return max(1, math.ceil(stats.reset_time - time()))
        return 0

    async def wrong(self, client: str) -> None:
        await self._windows.hit(FROM_ONE, client)
        await self._windows.hit(FROM_ALL, _ALL)
