"""EDI X12: 850 and 860 in; 997, 855 and 865 out (docs/edi.md, docs/sources/edi_x12.md).

A VAN's or an AS2 server's gateway posts interchanges and takes ours; that transport is theirs. Each interchange and
each transaction set in it is a delivery of its own, so that one order that cannot be taken holds up no other.
"""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import AfterValidator, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings

from orderack.clients import standard_webhooks
from orderack.clients.http import Clock, utc_now
from orderack.clients.secure_url import SecureUrl
from orderack.clients.wire import same
from orderack.domain.assessment import AnswerCall
from orderack.domain.problem import Problem
from orderack.domain.response import LineAnswer, Outcome
from orderack.domain.source import Answered, AnswerStage, AnswerState
from orderack.domain.value import Value
from orderack.edi.acknowledgment import Answer, DoesNotAddUp, acknowledgment, complete
from orderack.edi.envelope import Group, Interchange, SetError, alone, clock_of, day_of, wrap
from orderack.edi.functional import Said, read_acknowledgement
from orderack.edi.partner import PartnerProfile, read_profiles
from orderack.edi.purchase import CANCELS, Purchase, read_purchase
from orderack.edi.syntax import Malformed
from orderack.errors import BadSignature, InvalidInput, Misconfigured, Refused, Unavailable
from orderack.ports import (
    Connection,
    Delivery,
    Given,
    Greeting,
    Memory,
    RawRequest,
    Reading,
    Skipped,
    Snapshot,
    SourceAnswer,
    SourceKind,
    SourceTraits,
    Standing,
    Stands,
)
from orderack.registry import SourceSpec, settings_config
from orderack.sources._edi_x12_account import Account, account_of, envelope, owed, refused
from orderack.sources._edi_x12_change import APPLIED, changed
from orderack.sources._edi_x12_context import NAME, Context
from orderack.sources._edi_x12_judge import Judged, fingerprint, interchanges, judge, ordered, problems_with
from orderack.sources._edi_x12_out import MEDIA_TYPE, Outbound, Ways

PATIENCE = timedelta(hours=1)
"""How long a change waits for the order that it is about: they may come by different interchanges."""

INTERCHANGE, UNREADABLE, REPEATED = "interchange", "unreadable", "repeated"
"""Topics of deliveries that are no transaction set, or one whose number (ST02) an earlier one of its group has."""
_NO_ORDER = {"BD": "a call for bids", "BQ": "a request for a quotation", "IN": "a copy for information"}
"""BEG02 (element 92) of what is acknowledged, and asks for nothing to be delivered."""
DUPLICATE = Malformed("ISA13 (segment 1)", "was used before for another interchange", "025")


def _secret(secret: SecretStr | None) -> SecretStr | None:
    if secret is not None:
        text = secret.get_secret_value()
        if text.startswith("whsec_"):
            standard_webhooks.secrets_of(text)
        elif len(text) < 16:
            raise ValueError("a secret needs at least 16 characters")
    return secret


_Secret = Annotated[SecretStr, AfterValidator(_secret)]


class EdiX12Settings(BaseSettings):
    """`ORDERACK_SOURCE_<STORE>_EDI_X12_…`"""

    model_config = settings_config("ORDERACK_SOURCE_EDI_X12_")

    inbound_secret: _Secret = Field(
        description="proves that a request is your gateway's: `whsec_…` (Standard Webhooks), `user:password` (basic), "
        "or any other text (bearer token)"
    )
    outbound_url: SecureUrl | None = Field(
        default=None,
        description="the gateway that takes what goes out, for partners whose profile names none; "
        "posted to `/<partner>` below it",
    )
    outbound_secret: _Secret | None = Field(
        default=None, description="sent with what goes out: `whsec_…` signs it (Standard Webhooks), else a bearer token"
    )
    partner_secrets: dict[str, _Secret] = Field(
        default={}, description='a partner\'s own in its place, as JSON: `{"acme": "…"}`'
    )
    drop_directory: Path | None = Field(
        default=None, description="where partners with `outbound: directory` have theirs, a folder each"
    )


class _Profiles(Value):
    """The connection's partners; what is wrong with one is said as a setting's fault is."""

    partners: dict[str, PartnerProfile]

    @model_validator(mode="before")
    @classmethod
    def _read(cls, raw: object) -> object:
        assert isinstance(raw, Mapping)
        if not raw:
            raise ValueError("partners: there is none; add a profile for each (docs/edi.md)")
        return {"partners": read_profiles(raw)}


