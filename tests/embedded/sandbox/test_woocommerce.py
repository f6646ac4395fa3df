"""The WooCommerce shop in the sandbox: the adapter, set up by the sandbox's settings alone, gets along with it."""

import pytest

from orderack.channels.woocommerce_note import WoocommerceNote, WoocommerceNoteSettings
from orderack.domain.acknowledgement import Reason
from orderack.embedded.sandbox import Action, Fault, Operation, Target
from orderack.errors import InDoubt, Misconfigured, Refused, Unavailable
from tests.conformance.channel import NOW, a_message
from tests.conformance.orders import known_as

MESSAGE = a_message("woocommerce_note", "ops").model_copy(update={"order": known_as("woocommerce", "723")})
NOTES = "/woocommerce/wp-json/wc/v3/orders/723/notes"


@pytest.fixture
async def channel(sandbox, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for name, value in sandbox.environment().items():
        monkeypatch.setenv(name, value)
    made = WoocommerceNote(WoocommerceNoteSettings())
    yield made
    await made.aclose()


@pytest.fixture
def login(sandbox):
    own = sandbox.environment()
    prefix = "ORDERACK_WOOCOMMERCE_NOTE_CONSUMER_"
    return own[f"{prefix}KEY"], own[f"{prefix}SECRET"]


async def test_a_note_is_written_found_again_and_seen(channel, sandbox):
    assert await channel.lookup(MESSAGE, NOW) is None
    sent = await channel.send(MESSAGE)
    assert (await channel.lookup(MESSAGE, NOW)).provider_id == sent.provider_id
    (entry,) = sandbox.state.log.entries(Target.WOOCOMMERCE)
    assert (entry.provider_id, entry.recipient) == (sent.provider_id, "order 723")
    (posted,) = sandbox.state.outbox.find("A-1001", Target.WOOCOMMERCE)
    assert MESSAGE.content.text in posted.text


async def test_the_check_reads_and_a_wrong_key_is_named(channel, monkeypatch):
    assert "can be read" in await channel.check()
    monkeypatch.setenv("ORDERACK_WOOCOMMERCE_NOTE_CONSUMER_SECRET", "cs_wrong")
    stranger = WoocommerceNote(WoocommerceNoteSettings())
    for asking in (stranger.check(), stranger.send(MESSAGE), stranger.lookup(MESSAGE, NOW)):
        with pytest.raises(Misconfigured, match="CONSUMER_SECRET"):
            await asking
    await stranger.aclose()


async def test_a_lost_answer_is_found_by_looking_it_up(channel, sandbox):
    sandbox.state.faults.add(Fault(target=Target.WOOCOMMERCE, action=Action.CUT_OFF_AFTER_ACCEPT))
    with pytest.raises(InDoubt):
        await channel.send(MESSAGE)
    assert (await channel.lookup(MESSAGE, NOW)).provider_id == "723/281"
    sandbox.state.faults.add(Fault(target=Target.WOOCOMMERCE, action=Action.CUT_OFF_BEFORE))
    other = MESSAGE.model_copy(update={"key": MESSAGE.key.model_copy(update={"n": 2})})
    with pytest.raises(InDoubt):
        await channel.send(other)
    assert await channel.lookup(other, NOW) is None
    assert sandbox.state.faults.unfired() == ()


@pytest.mark.parametrize(
    ("fault", "fate"),
    [
        ({"action": Action.REFUSE}, Refused),
        ({"action": Action.THROTTLE, "retry_after": 7}, Unavailable),
        ({"action": Action.FAIL}, InDoubt),
        ({"action": Action.NONSENSE}, InDoubt),
    ],
)
async def test_every_fault_has_its_fate(channel, sandbox, fault, fate):
    sandbox.state.faults.add(Fault(target=Target.WOOCOMMERCE, **fault))
    with pytest.raises(fate):
        await channel.send(MESSAGE)
    sandbox.state.faults.add(Fault(target=Target.WOOCOMMERCE, action=Action.FAIL, operation=Operation.LOOKUP))
    with pytest.raises(Unavailable):
        await channel.lookup(MESSAGE, NOW)


async def test_an_order_of_another_shop_is_refused(channel):
    with pytest.raises(Refused) as caught:
        await channel.send(MESSAGE.model_copy(update={"order": known_as("woocommerce", "4041")}))
    assert caught.value.reason is Reason.BAD_RECIPIENT


async def test_a_customer_note_would_be_a_mail_to_the_buyer_and_is_no_private_one(http, sandbox, login):
    created = await http.post(NOTES, json={"note": "Hello", "customer_note": True}, auth=login)
    assert created.status_code == 201
    assert sandbox.state.outbox.find("the buyer of order 723", Target.WOOCOMMERCE)
    assert (await http.get(f"{NOTES}?type=internal", auth=login)).json() == []
    assert len((await http.get(f"{NOTES}?type=customer", auth=login)).json()) == 1


@pytest.mark.parametrize(("body", "code"), [({}, "rest_missing_callback_param"), ({"note": 7}, "rest_invalid_param")])
async def test_a_bad_note_is_refused_in_wordpress_words(http, login, body, code):
    answer = await http.post(NOTES, json=body, auth=login)
    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert (await http.get(NOTES)).json()["code"] == "woocommerce_rest_cannot_view"
