"""ActiveCampaign in the sandbox: the adapter, set up by the sandbox's settings alone, gets along with it."""

import pytest

from orderack.channels.activecampaign import Activecampaign, ActivecampaignSettings
from orderack.domain.acknowledgement import Reason
from orderack.embedded.sandbox import Action, Fault, Operation, Target
from orderack.errors import InDoubt, Misconfigured, Refused, Unavailable
from tests.conformance.channel import NOW, a_message
from tests.conformance.orders import ORDER

MESSAGE = a_message("activecampaign", "ada@example.com").model_copy(update={"order": ORDER})
REVISED = MESSAGE.model_copy(update={"key": MESSAGE.key.model_copy(update={"revision": 2})})


@pytest.fixture
async def channel(sandbox, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for name, value in sandbox.environment().items():
        monkeypatch.setenv(name, value)
    made = Activecampaign(ActivecampaignSettings())
    yield made
    await made.aclose()


async def test_an_order_is_one_purchase_and_its_revision_no_second(channel, sandbox):
    sent, revised = await channel.send(MESSAGE), await channel.send(REVISED)
    assert sent.provider_id == revised.provider_id
    assert len(sandbox.state.log.entries(Target.ACTIVECAMPAIGN)) == 2
    (mail,) = sandbox.state.outbox.find("A-1001", Target.ACTIVECAMPAIGN)
    assert (mail.recipient, mail.subject) == ("ada@example.com", "Your order A-1001")
    assert "2 x Green tea" in mail.text
    assert MESSAGE.content.link in mail.text
    assert await channel.lookup(MESSAGE, NOW) is None
    assert (await channel.lookup(REVISED, NOW)).provider_id == sent.provider_id


async def test_a_lost_answer_is_found_by_looking_it_up_and_one_that_never_came_is_not(channel, sandbox):
    sandbox.state.faults.add(Fault(target=Target.ACTIVECAMPAIGN, action=Action.CUT_OFF_BEFORE))
    with pytest.raises(InDoubt):
        await channel.send(MESSAGE)
    assert await channel.lookup(MESSAGE, NOW) is None
    sandbox.state.faults.add(Fault(target=Target.ACTIVECAMPAIGN, action=Action.CUT_OFF_AFTER_ACCEPT))
    with pytest.raises(InDoubt):
        await channel.send(MESSAGE)
    assert (await channel.lookup(MESSAGE, NOW)).provider_id == "1"
    assert len(sandbox.state.outbox.find("", Target.ACTIVECAMPAIGN)) == 1
    assert sandbox.state.faults.unfired() == ()


@pytest.mark.parametrize(
    ("fault", "fate"),
    [
        ({"action": Action.REFUSE}, Refused),
        ({"action": Action.THROTTLE, "retry_after": 1}, Unavailable),
        ({"action": Action.FAIL}, InDoubt),
        ({"action": Action.NONSENSE}, InDoubt),
        ({"action": Action.FAIL, "operation": Operation.LOOKUP}, Unavailable),
        ({"action": Action.CUT_OFF_AFTER_ACCEPT, "operation": Operation.LOOKUP, "after": 1}, Unavailable),
    ],
)
async def test_every_fault_has_its_fate(channel, sandbox, fault, fate):
    sandbox.state.faults.add(Fault(target=Target.ACTIVECAMPAIGN, **fault))
    with pytest.raises(fate) as caught:
        await channel.send(MESSAGE)
    if isinstance(caught.value, Refused):
        assert caught.value.reason is Reason.BAD_RECIPIENT
    assert sandbox.state.faults.unfired() == ()


async def test_a_customer_whose_making_was_cut_off_is_found_the_next_time(channel, sandbox):
    cut = Fault(target=Target.ACTIVECAMPAIGN, action=Action.CUT_OFF_AFTER_ACCEPT, operation=Operation.LOOKUP, after=1)
    sandbox.state.faults.add(cut)
    with pytest.raises(Unavailable):
        await channel.send(MESSAGE)
    assert sandbox.state.log.entries(Target.ACTIVECAMPAIGN) == ()
    assert (await channel.send(MESSAGE)).provider_id == "1"


async def test_the_check_names_the_user_and_each_wrong_setting_is_named(channel, monkeypatch):
    assert "signed in as sandbox" in await channel.check()
    monkeypatch.setenv("ORDERACK_ACTIVECAMPAIGN_CONNECTION_ID", "9")
    elsewhere = Activecampaign(ActivecampaignSettings())
    for asking in (elsewhere.check(), elsewhere.send(MESSAGE)):
        with pytest.raises(Misconfigured, match="CONNECTION_ID"):
            await asking
    monkeypatch.setenv("ORDERACK_ACTIVECAMPAIGN_API_TOKEN", "wrong")
    stranger = Activecampaign(ActivecampaignSettings())
    for asking in (stranger.check(), stranger.send(MESSAGE), stranger.lookup(MESSAGE, NOW)):
        with pytest.raises(Misconfigured, match="API_TOKEN"):
            await asking
    for one in (elsewhere, stranger):
        await one.aclose()


async def test_a_second_order_of_one_number_is_a_duplicate(channel, http, sandbox):
    await channel.send(MESSAGE)
    token = sandbox.environment()["ORDERACK_ACTIVECAMPAIGN_API_TOKEN"]
    order = {
        "externalid": "shop/A-1001",
        "source": 1,
        "email": "ada@example.com",
        "totalPrice": 1,
        "currency": "EUR",
        "connectionid": 1,
        "customerid": 1,
        "externalCreatedDate": "2026-11-21T09:00:00Z",
    }
    for change, code in (
        ({}, "duplicate"),
        ({"totalPrice": 1.5}, "field_invalid"),
        ({"totalPrice": 2**31}, "field_invalid"),
        ({"customerid": 9}, "related_missing"),
    ):
        body = {"ecomOrder": order | change}
        answer = await http.post("/activecampaign/api/3/ecomOrders", json=body, headers={"Api-Token": token})
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, code)
