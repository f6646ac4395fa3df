"""What buyers and vendors write is in no error of ours, its causes, or a log: Temporal keeps them for long."""

import copy
import json
import logging
import random
import traceback
from collections.abc import Iterator, Mapping, Sequence

import pytest
from pydantic import JsonValue
from structlog.testing import capture_logs

from orderack.errors import OrderAckError
from orderack.ports import Answers, Checks, Delivery, Fetches, Looks, Skipped, Source
from tests.conformance.peer import Answer, json_answer
from tests.conformance.source import NOW
from tests.gateway.source_suites import SUITES
from tests.payloads import payload
from tests.sources.test_hostile_ids import TOKEN, answered, asked

MARK = "Zyxwvut-Markwort"
KEYS = ("shpat_0123456789abcdef0123456789abcdef", "Atzr|IwEBIA0123456789abcdefghij", "v^1.1#i^1#r^1#f^0#I^3#p^3#t^Ul4")
"""As vendors repeat them."""
ADDRESS, PHONE = "ada.zyxwvut@example.com", "+15005550006"
BODIES: Mapping[str, tuple[str, bytes]] = {
    "shopify": ("orders/updated", payload("shopify/order_paid.json")),
    "woocommerce": ("order.updated", payload("woocommerce/order_processing.json")),
    "magento": ("order", payload("magento/order.json")),
    "ebay": ("order", payload("ebay/order.json")),
    "amazon": ("order", payload("amazon/order.json")),
    "amazon_vendor_df": ("order", payload("amazon/purchase_order.json")),
    "walmart": ("order", payload("walmart/us_order.json")),
    "form": ("order", SUITES["form"].body),
    "ai_phone": ("call", SUITES["ai_phone"].body),
    "bigcommerce": ("store/order/created", payload("bigcommerce/webhook.json")),
    "zoho_deal": ("order", SUITES["zoho_deal"].body),
    "hubspot_deal": ("order", SUITES["hubspot_deal"].body),
    "salesforce_deal": ("order", SUITES["salesforce_deal"].body),
}
BENT: Sequence[JsonValue] = (
    MARK,
    [MARK],
    {"x": MARK},
    MARK * 300,
    f"{MARK}\u0000",
    f"9{MARK}",
    f"2026-13-45T{MARK}",
    "-1e9",
)
Path = tuple[str | int, ...]


def leaves(tree: JsonValue, path: Path = ()) -> Iterator[Path]:
    if path:
        yield path
    inner = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in inner:
        yield from leaves(value, (*path, key))


def bent(tree: JsonValue, path: Path, value: JsonValue) -> JsonValue:
    """With this there, and the mark in every other text beside it."""
    made = copy.deepcopy(tree)
    at = made
    for step in path[:-1]:
        at = at[step]  # type: ignore[index]
    at[path[-1]] = value  # type: ignore[index]
    return made


def shown(error: BaseException) -> str:
    """All that anybody may see of it: its words, and those of what caused it."""
    return f"{error!r}{vars(error)}{''.join(traceback.format_exception(error))}"


@pytest.mark.parametrize("name", sorted(BODIES))
async def test_no_value_of_a_buyers_is_in_what_is_said_of_a_bad_order(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    topic, raw = BODIES[name]
    tree = json.loads(raw)
    every = [(path, value) for path in leaves(tree) for value in BENT]
    some = random.Random(5).sample(every, min(len(every), 250))
    refused = 0
    async with SUITES[name]().made() as source:
        with capture_logs() as logs:
            for path, value in some:
                text = json.dumps(bent(tree, path, value))
                said = await refusal(source, Delivery(id="1", topic=topic, body=text))
                refused += bool(said)
                assert "yxwvut" not in said, path
    assert "yxwvut" not in f"{logs}{caplog.text}"
    assert refused or len(every) < 100


async def refusal(source: Source, delivery: Delivery) -> str:
    try:
        await source.read(delivery)
    except OrderAckError as error:
        return shown(error)
    return ""


def answers(secrets: Sequence[str]) -> Iterator[Answer]:
    """A vendor's no, with the buyer's data and our own secrets wherever it puts words."""
    words = f"no such buyer {ADDRESS} {PHONE} with the key {' '.join(secrets)}"
    said: dict[str, JsonValue] = {
        **dict.fromkeys(("message", "error_description", "detail", "title", "status", "category", "name"), words),
        **dict.fromkeys(("error", "code", "errorCode", "reason"), words),
        "errors": [dict.fromkeys(("message", "code", "errorCode", "description", "longMessage", "field"), words)],
        "extensions": {"code": words},
    }
    forms: tuple[JsonValue, ...] = (said, [said], {"error": said}, {"data": [said | {"status": "error"}]})
    forms = (*forms, {"errors": [{"message": words, "extensions": {"code": words}}]}, {"errors": {"error": [said]}})
    for status in (200, 400, 403, 422):
        for form in forms:
            yield json_answer(status, form)
        yield Answer(status, words.encode(), {"Content-Type": "text/plain"})


async def everything(source: Source) -> Sequence[str]:
    """What can be asked of it, and what is said of its failing."""
    said = []
    calls = [
        *([source.fetch("1234567890"), source.fetch("006xx0000000001AAA")] if isinstance(source, Fetches) else []),
        *([source.look("", NOW)] if isinstance(source, Looks) else []),
        *(
            [answered(source, "1234567890"), answered(source, "006xx0000000001AAA")]
            if isinstance(source, Answers)
            else []
        ),
        *([source.check()] if isinstance(source, Checks) else []),
    ]
    for call in calls:
        try:
            found = await call
        except OrderAckError as error:
            said.append(shown(error))
        except OSError:
            continue
        else:
            said.append(
                str([one.why for one in found if isinstance(one, Skipped)] if isinstance(found, list | tuple) else "")
            )
    return said


@pytest.mark.parametrize("name", sorted(name for name in SUITES if not name.endswith("_inbound") and name != "imap"))
async def test_no_vendors_no_repeats_a_buyers_address_or_a_secret_of_ours(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    secrets = (*KEYS, *SUITES[name].secrets, str(TOKEN["access_token"]))
    with capture_logs() as logs:
        async with asked(name, Answer(500)) as (source, peer):
            signs_in = peer.aside
            for place, answer in enumerate(answers(KEYS)):
                peer.will(answer)
                peer.aside = signs_in if place % 3 else None
                said = " ".join(await everything(source))
                assert not [word for word in (ADDRESS, PHONE, *secrets) if word in said], answer
    written = f"{logs}{caplog.text}"
    assert not [word for word in (ADDRESS, PHONE, *secrets) if word in written]
