"""The look-alikes' webhooks, as a vendor sends them: not all at once, and again when they are not taken."""

import asyncio

import httpx
import pytest

from orderack.embedded.sandbox.courier import AT_ONCE, Courier, Webhook


class Receiver:
    """Slow, and it notes how many ask at the same time."""

    def __init__(self, refuses: int = 0) -> None:
        self.now = self.most = self.asked = 0
        self._refuses = refuses

    async def take(self, request: httpx.Request) -> httpx.Response:
        self.asked += 1
        answer = httpx.Response(503 if self.asked <= self._refuses else 204)
        self.now += 1
        self.most = max(self.most, self.now)
        await asyncio.sleep(0.02)
        self.now -= 1
        return answer


@pytest.mark.parametrize("refuses", [0, 7])
async def test_a_slow_receiver_is_not_asked_by_all_webhooks_at_once_and_gets_each(refuses: int) -> None:
    receiver, courier, posted = Receiver(refuses), Courier(), 3 * AT_ONCE
    await courier._client.aclose()
    courier._client = httpx.AsyncClient(transport=httpx.MockTransport(receiver.take))
    try:
        for place in range(posted):
            courier.post(Webhook(f"w{place}", lambda: "http://127.0.0.1/hook", lambda url: {}, b"{}"), 0)
        async with asyncio.timeout(60):
            await asyncio.gather(*courier._tasks)
    finally:
        await courier.aclose()
    assert courier.delivered == posted
    assert receiver.most == AT_ONCE
    assert receiver.asked == posted + refuses
    assert not courier.dropped
