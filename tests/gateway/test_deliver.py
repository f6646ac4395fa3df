"""Others are told: signed, in order, until it is taken; a slow endpoint holds up no other, and a kill loses nothing."""

import asyncio
import base64
import hashlib
import hmac
import json
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from structlog.testing import capture_logs

from orderack.clients import standard_webhooks
from orderack.contracts.journal import Entry, Event, Journal, Stage
from orderack.domain.order import OrderRef
from orderack.gateway.app import create_app
from orderack.gateway.deliver import BATCH, JITTER, LEASE, PATIENCE, SCHEDULE, Answer, Deliverer, client, end_of, post
from orderack.gateway.endpoints import Endpoint
from orderack.ledger.repository import SqlLedger
from orderack.policy.model import EndpointPolicy
from orderack.ports import DeliveryState, RawRequest
from tests.gateway.conftest import Gateway
from tests.temporal.server import now

KEY, NEXT_KEY = b"the subscriber's signing key", b"the key that follows it now"
SECRET, NEXT_SECRET = (f"whsec_{base64.b64encode(key).decode()}" for key in (KEY, NEXT_KEY))
REF = OrderRef(store="demo", number="1001")
CRM = {"crm": EndpointPolicy(url="https://crm.example/hook", events=("*",))}


@pytest.fixture(autouse=True)
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CRM", "SLOW", "QUICK"):
        monkeypatch.setenv(f"ORDERACK_ENDPOINT_{name}_SECRET", SECRET)


@dataclass
class Others:
    """The systems that are told: what they got, and what each answers (by host; 200 if nothing is said)."""

    answers: dict[str, Callable[[], Awaitable[httpx.Response]]] = field(default_factory=dict)
    got: list[httpx.Request] = field(default_factory=list)

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        self.got.append(request)
        answer = self.answers.get(request.url.host)
        return await answer() if answer else httpx.Response(200)

    def say(self, host: str, *responses: httpx.Response | Exception) -> None:
        """Answer with these, one after the other; the last one for ever."""
        left = list(responses)

        async def answer() -> httpx.Response:
            said = left.pop(0) if len(left) > 1 else left[0]
            if isinstance(said, Exception):
                raise said
            return httpx.Response(said.status_code, headers=said.headers, content=b"a body that nobody reads")

        self.answers[host] = answer

    def seqs(self, host: str = "crm.example") -> list[int]:
        return [json.loads(request.content)["data"]["seq"] for request in self.got if request.url.host == host]


@asynccontextmanager
async def deliverer(gateway: Gateway, others: Others, policy: Mapping[str, EndpointPolicy]) -> AsyncIterator[Deliverer]:
    parts = replace(gateway.parts, endpoints=lambda: policy)
    async with httpx.AsyncClient(transport=httpx.MockTransport(others)) as http:
        made = Deliverer(parts, http, chance=lambda: 0.0)
        try:
            yield made
        finally:
            await made.aclose()


async def happened(ledger: SqlLedger, *events: Event, ref: OrderRef = REF) -> None:
    entries = tuple(Entry(seq=seq, at=now(), event=event, revision=1) for seq, event in enumerate(events, 1))
    await ledger.write(Journal(ref=ref, stage=Stage.CONFIRMED, revision=1, entries=entries))


async def rounds(made: Deliverer) -> None:
    await made.work()
    await made.settled()


# -- what is posted -----------------------------------------------------------------------------------------------


