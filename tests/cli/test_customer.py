"""`orderack customer` as a user has it: what is said of a customer, and wrong input."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import pytest_asyncio

from orderack.contracts.journal import ClockName, Event
from orderack.diagnostics.weekly.weeks import last_whole
from orderack.domain.acknowledgement import Kind
from orderack.domain.order import OrderRef
from orderack.ledger.database import Database, make_engine
from orderack.ledger.repository import SqlLedger
from tests.cli.conftest import Terminal
from tests.diagnostics.weekly.past import Life, keep
from tests.ledger import reaching
from tests.ledger.reaching import DAY, SMS, Customers
from tests.ledger_fixture import own_file

BERLIN = ZoneInfo("Europe/Berlin")
"""The demo store's."""


@pytest_asyncio.fixture
async def shop(bare: Terminal, sqlite_template: Path, tmp_path: Path) -> AsyncIterator[Terminal]:
    """A terminal on a ledger with one customer who answers text messages, and one whom only an address names."""
    folder = tmp_path / "ledger"
    folder.mkdir()
    ago = reaching.NOW - datetime.now(UTC)
    with own_file(sqlite_template, folder) as url:
        ledger = SqlLedger(Database(make_engine(url)))
        customers = Customers(ledger, "demo")
        for number in range(4):
            await customers.affirmed_by_sms(f"A-{number}", (2 + number) * DAY + ago)
        await customers.affirmed_by_sms("B-1", 2 * DAY + ago, customer=None)
        await customers.affirmed_by_sms("S-1", 2 * DAY + ago, customer="C-9")
        young = await customers.order("Y-1", ago + timedelta(hours=2), customer="C-young")
        await customers.send(young, SMS, datetime.now(UTC) - timedelta(hours=2))
        await customers.affirmed_by_sms("T-1", 2 * DAY + ago, customer="+49 30 555 1000")
        await ledger.aclose()
        bare.environment["ORDERACK_DATABASE_URL"] = url
        yield bare


@pytest_asyncio.fixture
async def lived(bare: Terminal, sqlite_template: Path, tmp_path: Path) -> AsyncIterator[Terminal]:
    """A terminal on a ledger with a good and a bad order of last week of one customer, and of numbers to dial."""
    folder = tmp_path / "lived"
    folder.mkdir()
    monday = last_whole(datetime.now(UTC), BERLIN).begins(BERLIN)
    lives = []
    for place, customer in enumerate(("C-lived", "C-lived", "(555) 123-4567", "00493055510000", "5552234567")):
        life = Life(OrderRef(store="demo", number=f"L-{place}"), monday + timedelta(hours=place), customer=customer)
        life.clock(ClockName.ACKNOWLEDGE, 0, 60, **({"breached": 60} if place == 1 else {"met": 5}))
        life.says(90 if place == 1 else 5, Kind.RECEIVED)
        if place == 1:
            life.note(900, Event.ESCALATED, "the ERP")
        life.note(1_000, Event.ERP_RECEIPT, f"SO-{place}")
        life.says(1_001, Kind.CONFIRMATION)
        lives.append(life)
    with own_file(sqlite_template, folder) as url:
        ledger = SqlLedger(Database(make_engine(url)))
        await keep(ledger, lives)
        await ledger.aclose()
        bare.environment["ORDERACK_DATABASE_URL"] = url
        yield bare


async def test_a_customers_channels_are_shown_with_what_they_suggest(shop: Terminal) -> None:
    ended = await shop("customer", "demo", "C-7")
    assert ended.code == 0
    assert "C-7, store demo" in ended.out
    assert "8 messages about 4 orders" in ended.out
    assert "learn_channels: off" in ended.out
    (row,) = [line.split() for line in ended.out.splitlines() if line.startswith("twilio_sms  ")]
    assert row[:8] == ["twilio_sms", "4", "4", "4", "4", "4", "2", "min"]
    assert "4 fell through" in ended.out
    assert (
        "twilio_sms reaches them better than sendgrid_email: 4 of 4 messages by twilio_sms were affirmed" in ended.out
    )


