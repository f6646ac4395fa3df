"""Touches over HTTP: always the same image, no way to anywhere else, and a verdict once they have settled."""

import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
import time_machine
from sqlalchemy import select
from sqlalchemy.engine import RowMapping

from orderack.contracts.journal import Journal, Stage
from orderack.domain.acknowledgement import Kind, SendKey, SendOutcome, SendState
from orderack.domain.evidence import Assurance, EvidenceEvent, EvidenceFact, Grade
from orderack.domain.order import Order, OrderRef
from orderack.domain.store import StoreProfile, TouchRules
from orderack.gateway.announce import GRACE, announce_stragglers
from orderack.gateway.app import create_app
from orderack.gateway.grade_touches import forget_touches, grade_touches
from orderack.gateway.touch_desk import MOST_WAITING, TouchDesk
from orderack.gateway.touches import GIF
from orderack.ledger.database import make_engine
from orderack.ledger.tables import Table
from orderack.links import BUYER, PageLink, fingerprint
from orderack.ports import Message, Rendered, StoredRevision
from orderack.touch_links import TouchLink, TouchLinks
from orderack.touches import SETTLED, Reason, Touch, What
from tests.gateway.conftest import PUBLIC, Gateway
from tests.gateway.test_intake import take_away
from tests.temporal.server import now
from tests.workflows.orders import a_decision, an_assessment, an_order

BROWSER = {"user-agent": "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"}
ADDRESS = "ada@example.com"
TO = {"text": "+15005550006"}
"""Where a channel reaches the buyer, if not by e-mail."""

LATER = SETTLED + timedelta(seconds=1)


class Sent:
    """A message that went out to the buyer, with the links that it carried."""

    def __init__(self, gateway: Gateway, key: SendKey, role: str = BUYER) -> None:
        self.gateway, self.key, self.made_at = gateway, key, datetime.now(UTC).replace(microsecond=0)
        page = PageLink(
            ref=key.ref,
            role=role,
            via=key.channel,
            recipient=fingerprint(TO.get(key.channel, ADDRESS)),
            carrier=key,
            made_at=self.made_at,
        )
        self.page = gateway.parts.links.again(page)

    def path(self, what: What) -> str:
        link = TouchLink(key=self.key, what=what, recipient=fingerprint(ADDRESS), made_at=self.made_at)
        return urlsplit(self.gateway.parts.touch_links.url(link)).path

    async def touch(
        self, what: What = What.PIXEL, method: str = "GET", headers: dict[str, str] | None = None
    ) -> httpx.Response:
        return await self.gateway.http.request(method, self.path(what), headers=BROWSER | (headers or {}))


async def send(
    gateway: Gateway, order: Order, channel: str = "email", kind: Kind = Kind.CONFIRMATION, role: str = BUYER
) -> Sent:
    """Accepted an hour before anything is touched."""
    assessment = an_assessment(order, 1, a_decision())
    kept = StoredRevision(order=order, revision=1, content_hash=order.content_hash, assessment=assessment)
    await gateway.ledger.save_revision(kept, "print", Journal(ref=order.ref, stage=Stage.CONFIRMED, revision=1))
    sent = Sent(gateway, SendKey(ref=order.ref, revision=1, kind=kind, n=1, channel=channel), role)
    content = Rendered(subject="Yours", text=f"See {sent.page}", link=sent.page)
    message = Message(key=sent.key, recipient=TO.get(channel, ADDRESS), kind=kind, language="en", content=content)
    at = gateway.clock() - timedelta(hours=1)
    await gateway.ledger.claim(sent.key, message, at, timedelta(minutes=1))
    await gateway.ledger.finish(sent.key, SendOutcome(channel=channel, state=SendState.ACCEPTED, provider_id="p"), at)
    return sent


@pytest.fixture
def order() -> Order:
    return an_order("1001", now())


async def rows(database: Path) -> Sequence[RowMapping]:
    engine = make_engine(f"sqlite+aiosqlite:///{database}")
    async with engine.connect() as connection:
        query = select(Table.metadata.tables["touches"]).order_by(Table.metadata.tables["touches"].c.first_at)
        found = (await connection.execute(query)).mappings().all()
    await engine.dispose()
    return found


async def graded(gateway: Gateway) -> Sequence[EvidenceFact]:
    """The facts, once everything has settled."""
    gateway.clock.ahead += LATER
    await grade_touches(gateway.parts)
    return await gateway.ledger.evidence(OrderRef(store="demo", number="1001"))