class EdiX12:
    """One connection: all partners whose interchanges come through one gateway."""

    name: ClassVar[str] = NAME
    traits: ClassVar[SourceTraits] = SourceTraits(
        kind=SourceKind.EDI,
        answer=AnswerCall.COMMITMENT,
        answers=frozenset({AnswerStage.CONFIRMED, AnswerStage.REJECTED, AnswerStage.CANCELLED}),
        max_body=4 * 1024 * 1024,
    )

    def __init__(self, connection: Connection, settings: EdiX12Settings, prefix: str, clock: Clock = utc_now) -> None:
        self.connection = connection
        self._partners = _Profiles.model_validate(connection.partners).partners
        self._secret = settings.inbound_secret.get_secret_value()
        ways = Ways(
            prefix, settings.outbound_url, settings.drop_directory, settings.outbound_secret, settings.partner_secrets
        )
        self._outbound = Outbound(ways, clock)
        self._clock = clock
        self._memory: Memory | None = None

    def recall(self, memory: Memory) -> None:
        """See `orderack.ports.Recalls`."""
        self._memory = memory

    async def verify(self, request: RawRequest) -> None:
        """By the kind of secret that is set."""
        if self._secret.startswith("whsec_"):
            standard_webhooks.verify(request, standard_webhooks.secrets_of(self._secret), self._clock())
            return
        kind, value = "Bearer", self._secret
        if ":" in value:
            kind, value = "Basic", base64.b64encode(value.encode()).decode()
        if not same(f"{kind} {value}", request.headers.get("authorization", "")):
            raise BadSignature("the authorization is not the gateway's")

    # -- in -------------------------------------------------------------------------------------------------------

    def deliveries(self, request: RawRequest) -> Sequence[Delivery]:
        """Each interchange, and after it each of its transaction sets."""
        text, now = _text(request.body), self._clock()
        try:
            found = [self._judged(one) for one in interchanges(text)]
        except Malformed:
            own = hashlib.sha256(request.body).hexdigest()[:32]
            return (Delivery(id=f"{UNREADABLE}/{own}", topic=UNREADABLE, body=text, sent_at=now),)
        return tuple(delivery for one in found for delivery in self._parts(one, now))

    def _judged(self, interchange: Interchange) -> Judged:
        return judge(interchange, self._partners, self.connection, self._clock())

    def _parts(self, judged: Judged, now: datetime) -> list[Delivery]:
        account = account_of(judged, now)
        begin = f"{judged.partner}/{judged.interchange.control}" if judged.partner else "stranger"
        if judged.refusal:  # its number is not used up by it: what was cut off on its way comes again whole
            begin = f"{begin}/{account.fingerprint}"
        whole = Delivery(id=f"{begin}/{INTERCHANGE}", topic=INTERCHANGE, body=account.model_dump_json(), sent_at=now)
        parts = [whole]
        for at, (group, verdict) in enumerate(judged.taken, 1):
            body = alone(judged.interchange, group, verdict.of)
            topic = REPEATED if SetError.REPEATED_CONTROL_NUMBER in verdict.errors else verdict.of.code[:20] or "set"
            parts.append(Delivery(id=f"{begin}/{account.fingerprint}/{at}", topic=topic, body=body, sent_at=now))
        return parts

    async def respond(self, request: RawRequest, recorded: Sequence[Delivery]) -> Greeting:
        """997s; TA1 where it is asked for or the interchange is refused (422, so that the gateway notices too)."""
        try:
            found = interchanges(_text(request.body))
        except Malformed as malformed:
            return Greeting(status=422, body=f"{malformed}\n")
        wholes = [at for at, one in enumerate(recorded) if one.topic == INTERCHANGE]
        texts, status = list[str](), 200
        for interchange, at, end in zip(found, wholes, [*wholes[1:], len(recorded)], strict=True):
            account, own = Account.model_validate_json(recorded[at].body), recorded[at].id
            if account.fingerprint != fingerprint(interchange.tokens.text):
                account = refused(account, DUPLICATE, interchange, self._clock())
                own = recorded[end - 1].id if end - 1 > at else ""
            texts.append(await self._owed(account, own) or account.refusal + "\n" * bool(account.refusal))
            status = 422 if account.refusal else status
        return Greeting(status=status, body="".join(texts), media_type=MEDIA_TYPE)

    async def _owed(self, account: Account, own: str) -> str:
        """The interchange of what we owe for this one, the same for ever; empty where that is nothing."""
        if not (account.is_owed and own):
            return ""
        given = await self._number(account.partner, f"997/{own}")
        return owed(account, self._profile(account.partner), given)

    async def _number(self, partner: str, purpose: str) -> Given:
        """The control number of what goes out to the partner for this, for ever."""
        if self._memory is None:
            raise Misconfigured("edi_x12 has no record to keep its control numbers in")
        return await self._memory.number(purpose, partner, self._profile(partner).control_numbers_from)

    def _profile(self, partner: str) -> PartnerProfile:
        if (profile := self._partners.get(partner)) is None:
            raise Misconfigured(f"partners.{partner} is no longer in the policy, and something is to be sent there")
        return profile

    async def read(self, delivery: Delivery) -> Sequence[Reading]:
        """Orders and changes; what partners say of our answers. Raises InvalidInput naming segment and element."""
        if delivery.topic == INTERCHANGE:
            return [await self._whole(Account.model_validate_json(delivery.body), delivery.id)]
        try:
            (interchange, *more) = interchanges(delivery.body)
        except Malformed as malformed:
            raise _refusal([str(malformed)]) from None
        if more:
            raise _refusal(["the delivery holds more than one interchange"])
        judged = judge(interchange, self._partners, self.connection, delivery.sent_at or self._clock())
        if judged.refusal is not None:
            raise _refusal([str(judged.refusal)])
        return [await self._one(judged, delivery)]

    async def _whole(self, account: Account, own: str) -> Reading:
        """The interchange itself: its orders are deliveries of their own."""
        if account.refusal:
            raise _refusal([account.refusal])
        if account.groups and (profile := self._profile(account.partner)).functional_ack:
            given = await self._number(account.partner, f"997/{own}")
            await self._outbound.send(account.partner, profile, "997", given.number, owed(account, profile, given))
        if account.problems:
            raise _refusal(account.problems)
        if account.is_test:
            return Skipped(why="a test interchange (ISA15)")
        return Skipped(why=f"interchange {account.control}: {account.sets} transaction sets, each recorded by itself")

    async def _one(self, judged: Judged, delivery: Delivery) -> Reading:
        group, verdict = next(judged.taken, (None, None))
        if group is None or verdict is None:
            raise _refusal(["the delivery holds no transaction set that is taken"])
        await self._first_of_its_number(judged, delivery)
        if delivery.topic == REPEATED:
            verdict.errors.append(SetError.REPEATED_CONTROL_NUMBER)
        if not verdict.accepted:
            raise _refusal([f"{verdict.of} {problem}" for problem in problems_with(verdict)])
        if verdict.of.code == "997":
            return _heard(read_acknowledgement(verdict.of))
        assert judged.profile is not None
        context = Context(self.connection, judged.partner, judged.profile, delivery.sent_at or self._clock())
        purchase, at = read_purchase(verdict.of), _moment(group, context)
        stands = await self._memory.order(context.external_id(purchase)) if self._memory else None
        if purchase.code == "860" and purchase.purpose != CANCELS:
            identity = f"{judged.interchange.control}/{group.control}/{verdict.of.control}"
            return self._change(purchase, stands, identity, at, context)
        return _order(purchase, stands, at, context)

    async def _first_of_its_number(self, judged: Judged, delivery: Delivery) -> None:
        """Raise InvalidInput for a set of an interchange whose control number another one had."""
        begin = f"{judged.partner}/{judged.interchange.control}"
        stands = await self._memory.delivery(f"{begin}/{INTERCHANGE}") if self._memory else None
        if stands is not None and Account.model_validate_json(stands.body).fingerprint not in delivery.id.split("/"):
            raise _refusal([str(DUPLICATE)])

    def _change(
        self, purchase: Purchase, stands: Stands | None, identity: str, at: datetime, context: Context
    ) -> Reading:
        if stands is None:
            if self._clock() - context.taken_at < PATIENCE:
                raise Unavailable(f"order {purchase.number} has not come, or is on its way", timedelta(seconds=30))
            raise _refusal(["BCH03: there is no order of this number to be changed"])
        external_id = context.external_id(purchase)
        order = changed(purchase, stands.order, identity, context)
        return Snapshot(external_id=external_id, at=max(at, stands.at), order=order, upon=stands.content_hash)

    # -- out ------------------------------------------------------------------------------------------------------

    async def answer(self, answer: SourceAnswer) -> Answered:
        """855; 865 for a changed order. Its control number is kept by the answer's key, so a repeat is the same bytes.

        Raises Refused where the lines do not add up, or the gateway says no; Unavailable to be tried again.
        """
        partner = answer.external_id.split("/", 1)[0]
        profile = self._profile(partner)
        document = _document(answer)
        try:
            complete(document)
        except DoesNotAddUp as no:
            raise Refused(f"{document.code} is not sent: {no}") from None
        given = await self._number(partner, str(answer.key))
        body = acknowledgment(document, profile, on=given.at.date())
        text = wrap(document.code, [body], envelope(profile, given), profile.delimiters)
        await self._outbound.send(partner, profile, document.code, given.number, text)
        return Answered(
            state=AnswerState.ACCEPTED, reference=f"{given.number:09d}", detail=f"{document.code} sent", at=answer.now
        )

    async def check(self) -> str:
        """Whether there is a way to every partner. Nothing is sent: a gateway has no such question."""
        for partner, profile in self._partners.items():
            self._outbound.way(partner, profile)
        return f"{len(self._partners)} partners, and a way to each; whether it works shows when something goes out"

    async def aclose(self) -> None:
        """Close the connection pools."""
        await self._outbound.aclose()


