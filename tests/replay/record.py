"""`python -m tests.replay.record`: tell every story, take every look on the time-skipping server, and keep its history.

Run it to add a story. An old history is a promise to the orders that are running: a changed workflow must replay
the ones recorded before it, so recording is no remedy for a failing replay of a released version.
"""

import asyncio
import contextlib
import sys
from collections.abc import Sequence

from temporalio.client import WorkflowHistory
from temporalio.service import RPCError

from orderack.contracts.updates import CancelRequest
from orderack.temporal.ending import end
from tests.history.stage import skipping
from tests.replay.histories import write
from tests.replay.looks import LOOKS, LOOKS_FOLDER, looked, looking
from tests.replay.stories import STORIES
from tests.workflows.world import Story


async def runs(story: Story) -> list[WorkflowHistory]:
    """The histories of the order's runs, the first one first."""
    client, id = story.world.env.client, story.handle.id
    found = [await client.get_workflow_handle(id).fetch_history()]
    while before := _continued_from(found[0]):
        found.insert(0, await client.get_workflow_handle(id, run_id=before).fetch_history())
    return found


def _continued_from(history: WorkflowHistory) -> str:
    return history.events[0].workflow_execution_started_event_attributes.continued_execution_run_id


async def record(wanted: Sequence[str]) -> None:
    """Tell these stories one after the other, and keep them."""
    async with skipping() as world:
        identity = world.env.client.service_client.config.identity
        for name in wanted:
            story = await STORIES[name](world)
            histories = await runs(story)
            for n, history in enumerate(histories, 1):
                write(name if len(histories) == 1 else f"{name}-{n}", history, identity)
            print(f"{name}: {', '.join(str(len(history.events)) for history in histories)} events")
            with contextlib.suppress(RPCError):  # so that it does not live on in the next story
                await story.handle.execute_update("cancel", CancelRequest(id="end"), id="end")


async def record_looks(wanted: Sequence[str]) -> None:
    """Take these looks one after the other, and keep them."""
    async with looking() as client:
        for name in wanted:
            history = await looked(client, name)
            write(name, history, client.service_client.config.identity, LOOKS_FOLDER)
            print(f"{name}: {len(history.events)} events")


def main() -> None:
    LOOKS_FOLDER.mkdir(parents=True, exist_ok=True)
    wanted = sys.argv[1:] or [*STORIES, *LOOKS]
    if stories := [name for name in wanted if name not in LOOKS]:
        asyncio.run(record(stories))
    if looks := [name for name in wanted if name in LOOKS]:
        asyncio.run(record_looks(looks))
    end(0)


if __name__ == "__main__":
    main()
