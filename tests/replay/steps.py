"""Steps that stories have in common."""

from orderack.contracts.updates import (
    Reply,
    ReviewDecision,
    ReviewVerdict,
)
from orderack.domain.acknowledgement import Kind
from orderack.domain.evidence import EvidenceEvent, EvidenceFact, Grade
from tests.workflows.world import Story


async def review(story: Story, id: str, verdict: ReviewVerdict, **more: object) -> None:
    request = ReviewDecision(id=id, verdict=verdict, by="ann", **more)
    await story.ask("decide_review", request, Reply)
    await story.settle()


async def evidence(story: Story, event: EvidenceEvent, grade: Grade, kind: Kind = Kind.CONFIRMATION) -> None:
    at = await story.world.now()
    fact = EvidenceFact(
        id=f"{event}-{kind}", event=event, grade=grade, channel="email", revision=1, kind=kind, occurred_at=at
    )
    await story.handle.signal("evidence", fact)
    await story.settle()
