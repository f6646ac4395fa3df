"""Values as payloads: small, and nothing lost."""

from decimal import Decimal

from pydantic import BaseModel
from temporalio.api.common.v1 import Payload
from temporalio.converter import PayloadCodec

from orderack.domain.order import Order
from orderack.temporal.converter import data_converter
from tests.temporal.server import now
from tests.workflows.orders import an_order


class Tally(BaseModel):
    """Mutable, as the workflow's state is."""

    marks: list[str] = []
    note: str = "none"


async def there_and_back(value: object, kind: type[object]) -> object:
    payloads = await data_converter().encode([value])
    return (await data_converter().decode(payloads, [kind]))[0]


async def test_an_order_comes_back_equal_with_the_same_content_hash() -> None:
    order = an_order("1", now())
    back = await there_and_back(order, Order)
    assert isinstance(back, Order)
    assert back == order
    assert back.content_hash == order.content_hash


async def test_fields_that_were_never_set_are_not_written() -> None:
    (payload,) = await data_converter().encode([an_order("1", now())])
    assert b"partner_deadline" not in payload.data.replace(b'"partner_deadline":null', b"")
    assert b"billing_address" not in payload.data


async def test_what_was_appended_to_a_default_list_is_not_lost() -> None:
    tally = Tally()
    tally.marks.append("one")
    assert await there_and_back(tally, Tally) == Tally(marks=["one"])


async def test_money_keeps_its_decimals() -> None:
    assert await there_and_back(Decimal("12.50"), Decimal) == Decimal("12.50")


class Reversing(PayloadCodec):
    async def encode(self, payloads):  # type: ignore[no-untyped-def]
        return [Payload(metadata=p.metadata, data=p.data[::-1]) for p in payloads]

    decode = encode


async def test_a_codec_sees_every_payload() -> None:
    converter = data_converter(Reversing())
    (payload,) = await converter.encode(["abc"])
    assert payload.data == b'"cba"'
    assert await converter.decode([payload], [str]) == ["abc"]
