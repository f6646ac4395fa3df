"""What the tests of the marketplaces' look-alikes share: one order, and a source set up by the sandbox alone."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from importlib import import_module

from orderack.domain.order import Order, PaymentStatus
from orderack.embedded.sandbox import Sandbox
from orderack.embedded.sandbox.look_alike import LookAlike
from orderack.ports import Connection, RawRequest, Source
from orderack.registry import build_sources
from tests.embedded.sandbox.conftest import Received

ORDER = Order.model_validate(
    {
        "store": "shop",
        "number": "302-0000001-0000007",
        "source": "market",
        "trigger_at": "2026-11-21T09:30:00Z",
        "customer": {"id": "ada_example", "name": "Ada Exämple"},
        "contacts": {"email": "ada@example.com", "phone": "+15005550006"},
        "lines": [
            {"line_id": "1", "sku": "KET", "description": "Kettle ☕", "quantity": "3", "unit_price": "19.99"},
            {"line_id": "2", "sku": "MUG", "quantity": "1", "unit_price": "12.50", "discount": "3"},
        ],
        "delivery_address": {
            "name": "Ada Exämple", "street": "1 Sample Street", "street2": "Flat 2", "city": "Springfield",
            "region": "IL", "postal_code": "62701", "country": "US",
        },
        "delivery_window": {"start": "2026-11-23T00:00:00Z", "end": "2026-11-27T00:00:00Z"},
        "payment": {"status": "confirmed", "terms": "prepaid by CreditCard", "method": "CreditCard"},
        "currency": "USD",
        "instructions": "Ring twice",
        "totals": {"discount": "3", "tax": "5.28", "shipping": "6", "fees": "0.75", "total": "81.50"},
    }
)  # fmt: skip


SAME = (
    "number",
    "delivery_address",
    "delivery_window",
    "contacts",
    "currency",
    "payment",
    "trigger_at",
    "instructions",
)
"""What has to come through whole everywhere."""
PENDING = ORDER.model_copy(update={"payment": ORDER.payment.model_copy(update={"status": PaymentStatus.PENDING})})


@asynccontextmanager
async def connected(name: str, sandbox: Sandbox, monkeypatch, **settings: str) -> AsyncIterator[Source]:
    """The source of a store whose settings are the sandbox's, but for those given."""
    prefix = f"ORDERACK_SOURCE_SHOP_{name.upper()}_"
    own: Mapping[str, str] = {f"{prefix}{field.upper()}": value for field, value in settings.items()}
    for variable, value in {**sandbox.connections([f"shop/{name}"]), **own}.items():
        monkeypatch.setenv(variable, value)
    connection = Connection(store="shop", system=name, source="market")
    spec = import_module(f"orderack.sources.{name}").SOURCE
    source = build_sources({name: spec}, [connection])[f"shop/{name}"]
    try:
        yield source
    finally:
        await source.aclose()


def vendor_of(sandbox: Sandbox, name: str) -> LookAlike:
    return next(one for one in sandbox.vendors if one.source == name)


def raw(received: Received) -> RawRequest:
    return RawRequest(method=received.method, url=received.url, headers=dict(received.headers), body=received.body)