# -- the image ------------------------------------------------------------------------------------------------------


async def test_the_image_is_the_same_for_any_token(gateway: Gateway, order: Order) -> None:
    sent = await send(gateway, order)
    forged = TouchLinks("another secret of enough length", PUBLIC)
    other = TouchLink(key=sent.key, what=What.PIXEL, made_at=sent.made_at)
    tokens = (
        sent.path(What.PIXEL),
        f"/t/{forged.token(other)}",
        f"/t/{gateway.parts.links.token(order.ref)}",
        sent.path(What.PAGE).replace("/l/", "/t/"),
        *("/t/x", "/t/a/b/c", "/t/%00%ff", "/t/" + "x" * 9_000, "/t/..%2f..%2fetc", sent.path(What.PIXEL) + "x"),
    )
    answers = [await gateway.http.get(token) for token in tokens]
    assert {answer.status_code for answer in answers} == {200}
    assert {answer.content for answer in answers} == {GIF}
    assert len({tuple(sorted(answer.headers.items())) for answer in answers}) == 1
    assert len(GIF) == 43
    headers = answers[0].headers
    assert headers["content-type"] == "image/gif"
    assert headers["cache-control"] == "no-store"
    assert headers["cross-origin-resource-policy"] == "cross-origin"


async def test_only_the_pixels_own_token_counts(gateway: Gateway, order: Order, database: Path) -> None:
    sent = await send(gateway, order)
    for path in ("/t/x", sent.path(What.PAGE).replace("/l/", "/t/"), sent.path(What.PIXEL).replace("/t/", "/l/")):
        await gateway.http.get(path)
    assert await rows(database) == []


async def test_a_touch_is_recorded_with_what_a_verdict_needs_and_nothing_else(
    gateway: Gateway, order: Order, database: Path
) -> None:
    sent = await send(gateway, order)
    await sent.touch(headers={"sec-purpose": "prefetch", "cookie": "secret", "referer": "https://mail.example/inbox"})
    (row,) = await rows(database)
    assert (row["send_key"], row["what"], row["method"]) == (str(sent.key), What.PIXEL, "GET")
    assert (row["address"], row["user_agent"]) == ("127.0.0.1", BROWSER["user-agent"])
    assert json.loads(row["headers"]) == {"sec-purpose": "prefetch"}
    assert row["graded_at"] is None


async def test_the_head_of_an_image_is_a_touch_too(gateway: Gateway, order: Order, database: Path) -> None:
    sent = await send(gateway, order)
    assert (await sent.touch(method="HEAD")).status_code == 200
    assert (await sent.touch(What.PAGE, method="HEAD")).status_code == 303
    assert {(row["what"], row["method"]) for row in await rows(database)} == {("pixel", "HEAD"), ("page", "HEAD")}


async def test_the_image_comes_while_the_ledger_is_away(gateway: Gateway, order: Order, database: Path) -> None:
    sent = await send(gateway, order)
    await gateway.ledger.aclose()
    take_away(database)
    answer = await sent.touch()
    assert (answer.status_code, answer.content) == (200, GIF)
    assert (await sent.touch(What.PAGE)).status_code == 303


async def test_a_thousand_opens_at_once_are_a_count_and_no_evidence(
    gateway: Gateway, order: Order, database: Path
) -> None:
    sent = await send(gateway, order)
    answers = await asyncio.gather(*(sent.touch() for _ in range(1_000)))
    assert {answer.status_code for answer in answers} == {200}
    (row,) = await rows(database)
    assert row["count"] == 1_000
    assert await gateway.ledger.evidence(order.ref) == []
    assert gateway.orders.facts == []


@pytest.mark.parametrize(
    "agent", ["x" * 9_000, "\x7f\x01", "ü".encode().decode("latin-1"), "'; DROP TABLE touches; --"]
)
async def test_a_hostile_user_agent_is_only_text(gateway: Gateway, order: Order, database: Path, agent: str) -> None:
    sent = await send(gateway, order)
    answer = await gateway.http.get(sent.path(What.PIXEL), headers={b"user-agent": agent.encode("latin-1")})
    assert answer.status_code == 200
    (row,) = await rows(database)
    assert row["user_agent"] == agent[:500]


