"""An account of Zoho CRM with a deal that is won, and the source that asks it."""

import json
from collections.abc import Mapping
from urllib.parse import unquote, urlsplit

from pydantic import JsonValue

from orderack.ports import Connection, RawRequest, Snapshot
from orderack.sources.zoho_deal import ZohoDeals, ZohoDealSettings
from tests.conformance.peer import Answer, Peer, Reaction, Received, json_answer, running_peer
from tests.conformance.source import NOW

ID, ORDER_ID = "4150868000000700001", "4150868000000800001"
SECRET, NOTIFY = "header-secret-of-ours", "token-of-the-subscription"
SECRETS = ("secret-of-the-client", "1000.refresh-for-ever", SECRET, NOTIFY)
CONNECTION = Connection(
    store="shop",
    system="zoho_deal",
    source="crm",
    country="DE",
    time_zone="Europe/Berlin",
    fields={"Liefertermin": "date", "Gravur": "design", "Extras": "instructions"},
)
TOKEN = json_answer(200, {"access_token": "1000.token-of-an-hour", "expires_in": 3600})
DEAL: dict[str, JsonValue] = {
    "id": ID, "Deal_Name": "Lampen", "Stage": "Closed Won", "Amount": 107.1, "Currency": "EUR",
    "Modified_Time": "2026-11-21T10:29:00+01:00", "Closing_Date": "2026-11-21", "Description": "vormittags",
    "Account_Name": {"name": "Example GmbH", "id": "4150868000000100001"},
    "Contact_Name": {"name": "Ada Exämple", "id": "4150868000000200001"},
    "Liefertermin": "2026-12-01", "Zahlungsziel": "net 14", "PO": None, "Extras": ["Karte", "Schleife"],
}  # fmt: skip
LAMP: dict[str, JsonValue] = {
    "id": "4150868000000800011",
    "Product_Name": {"Product_Code": "LMP-1", "name": "Lampe", "id": "4150868000000300001"},
    "Quantity": 2, "List_Price": 45, "Total": 90, "Discount": 10, "Total_After_Discount": 80, "Tax": 15.2,
    "Line_Tax": [{"percentage": 19, "name": "USt", "id": "1", "value": 15.2}], "Net_Total": 95.2,
    "Description": "warmweiß",
}  # fmt: skip
SHADE: dict[str, JsonValue] = {
    "id": "4150868000000800012", "Product_Name": {"Product_Code": None, "name": "Schirm", "id": "4150868000000300002"},
    "Quantity": 1, "List_Price": 10, "Total": 10, "Discount": 0, "Total_After_Discount": 10, "Tax": 1.9,
    "Net_Total": 11.9, "Description": None,
}  # fmt: skip
SOLD: dict[str, JsonValue] = {
    "id": ORDER_ID, "Subject": "Lampen", "SO_Number": "771", "Status": "Created", "Currency": "EUR",
    "Modified_Time": "2026-11-21T10:20:00+01:00", "Deal_Name": {"name": "Lampen", "id": ID}, "Purchase_Order": "B-77",
    "Ordered_Items": [LAMP, SHADE], "Sub_Total": 107.1, "Discount": 0, "Tax": 0, "Adjustment": 0, "Grand_Total": 107.1,
    "Shipping_Street": "Musterweg 1", "Shipping_City": "Berlin", "Shipping_State": None, "Shipping_Code": "10115",
    "Shipping_Country": "Germany", "Billing_Street": None, "Gravur": "A. E.",
}  # fmt: skip
ACCOUNT: dict[str, JsonValue] = {
    "id": "4150868000000100001", "Account_Name": "Example GmbH", "Phone": "030 5550006",
    "Billing_Street": "Postfach 7", "Billing_City": "Berlin", "Billing_Code": "10115", "Billing_Country": "DE",
}  # fmt: skip
CONTACT: dict[str, JsonValue] = {
    "id": "4150868000000200001", "Full_Name": "Ada Exämple", "Email": "ada@example.com", "Phone": None, "Mobile": None,
    "Mailing_Street": "Privatweg 2", "Mailing_City": "Potsdam",
}  # fmt: skip


def zoho(base_url: str = "http://127.0.0.1:9", **more: object) -> ZohoDeals:
    settings = ZohoDealSettings.model_validate(
        {
            "client_id": "1000.client",
            "client_secret": "secret-of-the-client",
            "refresh_token": "1000.refresh-for-ever",
            "webhook_secret": SECRET,
            "notify_token": NOTIFY,
            "terms_field": "Zahlungsziel",
            "purchase_order_field": "PO",
            "base_url": base_url,
            "login_url": base_url,
        }
        | more
    )
    return ZohoDeals(CONNECTION, settings, "ORDERACK_SOURCE_SHOP_ZOHO_DEAL_", clock=lambda: NOW)


def posted(body: bytes, **headers: str) -> RawRequest:
    return RawRequest(url="https://orders.example.com/intake/shop/zoho_deal", headers=headers, body=body)


def told(**more: JsonValue) -> bytes:
    return json.dumps({"module": "Deals", "ids": [ID], "time": "2026-11-21 10:29:00"} | more).encode()


def one(record: JsonValue) -> Answer:
    return json_answer(200, {"data": [record]})


class Account:
    """Records by path; what is not there is a 204. `asked`: each request but the sign-ins."""

    def __init__(self, peer: Peer, records: Mapping[str, JsonValue]) -> None:
        self.records = dict(records)
        self.asked: list[Received] = []
        self.tokens = 0
        self.before: list[Reaction] = []
        """Said instead, first."""
        peer.aside = self

    def __call__(self, request: Received) -> Reaction:
        path = unquote(urlsplit(request.target).path)
        if path == "/oauth/v2/token":
            self.tokens += 1
            return TOKEN
        self.asked.append(request)
        if self.before:
            return self.before.pop(0)
        found = self.records.get(path.removeprefix("/crm/v8/"))
        return (
            Answer(204) if found is None else json_answer(200, {"data": found if isinstance(found, list) else [found]})
        )


WHOLE: Mapping[str, JsonValue] = {
    f"Deals/{ID}": DEAL,
    f"Deals/{ID}/SalesOrders": [{"id": ORDER_ID, "Status": "Created"}],
    f"Sales_Orders/{ORDER_ID}": SOLD,
    "Accounts/4150868000000100001": ACCOUNT,
    "Contacts/4150868000000200001": CONTACT,
}


def with_(path: str, **changes: JsonValue) -> dict[str, JsonValue]:
    record = WHOLE[path]
    assert isinstance(record, dict)
    return {**WHOLE, path: {**record, **changes}}


async def fetched(records: Mapping[str, JsonValue] = WHOLE, external_id: str = ID, **more: object) -> Snapshot:
    async with running_peer() as peer:
        Account(peer, records)
        source = zoho(peer.url, **more)
        (reading,) = await source.fetch(external_id)
        await source.aclose()
    assert isinstance(reading, Snapshot), reading
    return reading
