"""The Adobe Commerce shop in the sandbox: the adapter, set up by the sandbox's settings alone, gets along with it."""

from typing import ClassVar

from orderack.embedded.sandbox import Target
from orderack.sources.magento import SOURCE
from tests.embedded.sandbox.storefront_suite import StorefrontSuite


class TestMagentoShop(StorefrontSuite):
    system = "magento"
    spec = SOURCE
    target = Target.MAGENTO
    secret = "access_token"
    fields: ClassVar = {"option 2": "dietary", "option 3": "design"}

    async def test_a_stranger_and_a_comment_that_would_be_a_mail_are_seen(self, http, sandbox):
        assert (await http.get("/magento/rest/V1/orders/1")).status_code == 401
        (token,) = (
            value for name, value in sandbox.connections(["shop/magento"]).items() if name.endswith("ACCESS_TOKEN")
        )
        login = {"Authorization": f"Bearer {token}"}
        assert (await http.get("/magento/rest/V1/orders/1", headers=login)).status_code == 404
        await self.happen(http, "place")
        history = {"comment": "Hello", "is_customer_notified": 1, "is_visible_on_front": 1, "parent_id": 1}
        path = "/magento/rest/V1/orders/1/comments"
        assert (await http.post(path, headers=login, json={"statusHistory": history})).json() is True
        assert sandbox.state.outbox.find("ada@example.com", Target.MAGENTO)
        del history["is_visible_on_front"]
        assert (await http.post(path, headers=login, json={"statusHistory": history})).status_code == 400
