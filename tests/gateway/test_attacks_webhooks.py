"""Reports in a vendor's name: forged, replayed, old, bent, huge. Refused, or recorded once as what they are."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from urllib.parse import urlencode

import pytest
from sqlalchemy import func, select

from orderack.domain.acknowledgement import Kind
from orderack.domain.evidence import EvidenceEvent, Grade
from orderack.gateway.requests import MAX_BYTES
from orderack.ledger.tables import Inbox
from tests.gateway.attack_world import FORM, TOO_LONG, VENDORS, Vendor, armed, booked, click, mail, text, watched
from tests.gateway.conftest import ERP_KEY, KEY, Gateway
from tests.gateway.page_world import stored
from tests.temporal.server import now
from tests.workflows.orders import an_order

every_vendor = pytest.mark.parametrize("vendor", VENDORS.values(), ids=VENDORS)


@pytest.fixture
async def world(gateway: Gateway) -> AsyncIterator[Gateway]:
    async with armed(gateway) as found:
        yield found


async def recorded(world: Gateway) -> int:
    """Events in the inbox, announced or not; more if the order was told one twice."""
    async with world.ledger._database.read() as session:
        rows = (await session.execute(select(func.count()).select_from(Inbox))).scalar_one()
    return max(int(rows), len(world.orders.facts), len(world.orders.receipts))


# -- whose it is ------------------------------------------------------------------------------------------------------


@every_vendor
async def test_only_the_vendor_is_heard(world: Gateway, vendor: Vendor) -> None:
    good = vendor.sign(vendor.path, vendor.body, world.clock())
    name = next(key for key in good if key.endswith("signature"))
    forged = ["", "é", "\xff", "v1,", "v0=", "v1,é", "=" * 4_000, "A" * 9_000, good[name][:-1], good[name] + "="]
    forged += [good[name].swapcase(), good[name] + "\u00b2", " ", "None", "null", "0"]
    for signature in forged:
        headers = {key: value.encode("latin-1") for key, value in (good | {name: signature}).items()}
        answer = await world.http.post(vendor.path, content=vendor.body, headers=headers)
        assert answer.status_code == 401, signature[:40]
        assert vendor.body.decode() not in answer.text
    for other in VENDORS.values():
        if other is not vendor:
            stolen = other.sign(vendor.path, vendor.body, world.clock())
            assert (await world.http.post(vendor.path, content=vendor.body, headers=stolen)).status_code == 401
    assert not await recorded(world)


STAMPS = ["", "0", "-1", "1e999", "NaN", "Infinity", "١٢٣", "²", "9" * 400, "0x10", "1795253400.5", "1_000", "\u00a01"]


@every_vendor
async def test_a_time_that_is_none_is_refused(world: Gateway, vendor: Vendor) -> None:
    good = vendor.sign(vendor.path, vendor.body, world.clock())
    for name in [key for key in good if key.endswith("timestamp")]:
        for stamp in STAMPS:
            raw = {key: value.encode() for key, value in good.items()} | {name: stamp.encode()}
            answer = await world.http.post(vendor.path, content=vendor.body, headers=raw)
            assert answer.status_code == 401, stamp[:20]
    assert not await recorded(world)


@every_vendor
async def test_old_and_early_ones_are_refused_where_the_vendor_signs_a_time(world: Gateway, vendor: Vendor) -> None:
    for away in (timedelta(minutes=20), timedelta(days=400), -timedelta(minutes=20), -timedelta(days=400)):
        answer = await vendor.sends(world, at=world.clock() - away)
        assert answer.status_code == (401 if vendor.dated else vendor.taken)
    assert bool(await recorded(world)) == (not vendor.dated)


@every_vendor
async def test_the_very_same_request_is_one_event_whenever_it_comes_again(world: Gateway, vendor: Vendor) -> None:
    signed = vendor.sign(vendor.path, vendor.body, world.clock())
    first = await world.http.post(vendor.path, content=vendor.body, headers=signed)
    assert first.status_code == vendor.taken
    once = await recorded(world)
    much_later = 401 if vendor.dated else vendor.taken
    for later, status in ((timedelta(seconds=1), vendor.taken), (timedelta(minutes=20), much_later)):
        world.clock.ahead += later
        async with armed(world) as restarted:
            answer = await restarted.http.post(vendor.path, content=vendor.body, headers=signed)
        assert answer.status_code == status
    assert await recorded(world) == once


@every_vendor
@pytest.mark.parametrize("times", [30, pytest.param(100, marks=pytest.mark.long)])
async def test_many_replays_at_once_are_one_event(world: Gateway, vendor: Vendor, times: int) -> None:
    order = an_order("1001", now())
    await stored(world, order)
    await world.accepted_send(order.ref, channel="sendgrid_email")
    await world.accepted_send(order.ref, Kind.RECEIVED, channel="twilio_sms")
    body = {"/webhooks/sendgrid_email": mail(sg_message_id="p-1001"), "/webhooks/twilio_sms": text(MessageSid="p-1001")}
    signed = vendor.sign(vendor.path, content := body.get(vendor.path, vendor.body), world.clock())
    asked = (world.http.post(vendor.path, content=content, headers=signed) for _ in range(times))
    answers = await asyncio.gather(*asked)
    assert {answer.status_code for answer in answers} == {vendor.taken}
    assert await recorded(world) == 1


@every_vendor
async def test_a_cut_or_lengthened_body_is_not_what_was_signed(world: Gateway, vendor: Vendor) -> None:
    signed = vendor.sign(vendor.path, vendor.body, world.clock())
    for body in (
        vendor.body[:-1],
        vendor.body[:1],
        b"",
        vendor.body + b" x",
        vendor.body + b"\x00",
        b"\xef\xbb\xbf" + vendor.body,
    ):
        assert (await world.http.post(vendor.path, content=body, headers=signed)).status_code == 401
    assert not await recorded(world)


@every_vendor
async def test_a_signature_is_for_one_address(world: Gateway, vendor: Vendor) -> None:
    signed = vendor.sign(vendor.path, vendor.body, world.clock())
    for other in VENDORS.values():
        if other is not vendor:
            assert (await world.http.post(other.path, content=vendor.body, headers=signed)).status_code == 401
    if not vendor.dated:  # the one that signs the address
        for path in (f"{vendor.path}?orderack_key=x", f"{vendor.path}?", f"{vendor.path}%20", f"{vendor.path}/"):
            answer = await world.http.post(path, content=vendor.body, headers=signed | {"host": "evil.example"})
            assert answer.status_code in (401, 404) or path.endswith("?")
    assert await recorded(world) <= 1


# -- what a vendor that holds its secret may send ---------------------------------------------------------------------

BENT: dict[str, list[bytes]] = {
    "any": [
        *(b"", b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", b"null", b"[]", b"{}", b'""', b"NaN", b"-", b"[" * 100_000),
        *(b'{"a":' * 50_000, b"%", b"%ff%fe", b"&" * 900, b"=" * 900, b"a" * MAX_BYTES, "é".encode("utf-16")),
        *("é".encode("latin-1"), b"\xed\xa0\x80", b"\xc0\xaf", b'[{"a":"\\ud800"}]', b'{"payload":1}', b"payload=1"),
        b'--x\r\nContent-Disposition: form-data; name="MessageSid"\r\n\r\nSM1\r\n--x--\r\n',
    ],
    "twilio": [
        *(
            text(MessageStatus="\x00"),
            text(MessageSid="\x00"),
            text(MessageSid="x" * 5_000),
            text(MessageStatus="é" * 900),
        ),
        *(text(MessageSid=" "), text(ErrorCode="²"), text(From="\ud800".encode("utf-8", "replace").decode())),
        *(urlencode({"MessageSid": "SM2", "From": who, "Body": "YES"}).encode() for who in ("\x00", "+1", "x" * 4_000)),
        urlencode({"MessageSid": "SM3", "From": "+15005550006", "Body": "\u202e\u200b😀" * 5_000}).encode(),
    ],
    "sendgrid": [
        *(mail(timestamp=value) for value in (10**400, -1, 1e308, "x", None, True, [], {}, "1795253400", 253402300799)),
        *(mail(sg_event_id=value) for value in (" ", "", "\x00", "x" * 151, 7, None, [], "\n")),
        *(mail(sg_message_id=value) for value in (" ", "", ".", "\x00", "x" * 300, {"a": 1})),
        *(mail(orderack_key=value) for value in (" ", "\x00", "a/b", "//////", "x" * 1_000, 7, "demo/1/9e9/x/1/email")),
        *(mail(event=value) for value in (" ", "\x00", "open" * 20, 7, None, "DELIVERED", "delivered\n")),
        *(
            mail(event="open", ip=ip, useragent=ua)
            for ip, ua in (("x", ""), ("::1%eth0", "\x00"), ("1" * 600, "é" * 600))
        ),
        *(b'[{"event":"delivered","timestamp":1e999}]', b'[{"event":"delivered","timestamp":' + b"9" * 9_000 + b"}]"),
        *(b"[null]", b"[[]]", b"[1]", b'[{"a":NaN}]', b'[{"event":"open","event":"bounce","timestamp":1}]'),
        b'[{"x":' + b"[" * 150 + b"]" * 150 + b"}]",
    ],
    "slack": [
        *(
            click(action_ts=value)
            for value in ("", "x", "1e999", "1.1e9", "١٢٣.١", "99999999999.999999", "-1.0", 1, None)
        ),
        *(click(value=value) for value in (" ", "\x00", "x" * 2_000, "a/b", "//", 7)),
        *(click(action_id=value) for value in ("", "\x00", "é" * 255, 7)),
        *(
            urlencode({"payload": value}).encode()
            for value in ("[" * 60_000, "{", '{"type":1}', "\ud83d\ude00".encode("utf-16", "surrogatepass"))
        ),
        urlencode({"payload": json.dumps({"type": "block_actions", "container": {"channel_id": "\x00"}})}).encode(),
    ],
    "erp": [
        *(booked(number=value) for value in (" ", "", "\x00", "x" * 201, 7, None, "../..", "é", "a\nb", "a/b%2f")),
        *(booked(id=value) for value in (" ", "\x00", "x" * 201, 7)),
        *(booked(store=value) for value in ("other", "none", "\x00", " ", "DEMO")),
        *(booked(revision=value) for value in (0, -1, 10**30, 1.5, "1", 2**63)),
        *(
            booked(recorded_at=value)
            for value in ("x", 1e308, "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00")
        ),
        *(booked(lines=value) for value in ([{}], [{"line_id": "1", "verdict": "x"}], "x", [[]], [None] * 9_000)),
        b'{"receipts":[' + b"{}," * 1_001 + b"{}]}",
        b'{"receipts":' + b"[" * 5_000 + b"]" * 5_000 + b"}",
    ],
}


@pytest.mark.parametrize("name", list(VENDORS))
async def test_whatever_a_vendor_signs_is_refused_or_recorded(world: Gateway, name: str) -> None:
    vendor = VENDORS[name]
    for body in [*BENT["any"], *BENT[name]]:
        async with watched() as watch:
            answer = await vendor.sends(world, body)
        assert answer.status_code in (vendor.taken, 401, 409, 422), (body[:200], answer.text)
        assert watch.longest < TOO_LONG, body[:80]
        for key in ("+15005550006", "x" * 60, "evil"):
            assert key not in answer.text


@every_vendor
async def test_a_body_that_is_compressed_or_called_something_else_is_not_unpacked(
    world: Gateway, vendor: Vendor
) -> None:
    for encoding in ("gzip", "br", "deflate, gzip", "GZIP", "x" * 500, "identity, gzip"):
        assert (await vendor.sends(world, **{"content-encoding": encoding})).status_code == 415
    assert not await recorded(world)
    for kind in ("text/plain", "multipart/form-data; boundary=x", "application/xml", "", "x" * 500):
        assert (await vendor.sends(world, **{"content-type": kind})).status_code == vendor.taken


async def test_a_form_of_ten_thousand_fields_costs_a_stranger_more_than_us(world: Gateway) -> None:
    for fields in (900, 10_000, 60_000):
        body = "&".join(f"f{n}=" for n in range(fields)).encode()[:MAX_BYTES]
        async with watched() as watch:
            answer = await world.http.post(
                VENDORS["twilio"].path, content=body, headers={"x-twilio-signature": "x", "content-type": FORM}
            )
        assert answer.status_code == 401
        assert watch.longest < TOO_LONG


@pytest.mark.parametrize("many", [200, pytest.param(1_000, marks=pytest.mark.long)])
async def test_all_events_in_one_request_are_each_recorded_once_and_hold_up_nobody(world: Gateway, many: int) -> None:
    events = [{"event": "delivered", "timestamp": 1795253400, "sg_event_id": f"e{n}"} for n in range(many)]
    async with watched() as watch:
        sending = asyncio.create_task(VENDORS["sendgrid"].sends(world, json.dumps(events).encode()))
        while not sending.done():
            assert (await world.http.get("/healthz")).status_code == 200
            await asyncio.sleep(0.05)
    assert (await sending).json() == {"events": many, "waiting": many}
    assert watch.longest < TOO_LONG
    again = await VENDORS["sendgrid"].sends(world, json.dumps(events[:100]).encode())
    assert again.json()["events"] == 100
    assert await recorded(world) == many


# -- whose order it is about -----------------------------------------------------------------------------------------


async def test_one_channels_report_says_nothing_of_anothers_message(world: Gateway) -> None:
    order = an_order("1001", now())
    await stored(world, order)
    mailed = await world.accepted_send(order.ref, channel="sendgrid_email")
    for body in (text(MessageSid="p-1001"), click(value=str(mailed))):
        vendor = VENDORS["twilio" if body.startswith(b"MessageSid") else "slack"]
        assert (await vendor.sends(world, body)).status_code == 200
    path = f"/webhooks/twilio_sms?orderack_key={mailed}"
    headers = VENDORS["twilio"].sign(path, text(), world.clock())
    assert (await world.http.post(path, content=text(), headers=headers)).status_code == 200
    assert not world.orders.facts
    assert not await world.ledger.evidence(order.ref)
    assert (await VENDORS["sendgrid"].sends(world, mail(orderack_key=str(mailed)))).status_code == 200
    assert [(fact.event, fact.grade) for fact in world.orders.facts] == [(EvidenceEvent.DELIVERED, Grade.E2)]


@pytest.mark.parametrize("key", [KEY, ERP_KEY, "", "x", "é", "Bearer"])
async def test_no_key_but_the_erps_own_books_anything(world: Gateway, key: str) -> None:
    answer = await world.http.post("/receipts/http", content=booked(), headers={"x-api-key": key.encode()})
    assert answer.status_code in (401, 403)
    assert not world.orders.receipts
