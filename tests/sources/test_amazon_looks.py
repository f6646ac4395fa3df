"""Amazon: notifications, looks and fetches."""

import asyncio
import json
from collections.abc import Mapping
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from pydantic import JsonValue

from orderack.errors import BadSignature, Misconfigured, Refused, Unavailable
from orderack.ports import Delivery, Hint, RawRequest, Skipped, Snapshot
from orderack.sources.amazon import ORDERS, Amazon, AmazonSettings
from tests import sns_topic
from tests.conformance.peer import Reaction, Received, json_answer, running_peer
from tests.conformance.source import NOW, SPECS
from tests.sources import test_amazon
from tests.sources.amazon_bodies import CHANGE, CONNECTION, ORDER, SECRETS, TOKEN, amazon, changed

# -- notifications --------------------------------------------------------------------------------------------------


async def test_a_notification_is_a_hint_by_its_own_id_and_so_is_what_eventbridge_wraps() -> None:
    source = test_amazon.TestAmazon().make()
    wrapped = json.dumps({"version": "0", "detail-type": "ORDER_CHANGE", "detail": json.loads(CHANGE)})
    for message in (CHANGE, wrapped):
        (delivery,) = source.deliveries(test_amazon.TestAmazon().signed(message.encode()))
        assert delivery.id == "d0e9e693-0000-0000-0000-000000000001"
        assert await source.read(delivery) == [Hint(external_id="302-0000001-0000007")]
    await source.aclose()


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [('"MFN"', '"AFN"', "AFN"), ('"ORDER_CHANGE"', '"FEED_PROCESSING_FINISHED"', "another type")],
)
async def test_a_notification_that_is_not_about_our_orders_is_skipped(old: str, new: str, why: str) -> None:
    source = amazon()
    (found,) = await source.read(Delivery(id="1", topic="ORDER_CHANGE", body=CHANGE.replace(old, new)))
    assert isinstance(found, Skipped)
    assert why in found.why
    await source.aclose()


async def test_without_a_topic_nothing_that_is_posted_is_believed() -> None:
    settings = amazon()._settings.model_copy(update={"sns_topic_arn": None})
    source = Amazon(CONNECTION, settings, clock=lambda: NOW)
    with pytest.raises(BadSignature, match="no SNS topic"):
        await source.verify(test_amazon.TestAmazon().signed(CHANGE.encode()))
    assert await source.greet(test_amazon.TestAmazon().signed(CHANGE.encode())) is None
    await source.aclose()


async def test_a_subscription_is_confirmed_at_sns_alone() -> None:
    async with running_peer() as peer:
        source = amazon(sns_base_url=peer.url)
        source._sns._certificates[sns_topic.CERTIFICATE] = sns_topic.certificate(NOW)
        url = f"{peer.url}/?Action=ConfirmSubscription&TopicArn={sns_topic.TOPIC}&Token=2336412f37"
        cert = f"{peer.url}{sns_topic.CERTIFICATE}"
        peer.will(json_answer(200, {}))
        body = sns_topic.confirmation(NOW, url, SigningCertURL=cert)
        request = RawRequest(url="https://shop.example", headers={}, body=body)
        assert await source.greet(request) is not None
        assert len(peer.received) == 1
        elsewhere = sns_topic.confirmation(NOW, "https://evil.example/?Action=ConfirmSubscription", SigningCertURL=cert)
        with pytest.raises(BadSignature):
            await source.greet(request.model_copy(update={"body": elsewhere}))
        assert len(peer.received) == 1
        await source.aclose()


# -- looking and fetching -------------------------------------------------------------------------------------------


def described(request: object) -> None:
    """The request is one that Amazon describes."""
    path = SPECS / "amazon_sp_api" / "orders_2026-01-01.json"
    if path.is_file():
        known = json.loads(path.read_bytes())
        operation = known["paths"][ORDERS]["get"]
        asked = parse_qs(urlsplit(request.target).query)
        names = {one["name"]: one for one in operation["parameters"]}
        assert asked.keys() <= names.keys()
        for name in ("fulfillmentStatuses", "fulfilledBy", "includedData"):
            assert set(asked[name][0].split(",")) <= set(names[name]["items"]["enum"])
        assert len({"createdAfter", "lastUpdatedAfter"} & asked.keys()) == 1


async def test_a_look_goes_page_by_page_and_the_same_state_is_the_same_delivery() -> None:
    async with running_peer() as peer:
        source = amazon(peer.url)
        peer.will(
            TOKEN,
            json_answer(200, {"orders": [ORDER], "pagination": {"nextToken": "page+2="}}),
            json_answer(200, {"orders": [changed("lastUpdatedTime", "2026-11-21T09:10:00Z")], "pagination": {}}),
            json_answer(200, {"orders": []}),
        )
        first = await source.look("", NOW)
        second = await source.look(first.cursor, NOW)
        third = await source.look(second.cursor, NOW + timedelta(minutes=3))
        await source.aclose()
    assert [one.id.partition("#")[0] for one in first.deliveries] == ["302-0000001-0000007@2026-11-21T09:00:00Z"]
    assert [one.id.partition("#")[0] for one in second.deliveries] == ["302-0000001-0000007@2026-11-21T09:10:00Z"]
    assert (first.more, second.more, third.more) == (True, False, False)
    asked = [parse_qs(urlsplit(one.target).query) for one in peer.received[1:]]
    assert asked[0]["lastUpdatedAfter"] == ["2026-11-20T09:30:00Z"]
    assert asked[1]["paginationToken"] == ["page+2="]
    assert asked[1]["lastUpdatedAfter"] == asked[0]["lastUpdatedAfter"]
    assert asked[2]["lastUpdatedAfter"] == ["2026-11-21T09:25:00Z"]
    assert "paginationToken" not in asked[2]
    assert {one.headers["x-amz-access-token"] for one in peer.received[1:]} == {"Atza|token"}
    for one in peer.received[1:]:
        described(one)
    assert parse_qs(peer.received[0].body.decode())["grant_type"] == ["refresh_token"]


