"""The product's own adapters, configured by nothing but `environment()`, against the sandbox."""

import asyncio
from datetime import UTC, datetime

import pytest
from pydantic import TypeAdapter

from orderack.domain.acknowledgement import Kind, Reason, SendKey
from orderack.domain.evidence import EvidenceEvent
from orderack.domain.order import Order, OrderRef
from orderack.domain.receipt import StockVerdict
from orderack.embedded.sandbox import Action, Fault, Operation, SkuStock, Target
from orderack.errors import InDoubt, Refused, Unavailable
from orderack.ports import Message, RawRequest, Rendered
from orderack.registry import ChannelSpec, ErpSpec, build, load

RECIPIENT = {
    "sendgrid_email": "ada@example.com",
    "smtp_email": "ada@example.com",
    "twilio_sms": "+15005550010",
    "slack": "ops",
}
TARGET = {
    "sendgrid_email": Target.SENDGRID,
    "smtp_email": Target.SMTP,
    "twilio_sms": Target.TWILIO,
    "slack": Target.SLACK,
}
ORDER = Order.model_validate(
    {
        "store": "shop",
        "number": "A/1 ü",
        "source": "web",
        "trigger_at": "2026-03-02T09:00:00Z",
        "currency": "EUR",
        "totals": {"total": "5.00"},
        "lines": [{"line_id": "1", "sku": "TEA", "quantity": "1.5", "unit_price": "5.00"}],
    }
)


def message(channel: str, gateway_url: str) -> Message:
    return Message(
        key=SendKey(ref=OrderRef(store="shop", number="A-1"), revision=1, kind=Kind.RECEIVED, n=1, channel=channel),
        recipient=RECIPIENT[channel],
        kind=Kind.RECEIVED,
        language="en",
        content=Rendered(subject="Order A-1", text="We have order A-1", html="<p>We have order A-1</p>", sms="A-1"),
        status_url=f"{gateway_url}/webhooks/{channel}",
    )


@pytest.fixture
async def adapters(sandbox, monkeypatch, tmp_path):
    """Every channel and ERP that the sandbox stands in for."""
    import orderack.channels
    import orderack.erps

    monkeypatch.chdir(tmp_path)
    for name, value in sandbox.environment().items():
        monkeypatch.setenv(name, value)
    channels = build(load(orderack.channels.__path__, "orderack.channels", "CHANNEL", ChannelSpec), set(TARGET))
    erps = orderack.erps.build()
    assert channels.not_configured == {}
    ready = {**channels.ready, "erp": erps["sandbox"]}
    yield ready
    for adapter in ready.values():
        await adapter.aclose()


def test_the_environment_is_complete_and_has_nothing_the_adapters_do_not_read(sandbox):
    import orderack.channels
    import orderack.erps
    import orderack.helpdesks

    channels = load(orderack.channels.__path__, "orderack.channels", "CHANNEL", ChannelSpec)
    erps = load(orderack.erps.__path__, "orderack.erps", "ERP", ErpSpec)
    specs = (*channels.values(), *erps.values(), *orderack.helpdesks.load().values())
    known = {variable.name for spec in specs for variable in spec.variables}
    assert set(sandbox.environment()) <= known


@pytest.mark.parametrize("channel", TARGET)
async def test_every_channel_sends_to_its_look_alike(adapters, sandbox, gateway, channel):
    sent = await adapters[channel].send(message(channel, gateway.url))
    (entry,) = sandbox.state.log.entries(TARGET[channel])
    assert entry.provider_id == sent.provider_id
    assert entry.key is not None
    assert len(sandbox.state.outbox.find("A-1", TARGET[channel])) == 1


@pytest.mark.parametrize("channel", TARGET)
async def test_a_cut_off_after_accept_is_in_doubt_and_a_refusal_is_refused(adapters, sandbox, gateway, channel):
    sandbox.state.faults.add(Fault(target=TARGET[channel], action=Action.CUT_OFF_AFTER_ACCEPT))
    with pytest.raises(InDoubt):
        await adapters[channel].send(message(channel, gateway.url))
    assert len(sandbox.state.log.entries(TARGET[channel])) == 1
    sandbox.state.faults.add(Fault(target=TARGET[channel], action=Action.REFUSE))
    with pytest.raises(Refused) as refused:
        await adapters[channel].send(message(channel, gateway.url))
    assert refused.value.reason in {Reason.BAD_RECIPIENT, Reason.OPTED_OUT}
    sandbox.state.faults.add(Fault(target=TARGET[channel], action=Action.THROTTLE, retry_after=7))
    with pytest.raises(Unavailable) as later:
        await adapters[channel].send(message(channel, gateway.url))
    if channel != "smtp_email":
        assert later.value.retry_after is not None
        assert later.value.retry_after.total_seconds() == 7


