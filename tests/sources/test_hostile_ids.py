"""Ids, pages and addresses that a body names: no login goes elsewhere, and no request is another than was meant."""

import contextlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from urllib.parse import parse_qsl, urlsplit

import pytest

from orderack.clients.http import Http
from orderack.domain.source import AnswerKey, AnswerStage
from orderack.errors import OrderAckError, Refused
from orderack.ports import Answers, Fetches, Looks, Source, SourceAnswer
from tests.conformance.erp import an_order
from tests.conformance.peer import Answer, Peer, json_answer, running_peer
from tests.conformance.source import NOW
from tests.gateway.source_suites import SUITES

HOSTILE = (
    *("../../admin", "..", ".", "1/../2", "1?x=y", "1#x", "1%2f..%2f2", "1%00", "1\n2", "1\r\nX-Evil: 1", "\\\\evil"),
    *("@evil.example/", ":80@evil.example", "//evil.example/", "https://evil.example/", "1;DROP TABLE orders", "1&x=y"),
    *(
        "' OR '1'='1",
        "1') OR (1 eq 1",
        '1" OR "',
        "${jndi:x}",
        "{{7*7}}",
        "١٢٣",
        "１２",
        "é",
        "1\u20282",
        "🍵",
        "x" * 200,
    ),
)
ELSEWHERE = "https://evil.example/next"
NAMES = sorted(SUITES)
TOKEN: Mapping[str, object] = {"access_token": "token-of-tests", "expires_in": 3600, "token_type": "Bearer"}
LEADING_AWAY = {
    **TOKEN,
    **dict.fromkeys(("instance_url", "api_domain", "nextRecordsUrl", "next", "href", "nextCursor", "url"), ELSEWHERE),
    "done": False,
    "records": [],
    "orders": [],
    "results": [],
    "data": [],
    "info": {"more_records": False},
    "items": [],
    "total_count": 0,
    "paging": {"next": {"link": ELSEWHERE, "after": "1&x=" + ELSEWHERE}},
    "pagination": {"nextToken": ELSEWHERE},
    "meta": {"nextCursor": ELSEWHERE, "pagination": {"links": {"next": ELSEWHERE}}},
    "list": {"meta": {"nextCursor": "?" + ELSEWHERE}, "elements": {"order": []}},
}
AWAY = {"Link": f'<{ELSEWHERE}>; rel="next"', "Location": ELSEWHERE}


@asynccontextmanager
async def asked(name: str, answer: Answer) -> AsyncIterator[tuple[Source, Peer]]:
    async with running_peer() as peer, SUITES[name]().made(peer.url) as source:
        peer.will(answer)
        peer.aside = lambda request: json_answer(200, dict(TOKEN)) if "token" in request.target else None  # type: ignore[arg-type]
        yield source, peer


def shape(target: str) -> tuple[int, tuple[str, ...]]:
    """How many segments its path has, and the names in its query."""
    parts = urlsplit(target)
    return parts.path.count("/"), tuple(sorted({key for key, _ in parse_qsl(parts.query, keep_blank_values=True)}))


async def answered(source: Source, external_id: str) -> None:
    assert isinstance(source, Answers)
    key = AnswerKey(ref=an_order().ref, revision=1, stage=AnswerStage.CONFIRMED)
    await source.answer(SourceAnswer(key=key, order=an_order(), external_id=external_id, now=NOW))


async def said(source: Source, external_id: str) -> None:
    """Whatever can be asked or told of an order, of this one."""
    if isinstance(source, Fetches):
        with contextlib.suppress(OrderAckError):
            await source.fetch(external_id)
    if isinstance(source, Answers):
        with contextlib.suppress(OrderAckError):
            await answered(source, external_id)


@pytest.mark.parametrize("name", NAMES)
async def test_no_id_makes_another_request_of_the_one_that_was_meant(name: str) -> None:
    async with asked(name, json_answer(404, {})) as (source, peer):
        for benign in ("1", "1234567890", "006xx0000000001AAA", "12-34567-89012", "123-1234567-1234567", "deal/1"):
            await said(source, benign)
        meant = {(request.method, *shape(request.target)) for request in peer.received}
        peer.received.clear()
        for external_id in HOSTILE:
            await said(source, external_id)
        for request in peer.received:
            assert (request.method, *shape(request.target)) in meant, request.target
            assert "x-evil" not in request.headers
            assert not set("\\'\" ") & set(request.target)


@pytest.mark.parametrize("status", [200, 301, 302, 307, 308])
@pytest.mark.parametrize("name", NAMES)
async def test_nothing_that_a_system_answers_leads_a_login_elsewhere(
    name: str, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    hosts = set()
    address = Http._address

    def noted(self: Http, path: str) -> object:
        url = address(self, path)
        hosts.add(url.host)
        return url

    monkeypatch.setattr(Http, "_address", noted)
    async with asked(name, json_answer(status, LEADING_AWAY, AWAY)) as (source, peer):  # type: ignore[arg-type]
        await said(source, "1234567890")
        cursor = ""
        for _ in range(3 if isinstance(source, Looks) else 0):
            with contextlib.suppress(OrderAckError, OSError):
                cursor = (await source.look(cursor, NOW)).cursor  # type: ignore[attr-defined]
        assert hosts <= {"127.0.0.1"}
        assert not [one.target for one in peer.received if one.target.startswith(("//", "http"))]


@pytest.mark.parametrize(
    "path", ["@evil.example/", ":80@evil.example/", ".evil.example/", "\\evil", "/x\n", "/" + "x" * 70_000, "/\ud800"]
)
async def test_a_path_that_is_none_is_refused_before_anything_is_sent(path: str) -> None:
    http = Http("Example", "https://api.example.com", headers={"Authorization": "Bearer secret"})
    with pytest.raises(Refused) as refused:
        await http.send("GET", path)
    assert "evil" not in str(refused.value)
    await http.aclose()
