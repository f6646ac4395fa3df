"""Every WooCommerce sample beside the checkout, against the vendor's own total."""

import json
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType

from pydantic import SecretStr

from orderack.ports import Connection, Delivery, Source
from orderack.sources.woocommerce import Woocommerce, WoocommerceSettings
from tests.conformance.source import Sample, SampleConformance

FEE = "the fixture's fee of 125.50 is not in its total"


def orders_in(body: object) -> Iterator[Mapping[str, object]]:
    """Orders as WooCommerce's answers, webhooks and batches hold them."""
    if isinstance(body, list):
        for one in body:
            yield from orders_in(one)
    elif isinstance(body, dict):
        if {"status", "billing", "line_items"} <= body.keys():
            yield body
        else:
            for name in ("data", "create", "update", "delete"):
                yield from orders_in(body.get(name))


class TestWoocommerceSamples(SampleConformance):
    folder = "woocommerce"
    off = MappingProxyType(
        {
            "ios_order.json #963": FEE,
            "ios_order-auto-draft-status.json #963": FEE,
            "ios_orders-load-all.json #963": FEE,
        }
    )

    def source(self) -> Source:
        secret = SecretStr("x")
        settings = WoocommerceSettings(
            base_url="http://127.0.0.1:9", consumer_key=secret, consumer_secret=secret, webhook_secret=secret
        )
        return Woocommerce(Connection(store="shop", system="woocommerce", source="shop"), settings)

    def samples(self, path: Path) -> Sequence[Sample] | str:
        if path.suffix != ".json":
            return "not valid JSON, as its name says"
        found = list(orders_in(json.loads(path.read_text())))
        return [
            Sample(
                name=f"{path.name} #{order['id']}",
                delivery=Delivery(id=f"{path.name}/{index}", topic="order.updated", body=json.dumps(order)),
                total=Decimal(str(order["total"])),
            )
            for index, order in enumerate(found)
        ] or "no order in it"

    async def test_an_order_wrapped_in_data_is_read_as_it_is(self) -> None:
        """As WordPress.com's proxy answers; made of a body of our own, so that it holds without the samples."""
        body = json.loads((Path(__file__).parents[1] / "payloads/woocommerce/order_processing.json").read_text())
        source = self.source()
        plain, wrapped = [
            await source.read(Delivery(id="1", topic="order.updated", body=json.dumps(one)))
            for one in (body, {"data": body})
        ]
        assert plain == wrapped
        await source.aclose()
