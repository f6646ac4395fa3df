"""The Shopify shop in the sandbox: the adapter, set up by the sandbox's settings alone, gets along with it."""

import pytest

from orderack.channels.shopify_note import ShopifyNote, ShopifyNoteSettings
from orderack.clients.shopify import WRITE
from orderack.domain.acknowledgement import Reason
from orderack.embedded.sandbox import Action, Fault, Target
from orderack.errors import InDoubt, Misconfigured, Refused, Unavailable
from tests.conformance.channel import a_message
from tests.conformance.orders import known_as

MESSAGE = a_message("shopify_note", "ops").model_copy(update={"order": known_as("shopify", "820982911946154508")})
GRAPHQL = "/shopify/admin/api/2026-07/graphql.json"


@pytest.fixture
async def channel(sandbox, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for name, value in sandbox.environment().items():
        monkeypatch.setenv(name, value)
    made = ShopifyNote(ShopifyNoteSettings())
    yield made
    await made.aclose()


async def test_a_record_is_written_once_however_often_it_is_set(channel, sandbox):
    first, again = [await channel.send(MESSAGE) for _ in range(2)]
    assert first == again
    entries = sandbox.state.log.entries(Target.SHOPIFY, key=MESSAGE.key_text)
    assert [entry.repeated for entry in entries] == [False, True]
    assert entries[0].recipient == "gid://shopify/Order/820982911946154508"
    (posted,) = sandbox.state.outbox.find("A-1001", Target.SHOPIFY)
    assert (posted.subject, posted.text) == (MESSAGE.content.subject, MESSAGE.content.text)


async def test_the_check_names_the_shop_and_a_wrong_secret_is_named(channel, monkeypatch):
    assert "Sandbox" in await channel.check()
    monkeypatch.setenv("ORDERACK_SHOPIFY_NOTE_CLIENT_SECRET", "shpss_wrong")
    stranger = ShopifyNote(ShopifyNoteSettings())
    for asking in (stranger.check(), stranger.send(MESSAGE)):
        with pytest.raises(Misconfigured, match="CLIENT_SECRET"):
            await asking
    await stranger.aclose()


async def test_a_lost_answer_is_in_doubt_and_the_same_set_again_settles_it(channel, sandbox):
    sandbox.state.faults.add(Fault(target=Target.SHOPIFY, action=Action.CUT_OFF_AFTER_ACCEPT))
    with pytest.raises(InDoubt):
        await channel.send(MESSAGE)
    await channel.send(MESSAGE)
    assert len(sandbox.state.outbox.find("", Target.SHOPIFY)) == 1
    assert sandbox.state.faults.unfired() == ()


@pytest.mark.parametrize(
    ("fault", "fate"),
    [
        ({"action": Action.REFUSE}, Refused),
        ({"action": Action.REFUSE, "code": "APP_NOT_AUTHORIZED"}, Misconfigured),
        ({"action": Action.THROTTLE, "retry_after": 7}, Unavailable),
        ({"action": Action.FAIL}, InDoubt),
        ({"action": Action.NONSENSE}, InDoubt),
    ],
)
async def test_every_fault_has_its_fate(channel, sandbox, fault, fate):
    sandbox.state.faults.add(Fault(target=Target.SHOPIFY, **fault))
    with pytest.raises(fate) as caught:
        await channel.send(MESSAGE)
    if isinstance(caught.value, Unavailable):
        assert caught.value.retry_after.total_seconds() == 7


async def test_an_order_that_the_shop_does_not_have_is_refused(channel):
    with pytest.raises(Refused) as caught:
        await channel.send(MESSAGE.model_copy(update={"order": known_as("shopify", "4041")}))
    assert caught.value.reason is Reason.BAD_RECIPIENT


async def test_a_stranger_and_bad_variables_are_told_so_in_shopifys_words(http, sandbox):
    stranger = await http.post(GRAPHQL, json={"query": WRITE})
    assert (stranger.status_code, "Invalid API key" in stranger.json()["errors"]) == (401, True)
    own = sandbox.environment()
    form = {
        "grant_type": "client_credentials",
        "client_id": own["ORDERACK_SHOPIFY_NOTE_CLIENT_ID"],
        "client_secret": own["ORDERACK_SHOPIFY_NOTE_CLIENT_SECRET"],
    }
    token = (await http.post("/shopify/admin/oauth/access_token", data=form)).json()["access_token"]
    bad = await http.post(GRAPHQL, json={"query": WRITE}, headers={"X-Shopify-Access-Token": token})
    assert (bad.status_code, bad.json()["errors"][0]["extensions"]["code"]) == (200, "INVALID_VARIABLE")
