"""`assess`: look at an order revision once, store what was found, and answer with the decision."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType

import structlog
from temporalio import activity

from activities._measured import erp_call
from orderack.contracts import names
from orderack.contracts.activities import AssessRequest
from orderack.domain.address import address_sha256
from orderack.domain.assessment import Assessment, LineStock, Side, SourceCall
from orderack.domain.flags import EarlierOrder, fingerprint
from orderack.domain.order import Order
from orderack.domain.reachability import Reachability
from orderack.domain.shadow import ALL_LIVE, NONE_LIVE, side_of
from orderack.errors import OrderAckError
from orderack.policy.assessing import Assessed, Findings, Holidays, assess_order, failed
from orderack.policy.decide import Circumstances
from orderack.policy.gate import Latency, measure
from orderack.policy.holidays import holidays_of
from orderack.policy.model import ChannelFacts, Learning, Policy, StoreMode
from orderack.policy.recipient import BUYER, recipient_of
from orderack.policy.traits import channel_facts
from orderack.ports import Erp, Ledger, PastAsked, PastOrder, ReachAsked, StoredRevision, Traits
from orderack.telemetry.logs import place_of

STOCK_TIMEOUT = timedelta(seconds=2)
"""The stock look-up runs inside a workflow task: better unknown than late. The ERP receipt answers for it later."""

HISTORY = timedelta(days=365)
LATENCIES = 200
"""Receipts that the adaptive gate looks back on."""

NO_ANSWERS: Mapping[str, SourceCall] = MappingProxyType({})

log = structlog.get_logger(__name__)


class Assess:
    """The activity with its collaborators. `policy` is asked for every order, so an edit holds from the next on."""

    def __init__(
        self,
        ledger: Ledger,
        policy: Callable[[], Policy],
        erps: Mapping[str, Erp],
        channels: Mapping[str, Traits],
        answers: Mapping[str, SourceCall] = NO_ANSWERS,
        holidays: Holidays = holidays_of,
    ) -> None:
        self._ledger = ledger
        self._policy = policy
        self._erps = erps
        self._channels = {name: channel_facts(traits) for name, traits in channels.items()}
        self._answers = answers
        self._holidays = holidays
        self._gates = set[tuple[str, str]]()
        """Store and policy of which it was looked whether the shadow run's gate had been asked."""

    @activity.defn(name=names.ASSESS)
    async def assess(self, request: AssessRequest) -> Assessment:
        """Assess and store this revision, once: asked again for the same content, it answers what is stored.

        An order that the rules cannot digest comes back as a review with flag `assessment_failed`, never as an
        error. Raises Unavailable when the ledger does not answer and Misconfigured when there is no policy.
        """
        order, revision = request.order, request.revision
        stored = await self._ledger.revision(order.ref, revision)
        if stored is not None:
            await self._ledger.write(request.journal)
            return _known(stored, request)
        assessed = await self._look(request)
        kept = await self._ledger.save_revision(
            StoredRevision(
                order=order,
                revision=revision,
                content_hash=order.content_hash,
                assessment=assessed.assessment,
                explanation=assessed.explanation.model_dump_json(),
            ),
            fingerprint(order),
            request.journal,
        )
        # An attempt that timed out may have stored its own in the meantime; the first writer's assessment holds.
        return _known(kept, request) if kept else assessed.assessment

    async def _look(self, request: AssessRequest) -> Assessed:
        policy, order = self._policy(), request.order
        side = await self._side(policy, order, request.now)
        return _on(side, await self._look_at(policy, request, side))

    async def _side(self, policy: Policy, order: Order, now: datetime) -> Side:
        """Where the order is for ever: by its first revision, else by the store's last cutover, else by the policy."""
        said = await self._ledger.side_said(order.ref)
        if said.decided is not None:
            return said.decided
        percent = said.live_percent
        if percent is None:
            store = policy.stores.get(order.store)
            in_shadow = store is not None and store.mode is StoreMode.SHADOW
            percent = (store.live_percent or NONE_LIVE) if store and in_shadow else ALL_LIVE
            if side_of(order.ref, percent) is Side.LIVE:
                await self._live_by_policy(policy, order, percent, now)
            else:  # the same file may come back after this run
                self._gates -= {one for one in self._gates if one[0] == order.store}
        return side_of(order.ref, percent)

    async def _live_by_policy(self, policy: Policy, order: Order, percent: int, now: datetime) -> None:
        """Nobody's step but the policy's takes it live: where its store has run in shadow, that is recorded."""
        key = (order.store, policy.version)
        if key in self._gates:
            return
        if await self._ledger.note_gate(order.ref, policy.version, percent, now):
            log.warning("live without the shadow run's gate", store=order.store, policy=policy.version)
        self._gates.add(key)

    async def _look_at(self, policy: Policy, request: AssessRequest, side: Side) -> Assessed:
        order = request.order
        found, latency = await self._find(policy, request, side)
        reach, reach_note = await self._reached(policy, request)
        around = Circumstances(
            channels=self._channels,
            answers=self._answers,
            latency=latency,
            waived=request.waived,
            reach=reach,
            reach_note=reach_note,
        )
        try:
            return assess_order(policy, order, request.revision, found, around, self._holidays)
        except Exception as error:
            # Whatever it is, it is one order's trouble: a person gets it, and no other order waits.
            log.error("assessment failed", revision=request.revision, **_of(error))
            why = f"The rules failed on this order ({type(error).__name__}): look at it by hand and report it."
            return failed(order, request.revision, policy.version, why)

    async def _find(self, policy: Policy, request: AssessRequest, side: Side) -> tuple[Findings, Latency]:
        order, now, store = request.order, request.now, policy.stores.get(request.order.store)
        if store is None:
            return Findings(now=now, stock_note="not asked: the store has no row in the policy"), Latency()
        erp = store.erp.name if store.erp else None
        asked = PastAsked(
            store=order.store,
            customer_id=order.customer.id,
            since=now - HISTORY,
            fingerprint=fingerprint(order),
            alike_since=order.trigger_at - store.thresholds.duplicate_window,
            erp=erp,
            latencies=LATENCIES,
            shadow=side is Side.SHADOW,
        )
        past = await self._ledger.past(asked)
        stock, note = await self._stock(erp, order)
        findings = Findings(
            now=now,
            history=_earlier(past.orders),
            lookalikes=_earlier(past.alike),
            stock=stock,
            stock_note=note,
            queue_depth=past.queue_depth,
        )
        return findings, measure(past.latencies) if erp else Latency()

    async def _reached(self, policy: Policy, request: AssessRequest) -> tuple[Reachability | None, str]:
        """How this customer answered before; None with the reason where nobody could say. Asked where the store learns
        from it, and only there. Never an error of the order."""
        order, store = request.order, policy.stores.get(request.order.store)
        if store is None or store.learn_channels is Learning.OFF:
            return None, ""
        asked = ReachAsked(
            store=order.store,
            customer_id=order.customer.id,
            email=order.contacts.email,
            now=request.now,
            addresses=self._addresses(order, store.profile.country),
        )
        try:
            return await self._ledger.reachability(asked), ""
        except Exception as error:
            log.warning("reachability unknown", **_of(error))
            return None, f"the ledger gave no answer ({type(error).__name__})"

    def _addresses(self, order: Order, country: str) -> Mapping[str, str]:
        """Where each channel would write to this buyer, hashed: such an address may have opted out."""
        found = ((name, recipient_of(order, facts.address, BUYER, "", country)) for name, facts in self._buyers())
        return {name: address_sha256(recipient) for name, recipient in found if recipient}

    def _buyers(self) -> Iterable[tuple[str, ChannelFacts]]:
        return ((name, facts) for name, facts in self._channels.items() if facts.buyer)

    async def _stock(self, name: str | None, order: Order) -> tuple[tuple[LineStock, ...] | None, str]:
        """Live stock; None with the reason when there is no answer in time. Never an error of the order."""
        erp = self._erps.get(name) if name else None
        if erp is None:
            return None, f"not asked: {f'ERP {name} is not configured' if name else 'the store has no ERP'}"
        if not order.lines:
            return None, "not asked: the order has no lines"
        try:
            with erp_call(name or "", "availability"):
                async with asyncio.timeout(STOCK_TIMEOUT.total_seconds()):
                    answer = await erp.availability(order.lines)
        except TimeoutError:
            return None, f"{name} did not answer within {STOCK_TIMEOUT.total_seconds():g} s"
        except OrderAckError as error:
            return None, f"{name} gave no answer ({type(error).__name__})"
        except Exception as error:
            log.error("availability failed", erp=name, **_of(error))
            return None, f"{name} gave no answer ({type(error).__name__})"
        return tuple(LineStock(**dict(line)) for line in answer), ""


def _on(side: Side, assessed: Assessed) -> Assessed:
    """Also of an order that the rules failed on: whatever becomes of it, it stays on its side."""
    assessment = assessed.assessment
    decision = assessment.decision.model_copy(update={"side": side})
    return assessed.model_copy(update={"assessment": assessment.model_copy(update={"decision": decision})})


def _of(error: Exception) -> Mapping[str, str]:
    """What may be written of an error that nobody foresaw: its words may be the buyer's."""
    return {"error": type(error).__name__, "at": place_of(error)}


def _known(stored: StoredRevision, request: AssessRequest) -> Assessment:
    if stored.content_hash == request.order.content_hash:
        return stored.assessment
    why = f"The ledger holds another content for revision {request.revision}: compare the two and amend the order."
    version = stored.assessment.decision.policy_version
    return failed(request.order, request.revision, version, why).assessment


def _earlier(orders: Sequence[PastOrder]) -> tuple[EarlierOrder, ...]:
    return tuple(
        EarlierOrder(ref=past.ref, trigger_at=past.trigger_at, fingerprint=past.fingerprint, quantities=past.quantities)
        for past in orders
    )