def _text(body: bytes) -> str:
    """UTF-8, or the eight-bit set that older systems write."""
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError:
        return body.decode("latin-1")


def _refusal(problems: Sequence[str]) -> InvalidInput:
    """Each problem begins with the segment and the element that it is about."""
    remedy = "the partner has to mend it and send it under a new control number"
    return InvalidInput([Problem(field=NAME, problem=problem[:500], remedy=remedy) for problem in problems[:50]])


def _heard(said: Sequence[Said]) -> Reading:
    """A 997 of the partner's. One that rejects an answer of ours is refused, so that somebody sees it."""
    if any(not one.accepted for one in said):
        raise _refusal([f"997: {one}" for one in said if not one.accepted])
    return Skipped(why=("; ".join(str(one) for one in said) or "a 997 that says nothing")[:2_000])


def _moment(group: Group, context: Context) -> datetime:
    """When the group was made (GS04, GS05), by the partner's clock."""
    day, clock = day_of(group.header.at(4)), clock_of(group.header.at(5))
    if day is None or clock is None:
        return context.taken_at
    return datetime.combine(day, clock, context.zone).astimezone(UTC)


def _order(purchase: Purchase, stands: Stands | None, at: datetime, context: Context) -> Reading:
    external_id = context.external_id(purchase)
    if purchase.purpose == CANCELS:
        order = stands.order if stands else ordered(purchase, context)
        reason = "; ".join(purchase.notes)[:2_000] or "cancelled by the buyer (01)"
        return Snapshot(external_id=external_id, at=at, order=order, standing=Standing.CANCELLED, reason=reason)
    if purchase.type in _NO_ORDER:
        return Skipped(why=f"{purchase.number} is {_NO_ORDER[purchase.type]} (BEG02 {purchase.type}), and no order")
    order = ordered(purchase, context)
    if stands is None:
        return Snapshot(external_id=external_id, at=at, order=order)
    if purchase.purpose == "07":
        return Skipped(why=f"a duplicate (BEG01 07) of order {purchase.number}")
    if purchase.purpose != "05" and any(one.system == APPLIED for one in stands.order.external_ids):
        raise _refusal(["BEG01: the order was changed by an 860 since; replace it (05), or change it again"])
    order = order.model_copy(update={"partner_deadline": stands.order.partner_deadline})
    return Snapshot(external_id=external_id, at=at, order=order)