async def test_a_touch_of_an_unknown_or_an_internal_message_is_dropped(
    gateway: Gateway, order: Order, database: Path
) -> None:
    internal = await send(gateway, order, channel="alerts", kind=Kind.ALERT)
    never = Sent(gateway, internal.key.model_copy(update={"n": 9, "channel": "email"}))
    for sent in (internal, never):
        assert (await sent.touch()).content == GIF
        assert (await sent.touch(What.PAGE)).status_code == 303
    assert await rows(database) == []


# -- the links ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", [What.PAGE, What.HONEYPOT])
async def test_a_tracked_link_leads_to_the_very_page_link_of_its_message(
    gateway: Gateway, order: Order, database: Path, what: What
) -> None:
    sent = await send(gateway, order)
    answer = await sent.touch(what)
    assert answer.status_code == 303
    assert answer.headers["location"] == sent.page
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert [row["what"] for row in await rows(database)] == [what]


async def test_nothing_in_the_request_can_name_another_place(gateway: Gateway, order: Order) -> None:
    sent = await send(gateway, order)
    evil = "https://evil.example/"
    for query in (f"?url={evil}", f"?to={evil}&target={evil}&next=//evil.example", f"?{evil}"):
        headers = {"host": "evil.example", "x-forwarded-host": "evil.example", "referer": evil}
        answer = await gateway.http.get(sent.path(What.PAGE) + query, headers=headers)
        assert answer.headers["location"] == sent.page
    for path in (f"/l/{evil}", "/l//evil.example", f"{sent.path(What.PAGE)}/{evil}", "/l/%2f%2fevil.example"):
        answer = await gateway.http.get(path)
        assert answer.status_code == 404
        assert "location" not in answer.headers


