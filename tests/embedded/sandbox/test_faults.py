"""Every fault is seen where it hurts: on the wire, in the log, in the counters."""

import asyncio
import time
from urllib.parse import urlsplit

import httpx
import pytest
from pydantic import ValidationError

from orderack.embedded.sandbox import Action, Fault, Sandbox, Target
from orderack.embedded.sandbox.faults import FaultBook, Operation

ORDER = {
    "store": "shop",
    "number": "A-1",
    "source": "web",
    "trigger_at": "2026-03-02T09:00:00Z",
    "currency": "EUR",
    "totals": {"total": "5.00"},
    "lines": [{"line_id": "1", "sku": "TEA", "quantity": "1", "unit_price": "5.00"}],
}
VENDORS = [Target.SENDGRID, Target.TWILIO, Target.SLACK, Target.ERP]


def good(http: httpx.AsyncClient, sandbox: Sandbox, target: Target, *, reader: str = "A-1") -> httpx.Request:
    """A request that the vendor accepts."""
    own = sandbox.state.credentials
    sid = own.twilio_account_sid
    bearer = "Authorization"
    if target is Target.TWILIO:
        form = {"To": "+15005550010", "From": "+15005550006", "Body": reader}
        basic = httpx.BasicAuth(sid, own.twilio_auth_token)
        request = http.build_request("POST", f"/twilio/2010-04-01/Accounts/{sid}/Messages.json", data=form)
        return next(basic.auth_flow(request))
    if target is Target.SLACK:
        body = {"channel": "C0ALERTS00", "text": reader}
        headers = {bearer: f"Bearer {own.slack_token}"}
        return http.build_request("POST", "/slack/api/chat.postMessage", json=body, headers=headers)
    if target is Target.ERP:
        headers = {bearer: f"Bearer {own.erp_api_key}", "Idempotency-Key": f"shop/{reader}/1"}
        body = {"order": ORDER | {"number": reader}, "revision": 1}
        return http.build_request("POST", "/erp/orders", json=body, headers=headers)
    body = {
        "personalizations": [{"to": [{"email": "ada@example.com"}]}],
        "from": {"email": "orders@shop.example"},
        "subject": reader,
        "content": [{"type": "text/plain", "value": "Thank you"}],
    }
    headers = {bearer: f"Bearer {own.sendgrid_api_key}"}
    return http.build_request("POST", "/sendgrid/v3/mail/send", json=body, headers=headers)


