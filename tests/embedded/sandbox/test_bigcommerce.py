"""The BigCommerce store in the sandbox: the adapter, set up by the sandbox's settings alone, gets along with it."""

from orderack.embedded.sandbox import Target
from orderack.sources.bigcommerce import SOURCE
from tests.embedded.sandbox.storefront_suite import StorefrontSuite


class TestBigCommerceStore(StorefrontSuite):
    system = "bigcommerce"
    spec = SOURCE
    target = Target.BIGCOMMERCE
    secret = "access_token"

    async def test_a_stranger_and_a_second_metafield_are_answered_in_bigcommerce_words(self, http, sandbox):
        assert (await http.get("/bigcommerce/stores/sandbox1/v2/orders")).status_code == 401
        (token,) = (
            value for name, value in sandbox.connections(["shop/bigcommerce"]).items() if name.endswith("ACCESS_TOKEN")
        )
        login = {"X-Auth-Token": token, "Accept": "application/json"}
        assert (await http.get("/bigcommerce/stores/sandbox1/v2/orders", headers=login)).status_code == 204
        missing = await http.get("/bigcommerce/stores/sandbox1/v2/orders/5", headers=login)
        assert missing.status_code == 404
        assert missing.json()[0]["message"]