def _document(answer: SourceAnswer) -> Answer:
    lines = answer.lines
    if answer.key.stage is not AnswerStage.CONFIRMED:
        said = {one.line_id: one for one in lines}
        lines = tuple(_no(said.get(line.line_id), line.line_id, line.quantity) for line in answer.order.lines)
    return Answer(
        order=answer.order,
        lines=lines,
        document_id=answer.document_id or "",
        ship_on=answer.promise_on,
        reason=answer.reason,
        is_change=answer.key.revision > 1 or answer.key.stage is AnswerStage.CANCELLED,
    )


def _no(said: LineAnswer | None, line_id: str, quantity: Decimal) -> LineAnswer:
    """Of an order that is rejected or cancelled, nothing of any line is delivered."""
    note = said.note if said else None
    return LineAnswer(line_id=line_id, outcome=Outcome.REJECT, rejected=quantity, note=note)


def make(connection: Connection, prefix: str) -> EdiX12:
    """The connection's adapter. Raises pydantic's ValidationError, for a partner's profile too."""
    return EdiX12(connection, EdiX12Settings(_env_prefix=prefix), prefix)


SOURCE: SourceSpec = SourceSpec(
    description="EDI X12 through a VAN's or an AS2 gateway: 850 and 860 in, 997, 855 and 865 out",
    obtain="agree on the gateway's secret and address with whoever runs your VAN or AS2 server; ids, versions and "
    "codes come from each partner's implementation guide",
    settings=EdiX12Settings,
    adapter=EdiX12,
    make=make,
    trigger="the interchange with the 850 is accepted",
    webhook="Have the gateway POST each interchange as it came to this address and hand the response back to the "
    "partner: it is the 997.",
    traps=(
        "A partner's codes are its own: compare `line_status`, `item_codes` and `quantity_changes` with its guide.",
        "A control number that comes again with other content is refused; the sender has to use a new one.",
        "Test interchanges (ISA15 T) are acknowledged and are no orders.",
        "An 855 goes out only once the ERP has booked the order, or a person has rejected it; until then there is the "
        "997 alone, which promises nothing.",
    ),
)
