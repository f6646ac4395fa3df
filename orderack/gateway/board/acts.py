"""What people do on the board: the acts of the command line, through the same door, in their own name.

A form is one act: its id and its fields make the request's id, so that pressed twice it is done once. What was done is
brought to the record at once (the order itself would tell it with its next step), so that it stands in the audit chain.
"""

import hashlib
import re
from collections.abc import Awaitable, Callable, Mapping

import structlog
from starlette.responses import Response

from orderack.contracts.ids import order_ref
from orderack.contracts.updates import (
    AcceptHandoff,
    Answer,
    Claim,
    ClaimTarget,
    Reply,
    ReviewDecision,
    ReviewVerdict,
    SettleSend,
    SettleVerdict,
)
from orderack.domain.order import Order, OrderRef
from orderack.errors import InvalidInput, OrderAckError, Unavailable
from orderack.gateway.board.amend import amended
from orderack.gateway.board.html import order_path
from orderack.gateway.board.pages import order_page
from orderack.gateway.board.parts import Board
from orderack.gateway.board.roles import Role
from orderack.gateway.board.web import NOT_FOUND, Stop, Visit
from orderack.ledger.catching_up import catch_up
from orderack.messages.clean import line, prose
from orderack.ports import Pause

log = structlog.get_logger(__name__)

_FORM = re.compile(r"[A-Za-z0-9_-]{8,64}\Z")
LONGEST = 2_000
AGAIN = "Temporal or a worker did not answer, so nobody knows yet whether it was done. Press again: it is done once."


def request_id(visit: Visit, form: Mapping[str, str]) -> str:
    """The same for the same form sent twice; another for other words in it, and for another person's."""
    id_ = form.get("form", "")
    if not _FORM.match(id_):
        raise Stop(400, "Not a form of the board", "Nothing was done. Open the page again and repeat it there.")
    said = "\n".join(
        f"{len(name)}:{name}={len(value)}:{value}" for name, value in sorted(form.items()) if name != "csrf"
    )
    digest = hashlib.sha256(f"{visit.person.name}\n{visit.request.url.path}\n{said}".encode("utf-8", "replace"))
    return f"board/{digest.hexdigest()[:40]}"


# -- reviews -------------------------------------------------------------------------------------------------


async def decide(visit: Visit, form: Mapping[str, str]) -> Response:
    """Approve, amend, ask or reject: of the revision that the person saw, and no other."""
    ref = visit.ref()
    visit.demand(ref.store, Role.REVIEWER)
    verdict = form.get("verdict", "")
    if verdict not in set(ReviewVerdict):
        raise Stop(400, "Not a form of the board", "It names no decision. Nothing was done.")
    board, id_ = visit.board, request_id(visit, form)
    async with board.turns.of("board", id_):
        if id_ in board.done:  # pressed twice: an amendment has made another revision by now
            return visit.back(order_path(ref), *board.done[id_])
        return await _decide(visit, ref, ReviewVerdict(verdict), id_, form)


async def _decide(visit: Visit, ref: OrderRef, verdict: ReviewVerdict, id_: str, form: Mapping[str, str]) -> Response:
    board = visit.board
    if form.get("revision") != str(await _revision(board, ref)):
        return await order_page(visit, ref, 409, form, ("The order has changed since you opened it. Look again.",))
    try:
        decision = await _decision(visit, ref, verdict, id_, form)
    except InvalidInput as bad:
        said = tuple(f"{each.field} {each.problem}: {each.remedy}" for each in bad.problems[:20])
        return await order_page(visit, ref, 422, form, said)
    return await _do(visit, ref, form, lambda: board.orders.decide_review(ref, decision), id_)


async def _revision(board: Board, ref: OrderRef) -> int:
    return (await board.orders.status(ref)).revision


async def _decision(
    visit: Visit, ref: OrderRef, verdict: ReviewVerdict, id_: str, form: Mapping[str, str]
) -> ReviewDecision:
    order: Order | None = None
    if verdict is ReviewVerdict.AMEND:
        stored = await visit.board.ledger.revision(ref, int(form["revision"]))
        if stored is None:
            raise Stop(
                409, "Its content is not in the record", "Amend it by `orderack review amend`. Nothing was done."
            )
        order = amended(stored.order, form)
    return ReviewDecision(
        id=id_,
        verdict=verdict,
        by=visit.person.name,
        note=_words(form, "note"),
        question=_words(form, "question"),
        order=order,
    )


def _words(form: Mapping[str, str], field: str) -> str:
    """Raises Stop for what the contract has no room for: nothing is cut that goes to a buyer word for word."""
    text = prose(form.get(field, "")).strip()
    if len(text) > LONGEST:
        raise Stop(422, "Too long", f"{field.capitalize()}: {len(text)} characters; {LONGEST} fit. Nothing was done.")
    return text


# -- taking in hand, accepting, answering, settling ----------------------------------------------------------


async def claim(visit: Visit, form: Mapping[str, str]) -> Response:
    """From the board (`order` names what and which) and from the order's own page."""
    target, _, id_ = form.get("order", "").partition("|")
    try:
        ref = order_ref(id_)
    except ValueError:
        raise NOT_FOUND from None
    if target not in set(ClaimTarget) or not visit.person.may(ref.store, Role.VIEWER):
        raise NOT_FOUND
    visit.demand(ref.store, Role.REVIEWER)
    wanted = Claim(id=request_id(visit, form), target=ClaimTarget(target), by=visit.person.name)
    return await _do(visit, ref, form, lambda: visit.board.orders.claim(ref, wanted))


