"""`answer_source`: tell the system that an order came from where it stands, once, by its own call."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from temporalio import activity

from activities._boundary import boundary
from activities._last_door import LastDoor, is_shadow
from orderack.contracts import names
from orderack.contracts.activities import AnswerSourceRequest
from orderack.domain.order import Order, OrderRef
from orderack.domain.source import Answered, AnswerKey, AnswerState
from orderack.errors import InDoubt, Misconfigured, Refused, Unavailable, Unsupported
from orderack.ports import ActKind, Answers, KeptAct, Ledger, Source, SourceAnswer

ASK_AGAIN = timedelta(minutes=1)
"""How soon a partner that has taken the answer is asked whether it stands."""

OF_THE_TIME_LEFT = 8
"""No wait that a partner names is longer than this part of what is left until its own deadline."""
SHORTEST = timedelta(seconds=5)
"""Nor is such a wait cut to less than this."""


class AnswerSource:
    """What the partner took or refused is kept in the ledger, so that no answer is given twice."""

    def __init__(
        self,
        ledger: Ledger,
        sources: Mapping[str, Source],
        page_url: Callable[[OrderRef], str],
        now: Callable[[], datetime],
    ) -> None:
        self._ledger = ledger
        self._sources = sources
        self._page_url = page_url
        self._now = now
        self._door = LastDoor(ledger)

    @activity.defn(name=names.ANSWER_SOURCE)
    @boundary
    async def answer_source(self, request: AnswerSourceRequest) -> Answered:
        """Accepted or refused. Raises Unavailable to be tried again, also while the partner has not said which."""
        kept = await self._ledger.write_and_read(request.journal, [request.revision])
        key = AnswerKey(ref=request.ref, revision=request.revision, stage=request.stage)
        stands = await self._ledger.answered(key)
        if stands is not None and stands.state is not AnswerState.PENDING:
            return stands
        stored = kept.get(request.revision)
        if stored is None:
            raise Unavailable(f"revision {request.revision} is not in the ledger yet")
        if is_shadow(stored):
            return await self._keep(request)
        try:
            answer = await self._tell(request, key, stored.order, stands.reference if stands else "")
            stands = await self._ledger.record_answer(key, answer, self._now())
            if stands.state is AnswerState.PENDING:
                raise Unavailable(f"{request.system} has not said yet whether it takes {stands.reference}", ASK_AGAIN)
        except Unavailable as later:
            raise Unavailable(str(later), self._in_time(stored.order, later.retry_after)) from None
        return stands

    def _in_time(self, order: Order, wait: timedelta | None) -> timedelta | None:
        """The wait that was named, as far as the partner's own deadline leaves room for another try."""
        if wait is None or order.partner_deadline is None:
            return wait
        left = order.partner_deadline.due_at - self._now()
        return wait if left <= timedelta(0) else min(wait, max(left / OF_THE_TIME_LEFT, SHORTEST))

    async def _tell(self, request: AnswerSourceRequest, key: AnswerKey, order: Order, reference: str) -> Answered:
        source = self._sources.get(f"{request.ref.store}/{request.system}")
        if source is None:
            raise Misconfigured(f"the connection {request.ref.store}/{request.system} is not configured")
        if not isinstance(source, Answers):
            raise Misconfigured(f"{request.system} is answered by nothing: that is a fault of the adapter")
        answer = SourceAnswer(
            key=key,
            order=order,
            external_id=_external_id(order, request.system),
            lines=request.answers,
            document_id=request.document_id,
            promise_on=request.promise_on,
            reason=request.reason,
            page_url=self._page_url(request.ref),
            reference=reference,
            now=self._now(),
        )
        try:
            return await self._door.answer(source, answer)
        except (Refused, Unsupported) as no:
            return Answered(state=AnswerState.REFUSED, detail=str(no)[:500])
        except InDoubt as doubt:
            raise Unavailable(f"cut off while answering; asked again, {request.system} looks first: {doubt}") from None

    async def _keep(self, request: AnswerSourceRequest) -> Answered:
        """The old flow answers its source; that it was to be answered, and when, is kept."""
        detail = f"{request.system}: {request.stage}"
        act = KeptAct(ref=request.ref, revision=request.revision, kind=ActKind.ANSWER, detail=detail, at=self._now())
        await self._ledger.keep_act(act, request.journal)
        return Answered(state=AnswerState.KEPT)


def _external_id(order: Order, system: str) -> str:
    return next((external.id for external in order.external_ids if external.system == system), order.number)
