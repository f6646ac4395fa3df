"""Mail that is posted to the gateway: how it is proved, and that a changed one is not."""

import pytest

from orderack.embedded.sandbox.look_alike import ShopDeed
from orderack.errors import BadSignature
from orderack.ports import Delivery, RawRequest
from tests.embedded.sandbox.letter_suite import LetterSuite


class PostedLetters(LetterSuite):
    """Inherited by the services that post mails."""

    async def requests(self, gateway, count: int) -> list[RawRequest]:
        posts = await gateway.wait_for(count, f"/intake/shop/{self.name}")
        return [RawRequest(url=one.url, headers=dict(one.headers), body=one.body) for one in posts]

    async def delivered(self, source, gateway, count: int) -> list[Delivery]:
        found = []
        for request in await self.requests(gateway, count):
            await source.verify(request)
            found += source.deliveries(request)
        return found

    async def test_a_post_whose_proof_is_changed_is_not_believed(self, source, http, gateway):
        await self.happen(http, ShopDeed.PLACE)
        (request,) = await self.requests(gateway, 1)
        with pytest.raises(BadSignature):
            await source.verify(self.forged(request))

    def forged(self, request: RawRequest) -> RawRequest:
        return request.model_copy(update={"body": request.body.replace(b"AB-100", b"ZZ-999")})