async def test_the_shops_link_leads_where_the_policy_says_and_without_that_nowhere(
    gateway: Gateway, order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = await send(gateway, order)
    gone = await gateway.http.get("/o/x")
    answer = await sent.touch(What.SHOP)
    assert (answer.status_code, answer.text) == (404, gone.text)
    for url, target in (("https://shop.example/de", "https://shop.example/de"), ("javascript:alert(1)", None)):
        store = StoreProfile(id="demo", display_name="Demo", url=url)
        monkeypatch.setitem(gateway.parts.stores, "demo", store)
        assert (await sent.touch(What.SHOP)).headers.get("location") == target


async def test_every_bad_link_gets_the_page_that_a_bad_page_link_gets(gateway: Gateway, order: Order) -> None:
    sent = await send(gateway, order)
    gone = await gateway.http.get("/o/x")
    page = gateway.parts.links.token(order.ref)
    for path in (
        "/l/x",
        f"/l/{page}",
        sent.path(What.PAGE)[:-2],
        sent.path(What.PIXEL).replace("/t/", "/l/"),
        "/l/a/b",
    ):
        answer = await gateway.http.get(path)
        assert (answer.status_code, answer.text) == (404, gone.text)
        assert answer.headers["content-security-policy"] == gone.headers["content-security-policy"]


async def test_a_click_makes_no_younger_link_than_the_message_had(gateway: Gateway, order: Order) -> None:
    sent = await send(gateway, order)
    before = gateway.parts.links.read(urlsplit(sent.page).path.rsplit("/", 1)[1])
    await gateway.ledger.revoke_links(order.ref, before.made_at + timedelta(seconds=1))
    answer = await sent.touch(What.PAGE)
    assert (await gateway.http.get(urlsplit(answer.headers["location"]).path)).status_code == 404


async def test_opening_anything_a_hundred_times_changes_nothing(gateway: Gateway, order: Order) -> None:
    sent = await send(gateway, order)
    for _ in range(100):
        await sent.touch()
    for what in What:
        await sent.touch(what)
    assert await gateway.ledger.evidence(order.ref) == []
    assert await gateway.inbox() == []
    assert gateway.orders.facts == []


# -- verdicts -------------------------------------------------------------------------------------------------------


async def test_a_touch_is_graded_once_it_has_settled_and_not_before(gateway: Gateway, order: Order) -> None:
    sent = await send(gateway, order)
    await sent.touch()
    assert await grade_touches(gateway.parts) == 0
    gateway.clock.ahead = SETTLED - timedelta(seconds=5)
    assert await grade_touches(gateway.parts) == 0
    gateway.clock.ahead = LATER
    assert await grade_touches(gateway.parts) == 1
    assert await grade_touches(gateway.parts) == 0


async def test_a_persons_touch_is_one_fact_of_probably_displayed_told_once(
    gateway: Gateway, order: Order, database: Path
) -> None:
    sent = await send(gateway, order)
    await sent.touch()
    await sent.touch()
    (fact,) = await graded(gateway)
    assert (fact.event, fact.grade, fact.channel) == (EvidenceEvent.DISPLAYED, Grade.E3P, "email")
    assert (fact.revision, fact.kind, fact.n, fact.basis) == (1, Kind.CONFIRMATION, 1, "touch:pixel:person")
    assert gateway.orders.facts == [fact]
    (record,) = await gateway.ledger.evidence_records(order.ref)
    assert record.provenance.assurance is Assurance.NONE
    assert record.provenance.machine == ()
    stored = await gateway.ledger.send(str(sent.key))
    assert stored is not None
    assert record.provenance.content_sha256 == stored.body_sha256
    assert json.loads(record.raw or "")["count"] == 2
    (row,) = await rows(database)
    assert (row["grade"], row["reasons"]) == (Grade.E3P, "[]")
    await sent.touch()
    assert await graded(gateway) == [fact]
    assert gateway.orders.facts == [fact]


async def test_a_click_too_is_only_probably_a_person(gateway: Gateway, order: Order) -> None:
    sent = await send(gateway, order)
    await sent.touch(What.PAGE)
    (fact,) = await graded(gateway)
    assert (fact.grade, fact.basis) == (Grade.E3P, "touch:page:person")


async def test_a_machines_touch_says_why_and_proves_nothing(gateway: Gateway, order: Order, database: Path) -> None:
    sent = await send(gateway, order)
    await sent.touch(headers={"user-agent": "Mozilla/5.0"})
    (fact,) = await graded(gateway)
    assert (fact.event, fact.grade, fact.basis) == (EvidenceEvent.MACHINE_TOUCH, Grade.M, "touch:pixel:machine")
    (record,) = await gateway.ledger.evidence_records(order.ref)
    assert record.provenance.machine == (Reason.APPLE_MAIL_PRELOAD,)
    (row,) = await rows(database)
    assert (row["grade"], row["reasons"]) == (Grade.M, '["apple_mail_preload"]')


async def delivered(gateway: Gateway, sent: Sent, at: datetime) -> None:
    fact = EvidenceFact(
        id="delivered",
        event=EvidenceEvent.DELIVERED,
        grade=Grade.E2,
        channel="email",
        revision=1,
        kind=Kind.CONFIRMATION,
        occurred_at=at,
    )
    await gateway.ledger.record_evidence(sent.key.ref, fact, "{}")


async def test_what_is_no_news_is_recorded_and_not_told(gateway: Gateway, order: Order) -> None:
    sent = await send(gateway, order)
    await delivered(gateway, sent, gateway.clock() - timedelta(minutes=30))
    await sent.touch(headers={"user-agent": "curl/8.5.0"})
    facts = await graded(gateway)
    assert [fact.grade for fact in facts] == [Grade.E2, Grade.M]
    assert gateway.orders.facts == []
    assert await gateway.inbox() == []


async def test_within_ten_seconds_of_delivery_it_is_a_machine(gateway: Gateway, order: Order) -> None:
    sent = await send(gateway, order)
    await delivered(gateway, sent, gateway.clock() - timedelta(seconds=4))
    await sent.touch()
    facts = await graded(gateway)
    assert facts[-1].grade is Grade.M
    (_, record) = await gateway.ledger.evidence_records(order.ref)
    assert record.provenance.machine == (Reason.TOO_SOON,)


async def test_every_link_at_once_is_a_machine_and_the_honeypot_is_one_for_all_its_address_touches(
    gateway: Gateway, order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = StoreProfile(id="demo", display_name="Demo", url="https://shop.example")
    monkeypatch.setitem(gateway.parts.stores, "demo", store)
    sent = await send(gateway, order)
    for what in (What.PAGE, What.SHOP):
        await sent.touch(what)
    assert {fact.grade for fact in await graded(gateway)} == {Grade.M}
    reasons = {record.provenance.machine for record in await gateway.ledger.evidence_records(order.ref)}
    assert reasons == {(Reason.ALL_LINKS_AT_ONCE,)}


async def test_the_honeypot_betrays_its_address(gateway: Gateway, order: Order) -> None:
    sent = await send(gateway, order)
    for what in (What.PAGE, What.HONEYPOT):
        await sent.touch(what)
    assert {fact.grade for fact in await graded(gateway)} == {Grade.M}


async def test_a_honeypot_that_comes_after_the_verdict_grades_only_itself(gateway: Gateway, order: Order) -> None:
    sent = await send(gateway, order)
    await sent.touch(What.PAGE)
    (person,) = await graded(gateway)
    await sent.touch(What.HONEYPOT)
    facts = await graded(gateway)
    assert [fact.grade for fact in facts] == [Grade.E3P, Grade.M]
    assert facts[0] == person


async def test_a_touch_of_a_send_in_doubt_settles_that_it_went_out(gateway: Gateway, order: Order) -> None:
    sent = await send(gateway, order, kind=Kind.RECEIVED)
    doubtful = Sent(gateway, sent.key.model_copy(update={"n": 2}))
    content = Rendered(subject="Yours", text="Text")
    message = Message(key=doubtful.key, recipient=ADDRESS, kind=Kind.RECEIVED, language="en", content=content)
    await gateway.ledger.claim(doubtful.key, message, gateway.clock() - timedelta(hours=1), timedelta(minutes=1))
    await gateway.ledger.finish(
        doubtful.key, SendOutcome(channel="email", state=SendState.UNKNOWN), gateway.clock() - timedelta(hours=1)
    )
    await doubtful.touch(headers={"user-agent": "Mozilla/5.0"})
    (fact,) = await graded(gateway)
    assert gateway.orders.facts == [fact]
    stored = await gateway.ledger.send(str(doubtful.key))
    assert stored is not None
    assert stored.state is SendState.ACCEPTED


async def test_news_that_could_not_be_told_is_told_by_the_sweep_once(gateway: Gateway, order: Order) -> None:
    sent = await send(gateway, order)
    await sent.touch()
    gateway.orders.away = True
    (fact,) = await graded(gateway)
    assert gateway.orders.facts == []
    gateway.orders.away = False
    gateway.clock.ahead += GRACE + timedelta(seconds=1)
    assert await announce_stragglers(gateway.parts) == 1
    assert await announce_stragglers(gateway.parts) == 0
    assert gateway.orders.facts == [fact]


async def test_grading_runs_with_the_app(gateway: Gateway, order: Order) -> None:
    sent = await send(gateway, order)
    await sent.touch()
    gateway.clock.ahead = LATER
    app = create_app(gateway.parts)
    async with app.router.lifespan_context(app), asyncio.timeout(5):
        while not gateway.orders.facts:  # noqa: ASYNC110 (the job tells nobody)
            await asyncio.sleep(0.02)


async def test_after_its_days_a_touch_is_nobodys_and_its_verdict_stays(
    gateway: Gateway, order: Order, database: Path
) -> None:
    sent = await send(gateway, order)
    await sent.touch()
    await graded(gateway)
    assert await forget_touches(gateway.parts) == 0
    gateway.clock.ahead = timedelta(days=31)
    assert await forget_touches(gateway.parts) == 2
    (row,) = await rows(database)
    assert (row["address"], row["user_agent"], row["grade"]) == (None, None, Grade.E3P)
    (record,) = await gateway.ledger.evidence_records(order.ref)
    assert record.raw is None
    assert await gateway.ledger.verify_chain(order.ref) == []


# -- the desk -------------------------------------------------------------------------------------------------------


class SlowBook:
    """Writes when it is let, and counts what it was given."""

    def __init__(self) -> None:
        self.let, self.batches = asyncio.Event(), list[int]()

    async def record_touches(self, found: Sequence[Touch]) -> int:
        self.batches.append(len(found))
        await self.let.wait()
        return len(found)


async def test_a_burst_is_written_together_and_what_is_too_much_is_dropped() -> None:
    book = SlowBook()
    desk = TouchDesk(book)  # type: ignore[arg-type]
    touch = Touch(send_key="a", what=What.PIXEL, at=now())
    first = asyncio.create_task(desk.take(touch))
    await asyncio.sleep(0)
    async with asyncio.timeout(5):
        await asyncio.gather(*(desk.take(touch) for _ in range(MOST_WAITING + 500)))
        book.let.set()
        await first
    assert book.batches == [1, MOST_WAITING]


async def test_the_desk_goes_on_after_a_failure() -> None:
    class BrokenOnce(SlowBook):
        async def record_touches(self, found: Sequence[Touch]) -> int:
            self.batches.append(len(found))
            if len(self.batches) == 1:
                raise RuntimeError("a fault of ours")
            return len(found)

    book = BrokenOnce()
    desk = TouchDesk(book)  # type: ignore[arg-type]
    for _ in range(2):
        await desk.take(Touch(send_key="a", what=What.PIXEL, at=now()))
    assert book.batches == [1, 1]


# -- the buyer's page -----------------------------------------------------------------------------------------------


async def open_page(gateway: Gateway, url: str) -> httpx.Response:
    return await gateway.http.get(urlsplit(url).path, headers=BROWSER)


@pytest.mark.parametrize("channel", ["email", "text"])
async def test_opening_the_page_by_a_messages_own_link_touches_that_message(
    gateway: Gateway, order: Order, database: Path, channel: str
) -> None:
    await send(gateway, order, kind=Kind.RECEIVED)
    sent = await send(gateway, order, channel=channel)
    assert (await open_page(gateway, sent.page)).status_code == 200
    (row,) = await rows(database)
    assert row["what"] == What.PAGE
    assert row["user_agent"] == BROWSER["user-agent"]


async def test_the_head_of_the_page_touches_its_message_as_a_machine_does(
    gateway: Gateway, order: Order, database: Path
) -> None:
    sent = await send(gateway, order)
    assert (await gateway.http.head(urlsplit(sent.page).path, headers=BROWSER)).status_code == 200
    (row,) = await rows(database)
    assert (row["what"], row["method"]) == (What.PAGE, "HEAD")
    (fact,) = await graded(gateway)
    assert fact.grade is Grade.M


async def test_two_links_of_one_second_to_one_buyer_touch_each_its_own_message(
    gateway: Gateway, order: Order, database: Path
) -> None:
    with time_machine.travel(now(), tick=False):
        first = await send(gateway, order, kind=Kind.UPDATE)
        second = await send(gateway, order)
    assert first.made_at == second.made_at
    await open_page(gateway, second.page)
    (row,) = await rows(database)
    assert row["send_key"] == str(second.key)


async def test_a_tracked_click_and_the_page_that_it_opens_are_one_touch(
    gateway: Gateway, order: Order, database: Path
) -> None:
    sent = await send(gateway, order)
    await open_page(gateway, (await sent.touch(What.PAGE)).headers["location"])
    (row,) = await rows(database)
    assert (row["send_key"], row["what"], row["count"]) == (str(sent.key), What.PAGE, 2)


async def test_a_link_that_no_message_carried_touches_none(gateway: Gateway, order: Order, database: Path) -> None:
    await send(gateway, order)
    links = gateway.parts.links
    for url, status in (
        (links.url(order.ref), 200),
        (links.url(order.ref, via="email", recipient=ADDRESS), 200),
        (links.url(order.ref, via="email", recipient="somebody.else@example.com"), 404),
        (links.url(order.ref, role="order-desk", via="email", recipient=ADDRESS), 200),
    ):
        assert (await open_page(gateway, url)).status_code == status
    assert await rows(database) == []


async def test_our_own_people_opening_the_page_touch_nothing(gateway: Gateway, order: Order, database: Path) -> None:
    theirs = await send(gateway, order, role="order-desk")
    assert (await open_page(gateway, theirs.page)).status_code == 200
    assert await rows(database) == []


@pytest.mark.parametrize(
    ("rules", "counted"),
    [
        (TouchRules(), True),
        (TouchRules(pixel=False), True),
        (TouchRules(links=False), False),
        (TouchRules(off_in=frozenset({"US"})), True),
        (TouchRules(off_in=frozenset({"GB"})), False),
    ],
)
async def test_where_links_are_switched_off_opening_the_page_is_not_counted(
    gateway: Gateway, order: Order, database: Path, monkeypatch: pytest.MonkeyPatch, rules: TouchRules, counted: bool
) -> None:
    sent = await send(gateway, order)
    monkeypatch.setitem(gateway.parts.stores, "demo", StoreProfile(id="demo", display_name="Demo", touches=rules))
    assert (await open_page(gateway, sent.page)).status_code == 200
    assert bool(await rows(database)) is counted


async def test_links_that_are_out_when_a_store_switches_off_still_lead_and_count_no_more(
    gateway: Gateway, order: Order, database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = await send(gateway, order)
    off = StoreProfile(id="demo", display_name="Demo", touches=TouchRules(pixel=False, links=False))
    monkeypatch.setitem(gateway.parts.stores, "demo", off)
    assert (await sent.touch()).content == GIF
    assert (await sent.touch(What.PAGE)).headers["location"] == sent.page
    assert await rows(database) == []
