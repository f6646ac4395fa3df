"""Questions and continue-as-new: in a file, and so on a server, of its own.

At that moment a status question can be lost, and the time-skipping server then holds its clock for half a minute.
"""

from orderack.contracts.updates import ChangeRequest, Reply
from tests.workflows.beginnings import begin, booked, changed
from tests.workflows.test_questions import alerts, answer_it, ask_it
from tests.workflows.world import World


async def test_questions_are_carried_into_a_fresh_history_and_answered_there(world: World) -> None:
    story = await begin(world, can=10)
    await booked(story)
    await ask_it(story)
    first = (await story.handle.describe()).run_id
    await story.ask("change", ChangeRequest(id="c", order=changed(story.order)), Reply)
    await story.settle()
    await booked(story, 2)
    assert (await story.handle.describe()).run_id != first
    assert (await answer_it(story)).accepted
    assert len(alerts(story)) == 1
    assert story.script.kinds().count("answer") == 1
    assert story.script.told[-1].key.revision == 2