async def accept(visit: Visit, form: Mapping[str, str]) -> Response:
    """The team accepts exactly what its sheet showed: revision and content hash go with the form."""
    ref = visit.ref()
    visit.demand(ref.store, Role.REVIEWER)
    revision, content_hash = form.get("revision", ""), form.get("content_hash", "")
    if not (revision.isascii() and revision.isdecimal()) or not re.fullmatch(r"[0-9a-f]{64}", content_hash):
        raise Stop(400, "Not a form of the board", "It names no revision. Nothing was done.")
    wanted = AcceptHandoff(
        id=request_id(visit, form), revision=int(revision), content_hash=content_hash, by=visit.person.name
    )
    return await _do(visit, ref, form, lambda: visit.board.orders.accept_handoff(ref, wanted))


async def answer(visit: Visit, form: Mapping[str, str]) -> Response:
    """The buyer's question is answered word for word."""
    ref = visit.ref()
    visit.demand(ref.store, Role.REVIEWER)
    text, question = _words(form, "text"), form.get("question", "")
    if not text or not 0 < len(question) <= 200:
        return await order_page(visit, ref, 422, form, ("An answer needs words.",))
    wanted = Answer(id=request_id(visit, form), question=question, text=text, by=visit.person.name)
    return await _do(visit, ref, form, lambda: visit.board.orders.answer(ref, wanted))


async def settle(visit: Visit, form: Mapping[str, str]) -> Response:
    """An admin says what became of a send in doubt."""
    ref = visit.ref()
    visit.demand(ref.store, Role.ADMIN)
    verdict, key = form.get("verdict", ""), form.get("key", "")
    if verdict not in set(SettleVerdict) or not 0 < len(key) <= 200:
        raise Stop(400, "Not a form of the board", "It names no send. Nothing was done.")
    wanted = SettleSend(
        id=request_id(visit, form),
        key=key,
        verdict=SettleVerdict(verdict),
        by=visit.person.name,
        note=_words(form, "note"),
    )
    return await _do(visit, ref, form, lambda: visit.board.orders.settle_send(ref, wanted))


async def buyers_page(visit: Visit, form: Mapping[str, str]) -> Response:
    """To the buyer's page as the store sees it: a link that shows, and cannot act for the buyer."""
    ref = visit.ref()
    visit.demand(ref.store, Role.VIEWER)
    if await visit.board.ledger.order(ref) is None:
        raise NOT_FOUND
    return visit.to(visit.board.links.url(ref, role="store", via="board"))


async def channel(visit: Visit, form: Mapping[str, str]) -> Response:
    """Pause a channel, or let it send again: for whoever is admin of every store, for it sends for all of them."""
    if not visit.person.may_everywhere(tuple(visit.board.stores), Role.ADMIN):
        raise Stop(
            403, "Not yours to do", "A channel sends for every store; only an admin of all of them may pause it."
        )
    name, ledger = line(form.get("channel", ""), 100), visit.board.ledger
    if form.get("do") == "pause" and name:
        reason = line(form.get("reason", ""), 200)
        new = await ledger.pause(Pause(channel=name, at=visit.board.now(), by=visit.person.name, reason=reason))
        said = (
            f"{name} is paused. Its messages take the fallback that the policy names." if new else f"{name} was paused."
        )
    elif form.get("do") == "resume" and name:
        said = f"{name} sends again." if await ledger.resume(name) else f"{name} was not paused."
    else:
        raise Stop(400, "Not a form of the board", "It names no channel. Nothing was done.")
    log.info("a channel was switched on the board", channel=name, do=form["do"], by=visit.person.name)
    visit.board.feed.fresh()
    return visit.back("/board", True, said)


# -- through the door ----------------------------------------------------------------------------------------


async def _do(
    visit: Visit, ref: OrderRef, form: Mapping[str, str], act: Callable[[], Awaitable[Reply]], id_: str = ""
) -> Response:
    """Ask the order, bring its word to the record, and lead back to its page with what it said."""
    try:
        reply = await act()
    except Unavailable as away:
        log.info("an act on the board had no answer", why=str(away))
        again = {"path": visit.request.url.path, "fields": {k: v for k, v in form.items() if k != "csrf"}}
        return visit.page("problem.html", 503, title="No answer yet", why=AGAIN, again=again)
    await bring(visit.board, ref)
    visit.board.feed.fresh()
    said = reply.message[:1].upper() + reply.message[1:]
    said = said if said.endswith((".", "!", "?")) else f"{said}."
    if id_:
        visit.board.remember(id_, reply.accepted, said)
    return visit.back(order_path(ref), reply.accepted, said)


async def bring(board: Board, ref: OrderRef) -> None:
    """Write into the record what the order has told and it has not. What cannot be done now its next step does."""
    try:
        await catch_up(board.orders, board.ledger, ref)
    except OrderAckError as error:
        log.info("an act is left to the order's next step", why=type(error).__name__)