async def test_what_is_posted_are_the_stored_bytes_signed_for_the_moment_of_the_attempt(gateway: Gateway) -> None:
    others = Others()
    await happened(gateway.ledger, Event.CONFIRMED)
    async with deliverer(gateway, others, CRM) as made:
        await rounds(made)
    (request,) = others.got
    headers = {name.lower(): value for name, value in request.headers.items()}
    raw = RawRequest(url=str(request.url), headers=headers, body=request.content)
    standard_webhooks.verify(raw, [KEY], now())
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + request.content
    mac = base64.b64encode(hmac.new(KEY, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{mac}"
    assert headers["content-type"] == "application/json"
    assert abs(int(headers["webhook-timestamp"]) - now().timestamp()) < 5
    assert json.loads(request.content)["type"] == "order.confirmed"


def test_the_published_vector_is_what_we_sign() -> None:
    """The one in the specification's own libraries (standard-webhooks, `test_sign_function`)."""
    keys = standard_webhooks.secrets_of("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    at = now().fromtimestamp(1614265330, tz=now().tzinfo)
    headers = standard_webhooks.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", at, b'{"test": 2432232314}', keys)
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


async def test_while_a_secret_is_rotated_both_sign(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORDERACK_ENDPOINT_CRM_SECRET", f"{NEXT_SECRET} {SECRET}")
    others = Others()
    await happened(gateway.ledger, Event.CLOSED)
    async with deliverer(gateway, others, CRM) as made:
        await rounds(made)
    (request,) = others.got
    assert len(request.headers["webhook-signature"].split(" ")) == 2
    raw = RawRequest(url="https://crm.example/hook", headers=dict(request.headers), body=request.content)
    for key in (KEY, NEXT_KEY):
        standard_webhooks.verify(raw, [key], now())


# -- how it ends --------------------------------------------------------------------------------------------------


async def test_what_was_taken_is_not_posted_again(gateway: Gateway) -> None:
    others = Others()
    await happened(gateway.ledger, Event.ORDER_ACCEPTED, Event.CLOSED)
    async with deliverer(gateway, others, CRM) as made:
        for _ in range(3):
            await rounds(made)
        gateway.clock.ahead = timedelta(days=10)
        await rounds(made)
    assert others.seqs() == [1, 2]
    (standing,) = await gateway.ledger.endpoint_standings()
    assert (standing.pending, standing.delivered, standing.dead) == (0, 2, 0)


async def test_an_endpoint_that_never_takes_it_is_tried_on_schedule_and_then_given_up(gateway: Gateway) -> None:
    others = Others()
    others.say("crm.example", httpx.Response(500))
    await happened(gateway.ledger, Event.CLOSED)
    async with deliverer(gateway, others, CRM) as made:
        for attempt, delay in enumerate(SCHEDULE, 1):
            gateway.clock.ahead += max(delay - timedelta(seconds=1), timedelta(0))
            if attempt > 1:
                await rounds(made)
                assert len(others.got) == attempt - 1
            gateway.clock.ahead += timedelta(seconds=2)
            await rounds(made)
            assert len(others.got) == attempt
        gateway.clock.ahead += timedelta(days=30)
        await rounds(made)
        assert len({request.headers["webhook-id"] for request in others.got}) == 1
        stamps = [int(request.headers["webhook-timestamp"]) for request in others.got]
        assert stamps == sorted(set(stamps))
        (dead,) = await gateway.ledger.dead_events()
        assert (dead.attempts, dead.last_answer) == (len(SCHEDULE), "HTTP 500")
        others.say("crm.example", httpx.Response(204))
        assert await gateway.ledger.retry_events(gateway.clock()) == 1
        await rounds(made)
    assert len(others.got) == len(SCHEDULE) + 1
    assert await gateway.ledger.dead_events() == []


@pytest.mark.parametrize("status", [301, 307, 400, 401, 404, 409, 418, 429, 500, 503])
def test_anything_but_2xx_is_tried_again(status: int) -> None:
    end = end_of(Answer(status=status, words="…"), 1, now())
    assert end.state is DeliveryState.PENDING


def test_the_jitter_lengthens_a_delay_by_a_tenth_at_most() -> None:
    at = now()
    for chance, factor in ((0.0, 1.0), (1.0, 1 + JITTER)):
        assert end_of(Answer(words="…"), 2, at, chance).next_at == at + SCHEDULE[2] * factor


async def test_a_redirect_is_not_followed(gateway: Gateway) -> None:
    others = Others()
    others.say("crm.example", httpx.Response(307, headers={"location": "https://elsewhere.example/"}))
    await happened(gateway.ledger, Event.CLOSED)
    async with deliverer(gateway, others, CRM) as made:
        await rounds(made)
    assert [request.url.host for request in others.got] == ["crm.example"]


async def test_an_endpoint_that_asks_for_more_time_gets_it(gateway: Gateway) -> None:
    others = Others()
    others.say("crm.example", httpx.Response(503, headers={"retry-after": "600"}), httpx.Response(200))
    await happened(gateway.ledger, Event.CLOSED)
    async with deliverer(gateway, others, CRM) as made:
        for ahead in (0, 300, 599):
            gateway.clock.ahead = timedelta(seconds=ahead)
            await rounds(made)
        assert len(others.got) == 1
        gateway.clock.ahead = timedelta(seconds=605)
        await rounds(made)
    assert len(others.got) == 2


async def test_an_endpoint_that_is_gone_makes_all_of_its_events_dead_and_says_so(gateway: Gateway) -> None:
    others = Others()
    others.say("crm.example", httpx.Response(410))
    await happened(gateway.ledger, Event.ORDER_ACCEPTED, Event.ESCALATED, Event.CLOSED)
    with capture_logs() as logs:
        async with deliverer(gateway, others, CRM) as made:
            await rounds(made)
    assert len(others.got) == 1
    assert [dead.last_answer for dead in await gateway.ledger.dead_events()] == ["HTTP 410"] * 3
    assert [(line["log_level"], line["dead"]) for line in logs if "410" in line["event"]] == [("error", 3)]


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (httpx.ConnectError("refused"), "no answer (ConnectError)"),
        (httpx.ReadTimeout("slow"), "no answer (ReadTimeout)"),
        (TimeoutError(), "no answer within 15 s"),
    ],
)
async def test_no_answer_is_named_and_tried_again(error: Exception, words: str) -> None:
    others = Others()
    others.say("crm.example", error)
    async with httpx.AsyncClient(transport=httpx.MockTransport(others)) as http:
        answer = await post(http, Endpoint("crm", "https://crm.example/", (KEY,)), "msg_1", "{}", now())
    assert (answer.status, answer.words) == (None, words)
    assert end_of(answer, 1, now()).state is DeliveryState.PENDING


# -- order, and endpoints apart -----------------------------------------------------------------------------------


async def test_events_of_an_order_arrive_in_their_order_also_over_a_failure(gateway: Gateway) -> None:
    others = Others()
    others.say("crm.example", httpx.Response(200), httpx.Response(502), httpx.Response(200))
    await happened(gateway.ledger, *[Event.ACKNOWLEDGED] * 6)
    async with deliverer(gateway, others, CRM) as made:
        await rounds(made)
        assert others.seqs() == [1, 2]
        gateway.clock.ahead = timedelta(seconds=7)
        await rounds(made)
    assert others.seqs() == [1, 2, 2, 3, 4, 5, 6]


async def test_an_event_that_is_never_taken_does_not_keep_the_later_ones(gateway: Gateway) -> None:
    others = Others()

    async def picky() -> httpx.Response:
        return httpx.Response(500 if others.seqs()[-1] == 1 else 200)

    others.answers["crm.example"] = picky
    await happened(gateway.ledger, *[Event.ACKNOWLEDGED] * 3)
    async with deliverer(gateway, others, CRM) as made:
        for ahead in (0, 7, 14):
            gateway.clock.ahead = timedelta(seconds=ahead)
            await rounds(made)
    assert others.seqs() == [1, 1, 2, 3]


async def test_a_slow_endpoint_holds_up_no_other(gateway: Gateway) -> None:
    others, release = Others(), asyncio.Event()

    async def slow() -> httpx.Response:
        await release.wait()
        return httpx.Response(200)

    others.answers["slow.example"] = slow
    policy = {name: EndpointPolicy(url=f"https://{name}.example/", events=("*",)) for name in ("slow", "quick")}
    await happened(gateway.ledger, Event.ORDER_ACCEPTED)
    async with deliverer(gateway, others, policy) as made:
        async with asyncio.timeout(10):
            await made.work()
            for number in range(5):
                await happened(gateway.ledger, Event.CLOSED, ref=OrderRef(store="demo", number=str(number)))
                await made.work()
            while len(others.seqs("quick.example")) < 6:
                await made.work()
                await asyncio.sleep(0.01)
            release.set()
            while len(others.seqs("slow.example")) < 6:
                await made.work()
                await asyncio.sleep(0.01)


async def test_more_than_a_batch_is_told_in_one_go(gateway: Gateway) -> None:
    others = Others()
    await happened(gateway.ledger, *[Event.ACKNOWLEDGED] * (BATCH + 5))
    async with deliverer(gateway, others, CRM) as made:
        await rounds(made)
    assert others.seqs() == list(range(1, BATCH + 6))


async def test_a_post_never_begins_that_could_outlive_its_lease(gateway: Gateway) -> None:
    others, taken_over = Others(), []

    async def sluggish() -> httpx.Response:
        gateway.clock.ahead += LEASE - PATIENCE + timedelta(seconds=1)
        taken_over.extend(await gateway.ledger.claim_events("crm", gateway.clock(), LEASE, BATCH))
        return httpx.Response(200)

    others.answers["crm.example"] = sluggish
    await happened(gateway.ledger, *[Event.ACKNOWLEDGED] * 4)
    async with deliverer(gateway, others, CRM) as made:
        await rounds(made)
    assert taken_over == []
    assert others.seqs() == [1, 2, 3, 4]
    (standing,) = await gateway.ledger.endpoint_standings()
    assert standing.delivered == 4


# -- two gateways, and a kill -------------------------------------------------------------------------------------


async def test_two_gateways_at_once_tell_everything_once(gateway: Gateway) -> None:
    others = Others()

    async def a_moment() -> httpx.Response:
        await asyncio.sleep(0.002)
        return httpx.Response(200)

    others.answers["crm.example"] = a_moment
    for number in range(12):
        await happened(
            gateway.ledger, Event.ORDER_ACCEPTED, Event.CLOSED, ref=OrderRef(store="demo", number=str(number))
        )
    async with deliverer(gateway, others, CRM) as first, deliverer(gateway, others, CRM) as second:
        await asyncio.gather(rounds(first), rounds(second))
        await asyncio.gather(rounds(first), rounds(second))
    ids = [request.headers["webhook-id"] for request in others.got]
    assert len(ids) == len(set(ids)) == 24


TELLS = """
import asyncio, sys
from dataclasses import replace
from orderack.gateway.app import create_app
from orderack.gateway.deliver import delivering
from orderack.policy.model import EndpointPolicy
from tests.gateway.conftest import Clock, parts_with
from tests.gateway.fakes import ScriptedOrders
from orderack.gateway.endpoints import Endpoint
from orderack.ledger.repository import open_ledger

async def main(database, url):
    ledger = await open_ledger(f"sqlite+aiosqlite:///{database}")
    endpoints = {"crm": EndpointPolicy(url=url, events=("*",))}
    parts = replace(parts_with(ledger, ScriptedOrders(), Clock()), endpoints=lambda: endpoints)
    async with delivering(parts) as made:
        await made.work()
        await made.settled()

asyncio.run(main(*sys.argv[1:]))
"""


@asynccontextmanager
async def listening(answers: list[bytes]) -> AsyncIterator[tuple[str, list[str], asyncio.Event]]:
    """A server that reads posts, and answers with these; with nothing once they are used up, while it hangs on."""
    ids: list[str] = []
    arrived = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        lines = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
        await reader.readexactly(int(lines["content-length"]))
        ids.append(lines["webhook-id"])
        arrived.set()
        if answers:
            writer.write(answers.pop(0))
            await writer.drain()
        else:
            await reader.read()  # until the other side is gone
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook", ids, arrived
    finally:
        server.close()


async def test_a_gateway_killed_while_it_posts_loses_nothing(gateway: Gateway, database: Path) -> None:
    await happened(gateway.ledger, Event.ORDER_ACCEPTED, Event.CLOSED)
    async with listening([]) as (url, ids, arrived):
        root = Path(__file__).parents[2]
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", TELLS, str(database), url, cwd=root, env={**os.environ, "PYTHONPATH": str(root)}
        )
        async with asyncio.timeout(30):
            await arrived.wait()
        process.kill()
        await process.wait()
    assert len(ids) == 1
    others = Others()
    async with deliverer(gateway, others, CRM) as made:
        await rounds(made)
        assert others.got == []  # the dead one's lease still runs
        gateway.clock.ahead = LEASE + timedelta(seconds=1)
        await rounds(made)
    assert others.got[0].headers["webhook-id"] == ids[0]
    assert others.seqs() == [1, 2]


async def test_a_real_endpoint_is_told_over_a_real_connection(gateway: Gateway) -> None:
    await happened(gateway.ledger, Event.CLOSED)
    answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    async with listening([answer]) as (url, ids, _), client() as http:
        policy = {"crm": EndpointPolicy(url=url, events=("*",))}
        made = Deliverer(replace(gateway.parts, endpoints=lambda: policy), http)
        await rounds(made)
        await made.aclose()
    assert len(ids) == 1
    (standing,) = await gateway.ledger.endpoint_standings()
    assert standing.delivered == 1


async def test_while_the_gateway_is_up_it_tells_others_by_itself(gateway: Gateway) -> None:
    answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    async with listening([answer, answer]) as (url, ids, arrived):
        policy = {"crm": EndpointPolicy(url=url, events=("order.closed",))}
        app = create_app(replace(gateway.parts, endpoints=lambda: policy, tell_every=timedelta(milliseconds=20)))
        async with app.router.lifespan_context(app), asyncio.timeout(60):
            await happened(gateway.ledger, Event.ORDER_ACCEPTED, Event.CLOSED)
            await arrived.wait()
    assert len(ids) == 1


# -- endpoints that cannot be served ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("secret", "url", "words"),
    [
        ("", "https://crm.example/hook", "ORDERACK_ENDPOINT_CRM_SECRET"),
        ("whsec_short", "https://crm.example/hook", "ORDERACK_ENDPOINT_CRM_SECRET"),
        (SECRET, "http://crm.example/hook", "https"),
        (SECRET, "https://ada:word@crm.example/hook", "signature"),
    ],
)
async def test_an_endpoint_that_cannot_be_served_is_said_loudly_once_and_its_events_wait(
    secret: str, url: str, words: str, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORDERACK_ENDPOINT_CRM_SECRET", secret)
    others = Others()
    policy = {"crm": EndpointPolicy(url=url, events=("*",))}
    await happened(gateway.ledger, Event.CLOSED)
    with capture_logs() as logs:
        async with deliverer(gateway, others, policy) as made:
            for _ in range(3):
                await rounds(made)
            assert others.got == []
            monkeypatch.setenv("ORDERACK_ENDPOINT_CRM_SECRET", SECRET)
            policy["crm"] = CRM["crm"]
            await rounds(made)
    assert others.seqs() == [1]
    (line,) = [line for line in logs if line["log_level"] == "error"]
    assert words in line["remedy"]
    assert not secret or secret not in str(line)


async def test_what_was_told_is_forgotten_after_a_month(gateway: Gateway) -> None:
    others = Others()
    await happened(gateway.ledger, Event.CLOSED)
    async with deliverer(gateway, others, CRM) as made:
        await rounds(made)
        gateway.clock.ahead = timedelta(days=29)
        assert await made.forget() == 0
        gateway.clock.ahead = timedelta(days=31)
        assert await made.forget() == 1