async def raw(sandbox: Sandbox, request: httpx.Request, patience: float = 2.0) -> bytes | None:
    """What comes back on a bare TCP connection until the other side closes it; None: it stays silent and open."""
    reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(sandbox.url).port)
    path = request.url.raw_path.decode()
    head = [f"{request.method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in request.headers.items())]
    writer.write("\r\n".join([*head, "", ""]).encode() + request.content)
    await writer.drain()
    try:
        async with asyncio.timeout(patience):
            return await reader.read()
    except ConnectionResetError:
        return b""
    except TimeoutError:
        return None
    finally:
        writer.close()


@pytest.mark.parametrize("target", VENDORS)
async def test_cut_off_after_accept_closes_the_connection_and_the_log_has_the_acceptance(sandbox, http, target):
    standing = sandbox.state.faults.add(Fault(target=target, action=Action.CUT_OFF_AFTER_ACCEPT))
    assert await raw(sandbox, good(http, sandbox, target)) == b""
    (entry,) = sandbox.state.log.entries(target)
    assert entry.faults == (Action.CUT_OFF_AFTER_ACCEPT,)
    assert [now.fired for now in sandbox.state.faults.standings() if now.id == standing.id] == [1]
    assert (await http.send(good(http, sandbox, target))).is_success


@pytest.mark.parametrize("target", VENDORS)
async def test_cut_off_before_closes_the_connection_and_nothing_was_accepted(sandbox, http, target):
    sandbox.state.faults.add(Fault(target=target, action=Action.CUT_OFF_BEFORE))
    assert await raw(sandbox, good(http, sandbox, target)) == b""
    assert sandbox.state.log.entries() == ()
    assert sandbox.state.faults.unfired() == ()


async def test_an_http_client_sees_a_cut_off_as_a_disconnect(sandbox, http):
    sandbox.state.faults.add(Fault(target=Target.TWILIO, action=Action.CUT_OFF_AFTER_ACCEPT))
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        await http.send(good(http, sandbox, Target.TWILIO))
    assert len(sandbox.state.log.entries(Target.TWILIO)) == 1


@pytest.mark.parametrize("target", VENDORS)
async def test_hanging_neither_answers_nor_accepts_nor_closes(sandbox, http, target):
    sandbox.state.faults.add(Fault(target=target, action=Action.HANG))
    assert await raw(sandbox, good(http, sandbox, target), patience=0.2) is None
    assert sandbox.state.log.entries() == ()


@pytest.mark.parametrize("target", VENDORS)
async def test_slow_accepts_at_once_and_answers_late(sandbox, http, target):
    sandbox.state.faults.add(Fault(target=target, action=Action.SLOW, seconds=30))
    began = time.monotonic()
    with pytest.raises(httpx.ReadTimeout):
        await httpx.AsyncClient.send(http, with_timeout(good(http, sandbox, target), 0.1))
    assert len(sandbox.state.log.entries(target)) == 1
    assert time.monotonic() - began < 30
    sandbox.state.faults.add(Fault(target=target, action=Action.SLOW, seconds=0.2))
    began = time.monotonic()
    assert (await http.send(good(http, sandbox, target))).is_success
    assert time.monotonic() - began >= 0.2


def with_timeout(request: httpx.Request, seconds: float) -> httpx.Request:
    request.extensions["timeout"] = httpx.Timeout(seconds).as_dict()
    return request


@pytest.mark.parametrize("target", VENDORS)
async def test_throttling_says_when_to_come_back_and_accepts_nothing(sandbox, http, target):
    sandbox.state.faults.add(Fault(target=target, action=Action.THROTTLE, retry_after=9))
    response = await http.send(good(http, sandbox, target))
    assert (response.status_code, response.headers["Retry-After"]) == (429, "9")
    assert sandbox.state.log.entries() == ()


@pytest.mark.parametrize("target", VENDORS)
async def test_failing_is_the_status_asked_for_and_accepts_nothing(sandbox, http, target):
    sandbox.state.faults.add(Fault(target=target, action=Action.FAIL, status=502))
    assert (await http.send(good(http, sandbox, target))).status_code == 502
    assert sandbox.state.log.entries() == ()


@pytest.mark.parametrize("target", VENDORS)
async def test_nonsense_is_a_200_without_meaning_after_an_acceptance(sandbox, http, target):
    sandbox.state.faults.add(Fault(target=target, action=Action.NONSENSE))
    response = await http.send(good(http, sandbox, target))
    assert (response.status_code, response.headers["content-type"].split(";")[0]) == (200, "text/html")
    assert len(sandbox.state.log.entries(target)) == 1


REFUSALS = {
    Target.SENDGRID: ("403", lambda answer: answer.status_code == 403),
    Target.TWILIO: ("21610", lambda answer: (answer.status_code, answer.json()["code"]) == (400, 21610)),
    Target.SLACK: ("is_archived", lambda answer: answer.json() == {"ok": False, "error": "is_archived"}),
    Target.ERP: ("credit limit", lambda answer: answer.json()["status"] == "refused"),
}


@pytest.mark.parametrize("target", VENDORS)
async def test_refusing_uses_the_vendors_own_words(sandbox, http, target):
    code, holds = REFUSALS[target]
    sandbox.state.faults.add(Fault(target=target, action=Action.REFUSE, code=code))
    assert holds(await http.send(good(http, sandbox, target)))
    assert sandbox.state.log.entries() == ()


@pytest.mark.parametrize("target", VENDORS)
async def test_a_fault_strikes_only_the_request_it_matches(sandbox, http, target):
    sandbox.state.faults.add(Fault(target=target, action=Action.FAIL, match="A-77"))
    assert (await http.send(good(http, sandbox, target, reader="A-1"))).is_success
    assert (await http.send(good(http, sandbox, target, reader="A-77"))).status_code == 503
    assert (await http.send(good(http, sandbox, target, reader="A-77"))).is_success


async def test_a_recipient_in_a_form_is_matched_as_it_reads(sandbox, http):
    sandbox.state.faults.add(Fault(target=Target.TWILIO, action=Action.REFUSE, match="+15005550010"))
    assert (await http.send(good(http, sandbox, Target.TWILIO))).status_code == 400


async def test_a_late_webhook_comes_later_and_none_comes_when_webhooks_are_off(sandbox, http, gateway):
    sandbox.state.faults.add(Fault(target=Target.SENDGRID, action=Action.LATE_WEBHOOK, seconds=0.3))
    began = time.monotonic()
    await http.send(good(http, sandbox, Target.SENDGRID))
    await gateway.wait_for(1)
    assert time.monotonic() - began >= 0.3
    sandbox.state.behaviour = sandbox.state.behaviour.model_copy(update={"webhooks": False})
    await http.send(good(http, sandbox, Target.SENDGRID))
    await asyncio.sleep(0.15)
    assert len(gateway.received) == 1


async def test_a_webhook_that_is_not_taken_comes_again_freshly_signed(sandbox, http, gateway, until):
    gateway.statuses = [503, 401]
    await http.send(good(http, sandbox, Target.ERP))
    posts = await gateway.wait_for(3)
    assert len({post.headers["webhook-id"] for post in posts}) == 1
    await until(lambda: sandbox.state.courier.delivered == 1)
    assert sandbox.state.courier.dropped == 0


async def test_a_webhook_without_a_gateway_waits_a_little_for_one(sandbox, http, gateway):
    sandbox.state.callback_base = None
    await http.send(good(http, sandbox, Target.ERP))
    await asyncio.sleep(0.1)
    sandbox.state.callback_base = gateway.url
    assert len(await gateway.wait_for(1, "/receipts/sandbox")) == 1


async def test_a_webhook_that_nobody_takes_is_dropped_with_a_log_line(sandbox, http, caplog, monkeypatch, until):
    monkeypatch.setattr("orderack.embedded.sandbox.courier.BACK_OFF", (0.01, 0.01))
    sandbox.state.callback_base = "http://127.0.0.1:9"
    await http.send(good(http, sandbox, Target.ERP))
    await until(lambda: sandbox.state.courier.dropped == 1)
    (line,) = [record.getMessage() for record in caplog.records if "webhook dropped" in record.getMessage()]
    assert "not taken in 3 attempts" in line


async def test_the_end_of_the_sandbox_ends_those_who_still_wait(until):
    async with Sandbox.start() as sandbox, httpx.AsyncClient(base_url=sandbox.url, trust_env=False) as http:
        sandbox.state.faults.add(Fault(target=Target.TWILIO, action=Action.HANG))
        waiting = asyncio.create_task(raw(sandbox, good(http, sandbox, Target.TWILIO), patience=10))
        await until(lambda: not sandbox.state.faults.unfired())
        began = time.monotonic()
    assert await waiting == b""
    assert time.monotonic() - began < 2


class TestTheBook:
    def test_a_fault_lets_the_first_pass_and_strikes_as_often_as_told(self):
        book = FaultBook()
        book.add(Fault(target=Target.ERP, action=Action.FAIL, after=2, times=2))
        struck = [book.take(Target.ERP, Operation.SEND, "x").answer is not None for _ in range(6)]
        assert struck == [False, False, True, True, False, False]
        (standing,) = book.standings()
        assert (standing.seen, standing.fired) == (6, 2)

    def test_an_answer_and_an_aftermath_go_together_and_of_two_answers_the_first_goes_first(self):
        book = FaultBook()
        for action in (Action.FAIL, Action.CUT_OFF_BEFORE, Action.NO_WEBHOOK):
            book.add(Fault(target=Target.ERP, action=action))
        assert book.take(Target.ERP, Operation.SEND, "").actions == (Action.FAIL, Action.NO_WEBHOOK)
        assert book.take(Target.ERP, Operation.SEND, "").actions == (Action.CUT_OFF_BEFORE,)
        assert book.take(Target.ERP, Operation.SEND, "").actions == ()

    def test_a_lookup_is_struck_only_by_a_fault_that_names_it(self):
        book = FaultBook()
        book.add(Fault(target=Target.TWILIO, action=Action.FAIL, times=None))
        assert book.take(Target.TWILIO, Operation.LOOKUP, "").answer is None
        book.add(Fault(target=Target.TWILIO, action=Action.HANG, operation=Operation.ANY))
        assert book.take(Target.TWILIO, Operation.LOOKUP, "").actions == (Action.HANG,)

    @pytest.mark.parametrize(
        "fault",
        [
            {"target": "twilio", "action": "slow"},
            {"target": "twilio", "action": "throttle"},
            {"target": "twilio", "action": "lose"},
            {"target": "slack", "action": "no_webhook"},
            {"target": "smtp", "action": "refuse", "code": "200"},
            {"target": "twilio", "action": "refuse", "code": "no"},
            {"target": "twilio", "action": "fail", "status": 200},
            {"target": "twilio", "action": "fail", "mach": "A-1"},
            {"target": "twilio", "action": "fail", "times": 0},
        ],
    )
    def test_a_fault_that_could_not_be_seen_is_refused(self, fault):
        with pytest.raises(ValidationError):
            Fault.model_validate(fault)
