"""A message that waits for its only channel: it keeps no other from its way, and a later word overtakes it."""

from orderack.contracts.journal import Event
from orderack.domain.acknowledgement import SendState
from tests.workflows.orders import HOUR, MINUTE, a_decision, a_receipt, an_assessment, an_order
from tests.workflows.world import Story, World, a_number, submit


async def begun(
    world: World, held: str, *leg: str, beside: tuple[str, ...] = (), refused: tuple[str, ...] = ()
) -> Story:
    """An order whose buyer is told by this leg, and by one beside it."""
    order = an_order(a_number(), await world.now())
    script = world.script(order.number)
    script.assess = lambda r: an_assessment(r.order, r.revision, a_decision(legs=(leg, beside) if beside else (leg,)))
    script.send = lambda d, n: SendState.REJECTED if d.channel in refused else SendState.ACCEPTED
    script.held = {held}
    return await submit(world, order)


async def test_the_buyer_s_fallback_does_not_wait_for_the_owner_s_channel(world: World) -> None:
    story = await begun(world, "slack", "email", "sms", refused=("email",))
    await story.sleep(MINUTE * 20)
    assert story.minutes("holding", "sms") == [15.0]
    assert story.script.kinds("internal") == []
    story.script.held.clear()
    await story.sleep(MINUTE * 5)
    assert story.script.kinds("internal") == ["alert"]
    assert story.minutes("holding", "sms") == [15.0]


async def test_a_message_whose_other_leg_every_channel_refuses_goes_out_once_its_own_is_back(world: World) -> None:
    story = await begun(world, "portal", "email", "sms", beside=("portal",), refused=("email", "sms"))
    await story.settle()
    assert story.script.kinds() == []
    assert {key.rsplit("/", 1)[-1] for key in story.script.attempts} == {"email", "sms"}
    story.script.held.clear()
    await story.sleep(MINUTE * 2)
    assert [told.what for told in story.script.told if told.dispatch.audience == "buyer"] == ["received portal"]


async def test_the_owner_does_not_wait_for_the_buyer_s_channel(world: World) -> None:
    story = await begun(world, "email", "email")
    await story.sleep(MINUTE * 20)
    assert "alert" in story.script.kinds("internal")
    status = await story.status()
    states = {str(send.key): send.state for said in status.acknowledgements for send in said.sends}
    alert = next(state for key, state in states.items() if "/alert/" in key and key.endswith("/2/slack"))
    assert alert is SendState.ACCEPTED, "the order knows of it"


async def test_after_hours_the_buyer_hears_where_it_stands_now_and_not_each_word_that_was_held(world: World) -> None:
    story = await begun(world, "email", "email")
    await story.sleep(HOUR * 5)
    assert story.script.kinds() == []
    story.script.held.clear()
    await story.sleep(MINUTE * 5)
    assert story.script.kinds() == ["update"]
    await story.receipt(a_receipt(story.order, await world.now()))
    await story.settle()
    assert story.script.kinds() == ["update", "confirmation"]
    overtaken = [e.note for e in story.script.entries.values() if e.event is Event.SUPERSEDED]
    assert overtaken[:2] == ["received 1", "holding 1"]


async def test_nobody_hears_that_it_is_being_checked_once_it_is_confirmed(world: World) -> None:
    story = await begun(world, "email", "email")
    await story.sleep(MINUTE * 10)
    await story.receipt(a_receipt(story.order, await world.now()))
    await story.sleep(MINUTE * 10)
    story.script.held.clear()
    await story.sleep(MINUTE * 5)
    assert story.script.kinds() == ["confirmation"]


async def test_a_word_that_is_only_on_its_way_is_not_withdrawn(world: World) -> None:
    """One that went out a moment ago, and of which the order has not heard yet, stays what it is."""
    story = await begun(world, "email", "email")
    await story.sleep(MINUTE)
    await story.receipt(a_receipt(story.order, await world.now()))
    await story.sleep(MINUTE)
    story.script.held.clear()
    await story.sleep(MINUTE * 5)
    assert sorted(story.script.kinds()) == ["confirmation", "received"]
