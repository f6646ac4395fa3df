"""eBay's order and our connection to it, for its tests."""

import copy
import json
from datetime import datetime

from pydantic import JsonValue

from orderack.ports import Connection
from orderack.sources.ebay import Ebay, EbaySettings
from tests.conformance.peer import json_answer
from tests.conformance.source import NOW
from tests.payloads import payload

CONNECTION = Connection(store="shop", system="ebay", source="shop", country="US")


ORDER = json.loads(payload("ebay/order.json"))


SECRETS = ("cert-id-of-tests", "v^1.1#refresh-of-tests", "verification_token_of_tests_of_40_letters")


TOKEN = json_answer(200, {"access_token": "v^1.1#token", "token_type": "Application Access Token", "expires_in": 7200})


def ebay(base_url: str = "http://127.0.0.1:9", now: datetime = NOW) -> Ebay:
    settings = EbaySettings(
        _env_file=None,
        client_id="Example-orderack-PRD-1",
        client_secret=SECRETS[0],
        refresh_token=SECRETS[1],
        verification_token=SECRETS[2],
        base_url=base_url,
    )
    clock = [now]
    source = Ebay(CONNECTION, settings, "ORDERACK_SOURCE_SHOP_EBAY_", clock=lambda: clock[0])
    source.test_clock = clock
    return source


def changed(path: str, value: JsonValue) -> dict[str, JsonValue]:
    body = copy.deepcopy(ORDER)
    *way, last = path.split(".")
    at = body
    for step in way:
        at = at[int(step)] if step.isdigit() else at[step]
    at[int(last) if last.isdigit() else last] = value
    return body
