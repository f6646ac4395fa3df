"""The look-alikes' tickets and our helpdesks, configured by the sandbox's environment alone."""

import base64
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from orderack import helpdesks
from orderack.embedded.sandbox import Action, Fault, Operation, Sandbox, Target
from orderack.embedded.sandbox.vendors.intercom import Intercom
from orderack.embedded.sandbox.vendors.zendesk import EXPORT_PAGE, Zendesk
from orderack.errors import Misconfigured, Unavailable
from orderack.helpdesks import _patience
from orderack.ports.helpdesk import Helpdesk, Ticket

UNTIL = datetime.now(UTC).replace(microsecond=0)
SINCE = UNTIL - timedelta(days=10)
WORDS = "Where is my order <1001> & co?"
TARGET = {"zendesk": Target.ZENDESK, "intercom": Target.INTERCOM}


def address(place: int) -> str:
    return f"buyer{place}@example.com"


def opened_at(place: int) -> datetime:
    return SINCE + timedelta(minutes=place + 1)


async def zendesk_tickets(env: dict[str, str], count: int) -> None:
    """Imported by the administrator, each with the time at which it was opened."""
    login = (f"{env['ORDERACK_HELPDESK_ZENDESK_EMAIL']}/token", env["ORDERACK_HELPDESK_ZENDESK_API_TOKEN"])
    async with httpx.AsyncClient(base_url=env["ORDERACK_HELPDESK_ZENDESK_BASE_URL"], auth=login) as http:
        for place in range(count):
            ticket = {
                "subject": "Question",
                "description": WORDS,
                "requester": {"name": "Ada", "email": address(place)},
                "created_at": opened_at(place).isoformat(),
                "tags": ["vip"],
            }
            (await http.post("/api/v2/imports/tickets", json={"ticket": ticket})).raise_for_status()


async def intercom_conversations(env: dict[str, str], count: int) -> None:
    """Begun by contacts, each at its time."""
    headers = {"Authorization": f"Bearer {env['ORDERACK_HELPDESK_INTERCOM_ACCESS_TOKEN']}"}
    async with httpx.AsyncClient(base_url=env["ORDERACK_HELPDESK_INTERCOM_BASE_URL"], headers=headers) as http:
        for place in range(count):
            query = {"query": {"field": "email", "operator": "=", "value": address(place)}}
            contact = (await http.post("/contacts/search", json=query)).json()["data"][0]
            begun = {
                "from": {"type": "user", "id": contact["id"]},
                "body": WORDS,
                "created_at": int(opened_at(place).timestamp()),
            }
            (await http.post("/conversations", json=begun)).raise_for_status()


@pytest.fixture(params=["zendesk", "intercom"])
async def desk(
    request: pytest.FixtureRequest, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Helpdesk]:
    env = dict(sandbox.environment())
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(_patience, "_FIRST", timedelta(milliseconds=1))
    await (zendesk_tickets if request.param == "zendesk" else intercom_conversations)(env, 230)
    found = helpdesks.build([request.param])[request.param]
    yield found
    await found.aclose()


async def read(desk: Helpdesk) -> list[Ticket]:
    return [ticket async for ticket in desk.tickets(SINCE, UNTIL)]


async def test_every_ticket_comes_over_several_pages_with_its_time_words_and_requester(
    sandbox: Sandbox, desk: Helpdesk
) -> None:
    tickets = await read(desk)
    assert len(tickets) == len({ticket.id for ticket in tickets}) == 230 > EXPORT_PAGE
    assert {(ticket.created_at, ticket.email) for ticket in tickets} == {
        (opened_at(place), address(place)) for place in range(230)
    }
    assert {ticket.text for ticket in tickets} == {WORDS}
    assert "signed in as admin" in await desk.check()


@pytest.mark.parametrize(
    "action", [Action.FAIL, Action.CUT_OFF_BEFORE, Action.CUT_OFF_AFTER_ACCEPT, Action.NONSENSE, Action.THROTTLE]
)
async def test_no_ticket_is_lost_or_doubled_by_trouble_in_the_middle(
    sandbox: Sandbox, desk: Helpdesk, action: Action
) -> None:
    seconds = {"retry_after": 0} if action is Action.THROTTLE else {}
    fault = Fault(target=TARGET[desk.name], action=action, operation=Operation.LOOKUP, times=3, **seconds)
    sandbox.state.faults.add(fault)
    tickets = await read(desk)
    assert len(tickets) == len({ticket.id for ticket in tickets}) == 230


async def test_trouble_that_does_not_end_is_told_and_an_expired_token_too(sandbox: Sandbox, desk: Helpdesk) -> None:
    sandbox.state.faults.add(Fault(target=TARGET[desk.name], action=Action.FAIL, operation=Operation.LOOKUP, times=99))
    with pytest.raises(Unavailable):
        await read(desk)
    sandbox.state.faults.clear()
    (vendor,) = [one for one in sandbox.vendors if one.target is TARGET[desk.name]]
    assert isinstance(vendor, Zendesk | Intercom)
    vendor.expire()
    with pytest.raises(Misconfigured):
        await read(desk)


async def test_an_agents_login_may_not_export_and_a_start_of_this_minute_is_refused(sandbox: Sandbox) -> None:
    env = sandbox.environment()
    base = env["ORDERACK_ZENDESK_BASE_URL"]
    agent = (f"{env['ORDERACK_ZENDESK_EMAIL']}/token", env["ORDERACK_ZENDESK_API_TOKEN"])
    admin = (f"{env['ORDERACK_HELPDESK_ZENDESK_EMAIL']}/token", env["ORDERACK_HELPDESK_ZENDESK_API_TOKEN"])
    path = "/api/v2/incremental/tickets/cursor"
    async with httpx.AsyncClient(base_url=base) as http:
        assert (await http.get(f"{path}?start_time=1", auth=agent)).status_code == 403
        assert (await http.get(f"{path}?start_time=1")).status_code == 401
        now = int(datetime.now(UTC).timestamp())
        assert (await http.get(f"{path}?start_time={now}", auth=admin)).status_code == 422
        strange = base64.urlsafe_b64encode(b"x").decode()
        assert (await http.get(f"{path}?cursor={strange}", auth=admin)).json()["end_of_stream"] is True