async def test_what_was_promised_and_kept_comes_first(lived: Terminal) -> None:
    ended = await lived("customer", "demo", "C-lived")
    assert ended.code == 0
    (said,) = [line for line in ended.out.splitlines() if line.startswith("reliability")]
    assert "8 whole weeks (Europe/Berlin): 2 orders; told in time 1 of 2" in said
    assert "confirmed without escalation 1 of 2" in said
    assert "went wrong: escalated (1), told late (1)" in said
    assert "No message went out to them." in ended.out
    told = (await lived("customer", "demo", "C-lived", "--weeks", "2", "--json")).json
    weekly = (await lived("report", "weekly", "--weeks", "2", "--customer", "C-lived", "--json")).json
    (store,) = [one for one in weekly["stores"] if one["store"] == "demo"]
    assert told["reliability"]["weeks"] == store["customer"], "one count, wherever it is shown"
    assert told["reliability"]["total"]["quietly"]["hits"] == 1


@pytest.mark.parametrize("id_", ["(555) 123-4567", "00493055510000", "5552234567"])
async def test_a_number_without_its_plus_is_masked_too(lived: Terminal, id_: str) -> None:
    for command in (("customer", "demo", id_), ("report", "weekly", "--customer", id_)):
        for more in ((), ("--json",)):
            ended = await lived(*command, *more)
            assert (ended.code, id_ in ended.out + ended.err) == (0, False), command
    assert "address #" in ended.out


async def test_orders_without_a_customers_id_are_in_nobodys_record(shop: Terminal) -> None:
    ended = await shop("customer", "demo", "ada@example.com")
    assert "not counted: orders without a customer's id are in nobody's record" in ended.out
    assert (await shop("customer", "demo", "ada@example.com", "--json")).json["reliability"] is None


async def test_a_message_of_today_is_said_to_wait_for_its_answer(shop: Terminal) -> None:
    ended = await shop("customer", "demo", "C-young")
    assert (ended.code, "0 messages about 1 order" in ended.out) == (0, True)
    assert "1 message of less than a day ago, without an answer so far" in ended.out
    assert (await shop("customer", "demo", "C-young", "--json")).json["reach"]["waiting"] == 1
    assert "less than a day" not in (await shop("customer", "demo", "C-7")).out


async def test_the_same_as_json(shop: Terminal) -> None:
    told = (await shop("customer", "demo", "C-7", "--json")).json
    assert (told["customer_id"], told["found"], told["learns"], told["reach"]["orders"]) == ("C-7", True, "off", 4)
    assert told["suggestion"]["best"]["channel"] == SMS
    assert told["reach"]["channels"][0]["affirmed"] == 4


async def test_where_the_store_has_no_id_an_address_finds_the_customer_and_is_not_shown(shop: Terminal) -> None:
    for more in ((), ("--json",)):
        ended = await shop("customer", "demo", "ADA@example.com", *more)
        assert ended.code == 0
        assert "xample.com" not in ended.out + ended.err
    assert ended.json["customer_id"] is None
    assert ended.json["reach"]["orders"] == 1


async def test_an_address_that_a_shop_uses_as_its_customers_id_is_not_shown(shop: Terminal) -> None:
    ended = await shop("customer", "demo", "+49 30 555 1000")
    assert (ended.code, ended.out.count("5551000"), ended.out.count("555 1000")) == (0, 0, 0)


async def test_one_message_is_too_few_to_suggest_anything(shop: Terminal) -> None:
    ended = await shop("customer", "demo", "C-9")
    assert ended.code == 0
    assert "2 messages about 1 order," in ended.out
    assert "Nothing to suggest: that takes 3 messages by one channel" in ended.out


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("demo", "nobody"), 1, "no message went to such a customer of demo in the last 365 days"),
        (("demo", "nobody@example.com"), 1, "no message went to such a customer"),
        (("dmo", "C-7"), 2, "the policy has no store 'dmo'. Remedy: did you mean demo?"),
        (("demo", "  "), 2, "CUSTOMER: is empty"),
        (("demo",), 2, "CUSTOMER"),
    ],
)
async def test_whoever_is_not_known_is_told_apart_from_a_wrong_word(
    shop: Terminal, arguments: tuple[str, ...], code: int, said: str
) -> None:
    ended = await shop("customer", *arguments)
    assert (ended.code, ended.out) == (code, "")
    assert said in ended.err


async def test_who_is_not_known_is_so_in_json_too(shop: Terminal) -> None:
    ended = await shop("customer", "demo", "nobody", "--json")
    assert (ended.code, ended.json["found"], ended.json["reach"]["channels"]) == (1, False, [])


async def test_without_a_ledger_nothing_is_made_up(bare: Terminal) -> None:
    ended = await bare("customer", "demo", "C-7", ORDERACK_DATABASE_URL="sqlite+aiosqlite:////nowhere/ledger.db")
    assert ended.code == 3
    assert "there is no ledger" in ended.err
