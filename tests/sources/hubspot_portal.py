"""A deal of HubSpot's that is won, with all that it is associated with, and the source that asks for it."""

import base64
import hashlib
import hmac
from datetime import datetime

from orderack.ports import Connection, RawRequest, Snapshot
from orderack.sources.hubspot_deal import HubspotDeal, HubspotDealSettings
from tests.conformance.peer import Answer, json_answer, running_peer
from tests.conformance.source import NOW

URL = "https://orders.example.com/intake/shop/hubspot_deal"
SECRET = "client-secret-of-the-app"
CONNECTION = Connection(
    store="shop",
    system="hubspot_deal",
    source="crm",
    country="DE",
    time_zone="Europe/Berlin",
    fields={"wunschtermin": "date", "gravur": "design"},
)
EVENT = {
    "eventId": 100, "subscriptionId": 1234, "portalId": 62515, "appId": 98765, "occurredAt": 1795253400000,
    "subscriptionType": "deal.propertyChange", "attemptNumber": 0, "objectId": 9007199254740993,
    "propertyName": "dealstage", "propertyValue": "closedwon", "changeSource": "CRM",
}  # fmt: skip
DEAL = {
    "id": "9007199254740993",
    "properties": {
        "amount": "107.10", "closedate": "2026-11-21T09:00:00Z", "deal_currency_code": "EUR", "dealname": "Ada: Lampen",
        "dealstage": "closedwon", "description": "<p>Bitte <b>vormittags</b></p>",
        "hs_lastmodifieddate": "2026-11-21T09:29:00.123Z", "hs_v2_date_entered_closedwon": "2026-11-21T09:28:00Z",
        "wunschtermin": "2026-12-01", "zahlungsziel": "net 14", "po": "B-77",
    },
    "associations": {
        "line items": {"results": [{"id": "1", "type": "deal_to_line_item"}, {"id": "2", "type": "deal_to_line_item"}]},
        "contacts": {"results": [{"id": "51", "type": "deal_to_contact"}]},
        "companies": {"results": [{"id": "71", "type": "deal_to_company"}]},
    },
}  # fmt: skip
LINES = [
    {"id": "2", "properties": {"name": "Schirm", "quantity": "1", "price": "10", "amount": "10.00", "hs_sku": None,
                               "hs_product_id": "900", "hs_tax_amount": "1.90", "hs_total_discount": None}},
    {"id": "1", "properties": {"name": "Lampe", "quantity": "2", "price": "45", "amount": "80.00", "hs_sku": "LMP-1",
                               "hs_tax_amount": "15.20", "hs_total_discount": "10.00", "description": "warmweiß"}},
]  # fmt: skip
CONTACT = {"id": "51", "properties": {"email": "ada@example.com", "firstname": "Ada", "lastname": "Exämple",
                                      "phone": "030 5550006", "hs_language": "de"}}  # fmt: skip
COMPANY = {"id": "71", "properties": {"name": "Example GmbH", "address": "Musterweg 1", "city": "Berlin",
                                      "zip": "10115", "country": "Germany"}}  # fmt: skip


def hubspot(base_url: str = "http://127.0.0.1:9", **more: object) -> HubspotDeal:
    settings = HubspotDealSettings(
        token="pat-eu1-secret",
        client_secret=SECRET,
        terms_property="zahlungsziel",
        purchase_order_property="po",
        base_url=base_url,
        **more,
    )
    return HubspotDeal(CONNECTION, settings, "ORDERACK_SOURCE_SHOP_HUBSPOT_DEAL_", clock=lambda: NOW)


def signed(body: bytes, at: datetime = NOW, url: str = URL, key: str = SECRET) -> RawRequest:
    stamp = str(int(at.timestamp() * 1000))
    digest = hmac.new(key.encode(), b"POST" + url.encode() + body + stamp.encode(), hashlib.sha256).digest()
    headers = {
        "x-hubspot-signature-v3": base64.b64encode(digest).decode(),
        "x-hubspot-request-timestamp": stamp,
    }
    return RawRequest(url=url, headers=headers, body=body)


def whole(deal: dict = DEAL) -> list[Answer]:
    results = ({"results": LINES}, {"results": [CONTACT]}, {"results": [COMPANY]})
    return [json_answer(200, deal), *(json_answer(200, one) for one in results)]


def changed(**properties: object) -> dict:
    return {**DEAL, "properties": {**DEAL["properties"], **properties}}


async def fetched(*answers: Answer, **more: object) -> Snapshot:
    async with running_peer() as peer:
        source = hubspot(peer.url, **more)
        peer.will(*answers)
        (reading,) = await source.fetch("9007199254740993")
        await source.aclose()
    assert isinstance(reading, Snapshot)
    return reading
