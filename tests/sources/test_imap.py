"""A mailbox that is looked into: against a server that speaks IMAP."""

from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import ClassVar

import pytest
from pydantic import ValidationError

from orderack.embedded.sandbox.faults import Action, Fault, Operation, Target
from orderack.embedded.sandbox.state import SandboxState
from orderack.embedded.sandbox.vendors.imap import USER, ImapMailbox
from orderack.errors import Misconfigured, Unavailable
from orderack.ports import Connection, Delivery, Looked, Snapshot
from orderack.sources.imap import AT_A_TIME, Imap, ImapSettings
from tests.conformance.source import NOW, AnySource
from tests.sources.mails import Case, mail_of
from tests.sources.measure import ANYBODY

LINE = "PO number: 4711\n10 x AB-100 Blue lamp @ 3.50 EUR\n"


@pytest.fixture
async def mailbox() -> AsyncIterator[ImapMailbox]:
    box = ImapMailbox(SandboxState())
    async with box.listening("127.0.0.1"):
        yield box


def imap(box: ImapMailbox, **more: object) -> Imap:
    settings = ImapSettings.model_validate({**box.connection(""), **more})
    return Imap(TestImap().connection(), settings, clock=lambda: NOW)


def arrive(box: ImapMailbox, *names: str) -> None:
    for name in names:
        box.arrive(mail_of(Case(name, text=LINE)), NOW - timedelta(minutes=5))


async def all_of(source: Imap, cursor: str = "") -> tuple[list[Delivery], Looked]:
    looked = await source.look(cursor, NOW)
    found = list(looked.deliveries)
    while looked.more:
        looked = await source.look(looked.cursor, NOW)
        found += looked.deliveries
    return found, looked


class TestImap(AnySource):
    name: ClassVar[str] = "imap"
    secrets: ClassVar[Sequence[str]] = ("password-of-the-mailbox",)
    required: ClassVar[Sequence[str]] = ("host", "user", "password")

    def connection(self) -> Connection:
        return super().connection().model_copy(update={"partners": ANYBODY})

    def make(self, base_url: str = "") -> Imap:
        settings = ImapSettings(host="127.0.0.1", user=USER, password="password-of-the-mailbox")
        return Imap(self.connection(), settings, clock=lambda: NOW)


async def test_each_mail_is_brought_once_and_later_only_what_is_new(mailbox: ImapMailbox) -> None:
    source = imap(mailbox)
    arrive(mailbox, "one", "two")
    first, looked = await all_of(source)
    again, looked = await all_of(source, looked.cursor)
    arrive(mailbox, "three")
    then, _ = await all_of(source, looked.cursor)
    assert [len(first), len(again), len(then)] == [2, 0, 1]
    (reading,) = await source.read(first[0])
    assert isinstance(reading, Snapshot)
    assert reading.order.trigger_at == NOW - timedelta(minutes=5), "the clock starts when the mail arrived"
    assert reading.order.number == "4711"


async def test_many_mails_come_in_several_looks_and_none_is_lost(mailbox: ImapMailbox) -> None:
    arrive(mailbox, *(f"mail {place}" for place in range(AT_A_TIME * 2 + 3)))
    found, looked = await all_of(imap(mailbox))
    assert len({one.id for one in found}) == AT_A_TIME * 2 + 3
    assert not looked.more


async def test_what_lay_there_long_before_the_first_look_is_left_alone(mailbox: ImapMailbox) -> None:
    mailbox.arrive(mail_of(Case("old", text=LINE)), NOW - timedelta(days=30))
    arrive(mailbox, "new")
    found, _ = await all_of(imap(mailbox))
    assert len(found) == 1


async def test_a_mailbox_made_anew_is_read_again_and_the_same_mails_have_the_same_ids(mailbox: ImapMailbox) -> None:
    source = imap(mailbox)
    arrive(mailbox, "one", "two")
    first, looked = await all_of(source)
    mailbox.made_anew()
    arrive(mailbox, "three")
    again, _ = await all_of(source, looked.cursor)
    assert {one.id for one in first} < {one.id for one in again}
    assert len(again) == 3


async def test_nothing_is_marked_or_opened_for_writing_unless_a_setting_says_so(mailbox: ImapMailbox) -> None:
    arrive(mailbox, "one")
    _, looked = await all_of(imap(mailbox))
    await all_of(imap(mailbox), looked.cursor)
    assert not mailbox.mails[0].flags
    assert not [command for command in mailbox.commands if command.startswith(("SELECT", "UID STORE"))]
    assert all("BODY.PEEK" in command for command in mailbox.commands if command.startswith("UID FETCH"))


async def test_a_mail_is_marked_by_the_look_after_the_one_that_brought_it(mailbox: ImapMailbox) -> None:
    source = imap(mailbox, mark_seen=True)
    arrive(mailbox, "one")
    _, looked = await all_of(source)
    assert not mailbox.mails[0].flags, "it may not have been recorded yet"
    arrive(mailbox, "two")
    await all_of(source, looked.cursor)
    assert mailbox.mails[0].flags == {"\\Seen"}
    assert not mailbox.mails[1].flags


async def test_a_wrong_password_or_folder_is_the_shops_to_mend(mailbox: ImapMailbox) -> None:
    with pytest.raises(Misconfigured, match="USER and PASSWORD"):
        await imap(mailbox, password="wrong").look("", NOW)
    with pytest.raises(Misconfigured, match="FOLDER"):
        await imap(mailbox, folder="Orders").look("", NOW)


@pytest.mark.parametrize(
    ("action", "command"),
    [
        *((Action.CUT_OFF_BEFORE, command) for command in ("LOGIN", "EXAMINE", "SEARCH", "FETCH")),
        *((Action.FAIL, command) for command in ("LOGIN", "SEARCH", "FETCH")),
    ],
)
async def test_a_server_that_breaks_off_anywhere_is_away_and_loses_no_mail(
    mailbox: ImapMailbox, action: Action, command: str
) -> None:
    source = imap(mailbox)
    arrive(mailbox, "one")
    mailbox.state.faults.add(Fault(target=Target.IMAP, action=action, match=command, operation=Operation.ANY))
    with pytest.raises(Unavailable):
        await source.look("", NOW)
    found, _ = await all_of(source)
    assert len(found) == 1


async def test_no_server_is_away(mailbox: ImapMailbox) -> None:
    with pytest.raises(Unavailable):
        await imap(mailbox, port=9).look("", NOW)


async def test_a_cursor_that_is_none_of_ours_begins_some_days_back(mailbox: ImapMailbox) -> None:
    arrive(mailbox, "one")
    found, _ = await all_of(imap(mailbox), "nonsense")
    assert len(found) == 1


async def test_the_check_says_how_many_mails_there_are(mailbox: ImapMailbox) -> None:
    arrive(mailbox, "one", "two")
    assert "2 mails" in await imap(mailbox).check()


def test_tls_may_be_off_on_this_machine_only() -> None:
    with pytest.raises(ValidationError, match="TLS"):
        ImapSettings(host="mail.example.com", user="a", password="b", tls=False)
    ImapSettings(host="127.0.0.1", user="a", password="b", tls=False)
    with pytest.raises(ValidationError, match="FOLDER"):
        ImapSettings(host="mail.example.com", user="a", password="b", folder='x"\r\nDELETE')