@pytest.mark.parametrize(("channel", "count"), [("sendgrid_email", 1), ("twilio_sms", 2)])
async def test_webhooks_are_verified_and_read_by_the_adapter(adapters, gateway, channel, count):
    sent = await adapters[channel].send(message(channel, gateway.url))
    events = []
    for post in await gateway.wait_for(count, f"/webhooks/{channel}"):
        request = RawRequest(url=post.url, headers=dict(post.headers), body=post.body)
        await adapters[channel].verify(request)
        events += adapters[channel].events(request)
    assert events[-1].event is EvidenceEvent.DELIVERED
    assert {event.provider_id for event in events} == {sent.provider_id}
    assert {event.key for event in events} == {message(channel, gateway.url).key_text}


@pytest.mark.parametrize(
    ("who", "meaning"),
    [("apple_mail", EvidenceEvent.MACHINE_TOUCH), ("person", EvidenceEvent.DISPLAYED)],
)
async def test_what_sendgrid_reports_of_a_reader_is_verified_and_read_by_the_adapter(
    adapters, gateway, http, who, meaning
):
    await adapters["sendgrid_email"].send(message("sendgrid_email", gateway.url))
    await gateway.wait_for(1, "/webhooks/sendgrid_email")
    await http.post("/readers", json={"as": who, "match": "A-1", "does": ["opens"], "reported": True})
    post = (await gateway.wait_for(2, "/webhooks/sendgrid_email"))[-1]
    request = RawRequest(url=post.url, headers=dict(post.headers), body=post.body)
    await adapters["sendgrid_email"].verify(request)
    (event,) = adapters["sendgrid_email"].events(request)
    assert (event.event, event.key) == (meaning, message("sendgrid_email", gateway.url).key_text)


async def test_a_reply_is_verified_and_read_by_the_adapter_with_the_buyers_words(adapters, gateway, http):
    await adapters["twilio_sms"].send(message("twilio_sms", gateway.url))
    await gateway.wait_for(2, "/webhooks/twilio_sms")
    await http.post("/reply", json={"channel": "twilio_sms", "match": "A-1", "text": "Yes & thanks ✓"})
    post = (await gateway.wait_for(3, "/webhooks/twilio_sms"))[-1]
    request = RawRequest(url=post.url, headers=dict(post.headers), body=post.body)
    await adapters["twilio_sms"].verify(request)
    (event,) = adapters["twilio_sms"].events(request)
    assert event.event is EvidenceEvent.REPLIED


async def test_an_order_goes_through_the_erp_adapter_whatever_is_in_its_number(adapters, sandbox, gateway):
    erp = adapters["erp"]
    sandbox.state.stock.set("TEA", TypeAdapter(SkuStock).validate_python({"verdict": "partial", "available": "1"}))
    assert await erp.find(ORDER.ref, 1) is None
    booking = await erp.submit(ORDER, 1)
    again = await erp.submit(ORDER, 1)
    assert booking.document_id == again.document_id
    (post,) = await gateway.wait_for(1, "/receipts/sandbox")
    request = RawRequest(url=post.url, headers=dict(post.headers), body=post.body)
    erp.verify(request)
    (pushed,) = erp.receipts(request)
    assert pushed == await erp.find(ORDER.ref, 1)
    assert pushed.lines[0].verdict is StockVerdict.PARTIAL
    (stock,) = await erp.availability(ORDER.lines)
    assert (stock.line_id, stock.verdict) == ("1", StockVerdict.PARTIAL)
    assert await erp.cancel(ORDER.ref, booking.document_id, "the buyer asked") is True
    assert await erp.cancel(OrderRef(store="shop", number="unknown"), None, "x") is False


async def test_the_erp_adapter_feels_every_fault(adapters, sandbox):
    erp = adapters["erp"]
    for action, fate in (
        (Action.CUT_OFF_AFTER_ACCEPT, Unavailable),
        (Action.FAIL, Unavailable),
        (Action.NONSENSE, Unavailable),
        (Action.REFUSE, Refused),
    ):
        sandbox.state.faults.add(Fault(target=Target.ERP, action=action))
        with pytest.raises(fate):
            await erp.submit(ORDER, 1)
    sandbox.state.faults.add(Fault(target=Target.ERP, action=Action.FAIL, operation=Operation.AVAILABILITY))
    with pytest.raises(Unavailable):
        await erp.availability(ORDER.lines)
    assert sandbox.state.faults.unfired() == ()
    assert len({entry.provider_id for entry in sandbox.state.log.entries(Target.ERP)}) == 1


async def test_a_message_sent_twice_by_two_attempts_is_twice_in_the_log(adapters, sandbox, gateway):
    """What an invariant checker counts: the vendors here have no idempotency key, so two sends are two."""
    await asyncio.gather(*(adapters["twilio_sms"].send(message("twilio_sms", gateway.url)) for _ in range(2)))
    entries = sandbox.state.log.entries(Target.TWILIO, key="A-1/1/received")
    assert len(entries) == 2
    assert all(entry.at <= datetime.now(UTC) for entry in entries)
