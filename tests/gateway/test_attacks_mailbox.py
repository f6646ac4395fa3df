"""Mails by which somebody would keep a mailbox from being read: one that breaks its reader, and ten thousand."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from orderack.clients import mailbox
from orderack.clients.bounces import read
from orderack.clients.mailbox import AT_A_TIME, Arrived, MailboxEvents
from orderack.clients.own_message_ids import OwnMessageIds
from orderack.domain.evidence import EvidenceEvent
from tests.conformance.channel import NOW
from tests.gateway.attack_world import TOO_LONG, watched

IDS = OwnMessageIds(SecretStr("a long secret of the test's own"), "shop.example")
OURS = IDS.of("shop/A-1001/1/confirmation/1/gmail")


def answer(body: bytes, kind: str = "text/plain; charset=utf-8") -> bytes:
    """A buyer's reply to our message."""
    head = f"From: Ada <ada@example.com>\r\nIn-Reply-To: {OURS}\r\nContent-Type: {kind}\r\n\r\n"
    return head.encode() + body


@dataclass
class Held:
    """A mailbox in memory."""

    mails: Sequence[bytes]
    fetched: list[str] = field(default_factory=list)

    async def arrived(self, since: object) -> Sequence[str]:
        return [str(place) for place in range(len(self.mails))]

    async def mail(self, mail_id: str) -> Arrived | None:
        self.fetched.append(mail_id)
        return Arrived(at=NOW, mail=self.mails[int(mail_id)])


HALVES = {
    "utf-7": answer(b"yes +2AA-", "text/plain; charset=utf-7"),
    "html": answer(b"<p>no +2ADYAA-", "text/html; charset=utf7"),
    "report": b"Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n--b\r\n"
    b"Content-Type: message/delivery-status\r\n\r\nX-\xff\xfe: \xff\r\nAction: failed\r\nY-\xed: 1\r\n\r\n--b--\r\n",
}


@pytest.mark.parametrize("name", HALVES)
async def test_half_a_character_in_one_mail_keeps_no_other_from_being_read(name: str) -> None:
    found = await MailboxEvents("gmail", Held([HALVES[name], answer(b"yes")]), IDS).since(NOW)
    assert [event.text for event in found][-1] == "yes"
    assert len(found) == 2
    for report in read(HALVES[name], IDS):
        report.model_dump_json().encode()


async def test_a_mail_that_breaks_its_reader_is_left_and_the_others_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(mail: bytes, ids: OwnMessageIds) -> object:
        if b"poison" in mail:
            raise RuntimeError(mail)
        return read(mail, ids)

    monkeypatch.setattr(mailbox, "read", breaks)
    held = Held([answer(b"poison"), answer(b"yes")])
    events = MailboxEvents("gmail", held, IDS)
    with capture_logs() as logged:
        found = [event for _ in range(3) for event in await events.since(NOW)]
    assert {event.text for event in found} == {"yes"}
    assert held.fetched == ["0", "1"]
    assert [line["event"] for line in logged] == ["a mail cannot be read and is left unread"]


async def test_ten_thousand_mails_are_read_a_hundred_at_a_time_and_none_twice() -> None:
    held = Held([answer(f"no {place}".encode()) for place in range(10_000)])
    events = MailboxEvents("gmail", held, IDS)
    async with watched() as watch:
        first, second = await events.since(NOW), await events.since(NOW)
    assert (len(first), len(second)) == (AT_A_TIME, 2 * AT_A_TIME)
    assert len(held.fetched) == len(set(held.fetched)) == 2 * AT_A_TIME
    assert {event.event for event in second} == {EvidenceEvent.REPLIED}
    assert watch.longest < TOO_LONG


@pytest.mark.parametrize(
    "mail",
    [
        answer(b"x" * 50_000_000),
        answer(b"<" * 1_000_000, "text/html"),
        answer(b"> \n" * 1_000_000),
        answer(b"=" * 1_000_000, "text/plain; charset=utf-7"),
        b"Content-Type: multipart/mixed; boundary=b\r\n" + b"--b\r\n" * 100_000,
    ],
    ids=["50 MB", "angles", "quotations", "utf-7", "parts"],
)
async def test_a_huge_mail_holds_nobody_up(mail: bytes) -> None:
    async with watched() as watch:
        await MailboxEvents("gmail", Held([mail]), IDS).since(NOW)
    assert watch.longest < TOO_LONG