async def test_a_page_that_names_itself_as_the_next_ends_the_look() -> None:
    page = json_answer(200, {"orders": [ORDER], "pagination": {"nextToken": "again"}})
    async with running_peer() as peer:
        source = amazon(peer.url)
        peer.will(TOKEN, page, page)
        first = await source.look("", NOW)
        second = await source.look(first.cursor, NOW)
        await source.aclose()
    assert (first.more, second.more) == (True, False)


async def test_a_request_that_hears_late_that_its_token_is_denied_takes_nobodys_new_one_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    signed_in: list[Received] = []
    expired, heard, go_on = 0, asyncio.Event(), asyncio.Event()

    def answer(request: Received) -> Reaction:
        if request.target == "/auth/o2/token":
            signed_in.append(request)
            return json_answer(200, {"access_token": f"Atza|{len(signed_in)}", "expires_in": 3600})
        known = request.headers["x-amz-access-token"] == f"Atza|{expired + 1}"
        return json_answer(200, {"order": ORDER}) if known else json_answer(403, {"errors": []})

    async with running_peer() as peer:
        source, peer.aside = amazon(peer.url), answer
        await source.fetch("1")
        expired, send = 1, source._partner.reads.send

        async def sent_late(*wanted: str, **more: object) -> httpx.Response:
            response = await send(*wanted, **more)
            if not heard.is_set():
                heard.set()
                await go_on.wait()
            return response

        monkeypatch.setattr(source._partner.reads, "send", sent_late)
        slow = asyncio.create_task(source.fetch("1"))
        await heard.wait()
        await source.fetch("1")
        go_on.set()
        await slow
        await source.aclose()
    assert len(signed_in) == 2


async def test_a_page_that_has_expired_begins_the_window_anew() -> None:
    bad: JsonValue = {"errors": [{"code": "InvalidInput", "message": "Invalid paginationToken"}]}
    async with running_peer() as peer:
        source = amazon(peer.url)
        peer.will(TOKEN, json_answer(200, {"orders": [], "pagination": {"nextToken": "p2"}}), json_answer(400, bad))
        first = await source.look("", NOW)
        second = await source.look(first.cursor, NOW + timedelta(days=2))
        assert (second.more, second.deliveries) == (False, ())
        assert "2026-11-20T09:30" in second.cursor
        with pytest.raises(Refused, match="InvalidInput"):
            await source.look(second.cursor, NOW)
        await source.aclose()


async def test_its_rate_says_when_it_may_be_asked_again() -> None:
    async with running_peer() as peer:
        source = amazon(peer.url)
        peer.will(TOKEN, json_answer(429, {"errors": []}, {"x-amzn-RateLimit-Limit": "0.0056"}))
        with pytest.raises(Unavailable) as caught:
            await source.look("", NOW)
        assert caught.value.retry_after is not None
        assert caught.value.retry_after.total_seconds() == pytest.approx(178.57, abs=0.1)
        await source.aclose()


async def test_a_token_that_has_expired_is_renewed_once_and_a_missing_role_is_ours_to_mend() -> None:
    denied = json_answer(
        403, {"errors": [{"code": "Unauthorized", "message": "Access to requested resource is denied."}]}
    )
    async with running_peer() as peer:
        source = amazon(peer.url)
        peer.will(TOKEN, denied, TOKEN, json_answer(200, {"order": ORDER}), denied, TOKEN, denied)
        (found,) = await source.fetch("302-0000001-0000007")
        assert isinstance(found, Snapshot)
        with pytest.raises(Misconfigured, match="ORDERACK_SOURCE_SHOP_AMAZON_CLIENT_ID") as caught:
            await source.fetch("302-0000001-0000007")
        assert not any(secret in str(caught.value) for secret in (*SECRETS, "Atza|token"))
        await source.aclose()


async def test_an_order_that_amazon_does_not_have_is_skipped() -> None:
    async with running_peer() as peer:
        source = amazon(peer.url)
        peer.will(TOKEN, json_answer(404, {"errors": [{"code": "NotFound", "message": "none"}]}))
        (found,) = await source.fetch("../302")
        assert isinstance(found, Skipped)
        assert peer.received[-1].target.startswith(f"{ORDERS}/..%2F302?includedData=")
        await source.aclose()


@pytest.mark.parametrize(
    ("field", "value"),
    [("base_url", "http://amazon.example"), ("marketplace_ids", "a b"), ("region", "xx"), ("client_id", "a\nb")],
)
def test_settings_that_cannot_be_right_are_refused(field: str, value: str) -> None:
    good: Mapping[str, str] = {
        "client_id": "c",
        "client_secret": "s",
        "refresh_token": "r",
        "marketplace_ids": "ATVPDKIKX0DER",
    }
    AmazonSettings(_env_file=None, **good)
    with pytest.raises(ValueError, match=field):
        AmazonSettings(_env_file=None, **{**good, field: value})
