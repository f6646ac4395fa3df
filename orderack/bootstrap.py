"""The composition root: settings in, ports out. The only place that knows concrete adapters; tests build their own."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from orderack import channels, erps, sources
from orderack.clients.email_address import one_address
from orderack.contracts.ids import order_workflow_id
from orderack.contracts.looks import ErpLook, LookRequest, SourceLook, SweepRequest
from orderack.domain.acknowledgement import SendKey
from orderack.domain.address import normal_address
from orderack.domain.assessment import SourceCall
from orderack.domain.order import OrderRef
from orderack.domain.store import StoreProfile
from orderack.errors import Misconfigured, Refused
from orderack.intake.memory import recall
from orderack.ledger.repository import open_ledger
from orderack.links import BUYER, PageLink, PageLinks, fingerprint
from orderack.messages import MessageRenderer
from orderack.messages.digest import DigestRenderer
from orderack.policy.load import CurrentPolicy
from orderack.policy.model import Policy
from orderack.ports import Channel, Connection, Erp, GatewayLedger, Looks, MessageLinks, Renderer, Source, Traits
from orderack.ports.digests import DigestWords
from orderack.registry import Built
from orderack.settings import Settings
from orderack.temporal.report_schedule import WEEKDAYS, Slot
from orderack.touch_links import TouchLink, TouchLinks
from orderack.touches import What

ASK_EVERY = timedelta(seconds=30)
"""How often an ERP without a row of its own is asked for receipts."""


@dataclass(frozen=True)
class Parts:
    """Everything a worker, the gateway or a command is made of, but the connection to Temporal."""

    settings: Settings
    ledger: GatewayLedger
    channels: Built[Channel]
    erps: Built[Erp]
    sources: Built[Source]
    policy: CurrentPolicy
    renderer: Renderer
    links: PageLinks
    touch_links: TouchLinks

    def store(self, name: str) -> StoreProfile:
        """The store's profile; a store that the policy does not know speaks for itself, plainly."""
        known = self.policy().stores.get(name)
        return known.profile if known else StoreProfile(id=name, display_name=name)

    def store_page(self, ref: OrderRef) -> str:
        """The order's page as its store sees it: for a note beside the order, never for the buyer."""
        return self.links.url(ref, role="store", via="source")

    def status_url(self, channel: str) -> str:
        """Where this channel's provider reports to."""
        return f"{self.settings.public_url.rstrip('/')}/webhooks/{channel}"

    @property
    def board(self) -> str:
        """The board's address; empty where nobody said where we are."""
        own = self.settings
        base = own.board_url or (own.public_url if "public_url" in own.model_fields_set else "")
        return f"{base.rstrip('/')}/board" if base else ""

    @property
    def digest_words(self) -> DigestWords:
        """What owners of exceptions are told, in words."""
        return DigestRenderer(self.settings.policy_dir / "messages", self.store, self.board)

    def sheet_url(self, key: SendKey) -> str:
        """The sheet, on the board, of the revision that this send is about; empty where nobody said where we are."""
        order = order_workflow_id(key.ref).removeprefix("order/")
        return f"{self.board}/sheet/{order}?revision={key.revision}" if self.board else ""

    def message_links(self, key: SendKey, role: str, recipient: str) -> MessageLinks:
        """What this send's message to that address may link to. All are as old as each other."""
        print_, made_at = fingerprint(recipient), datetime.now(UTC).replace(microsecond=0)
        page = PageLink(ref=key.ref, role=role, via=key.channel, recipient=print_, carrier=key, made_at=made_at)
        touch = {
            what: self.touch_links.url(TouchLink(key=key, what=what, recipient=print_, made_at=made_at))
            for what in What
        }
        return MessageLinks(
            page_url=self.links.again(page),
            page_link=touch[What.PAGE],
            shop_link=touch[What.SHOP] if self.store(key.ref.store).url else "",
            pixel_url=touch[What.PIXEL],
            honeypot_url=touch[What.HONEYPOT],
            sheet_url="" if role == BUYER else self.sheet_url(key),
        )


def channel_traits() -> dict[str, Traits]:
    """Every channel's traits, configured or not: what the policy may name."""
    return {name: spec.adapter.traits for name, spec in channels.load().items()}


def source_answers() -> dict[str, SourceCall]:
    """The systems that are told what becomes of their orders, configured or not."""
    found = ((name, spec.adapter.traits) for name, spec in sources.load().items())
    return {
        name: SourceCall(system=name, call=traits.answer, stages=tuple(sorted(traits.answers)))
        for name, traits in found
        if traits.answer is not None
    }


def connections(policy: Policy) -> tuple[Connection, ...]:
    """Every store's connections to systems that orders come from. An edit of them holds from the next start on."""
    return tuple(
        Connection(
            store=name,
            system=system,
            source=row.source,
            country=store.profile.country,
            time_zone=store.profile.time_zone,
            language=policy.languages[0],
            fields=row.fields,
            sure_from=row.sure_from,
            partners=row.partners,
        )
        for name, store in policy.stores.items()
        for system, row in store.connections.items()
    )


def wanted_looks(policy: Policy, built_sources: Built[Source], built_erps: Built[Erp]) -> dict[LookRequest, timedelta]:
    """What has to be looked at again and again, and how often: polled connections, and the ERPs of stores."""
    wanted = dict[LookRequest, timedelta]()
    for source in built_sources.ready.values():
        here, traits = source.connection, source.traits
        if isinstance(source, Looks) and traits.poll_every is not None:
            every = policy.stores[here.store].connections[here.system].poll_every or traits.poll_every
            wanted[LookRequest(source=SourceLook(store=here.store, system=here.system))] = every
    for name in {store.erp.name for store in policy.stores.values() if store.erp}:
        if name in built_erps.ready:
            row = policy.erps.get(name)
            wanted[LookRequest(erp=ErpLook(erp=name))] = row.ask_every if row else ASK_EVERY
    return wanted


def wanted_sweeps(settings: Settings, policy: Policy, built_erps: Built[Erp]) -> dict[SweepRequest, timedelta]:
    """Every ERP of a store is swept, and the books, as often as the settings say."""
    named = {store.erp.name for store in policy.stores.values() if store.erp}
    every = timedelta(minutes=settings.sweep_minutes)
    return {SweepRequest(erp=name): every for name in sorted(named & built_erps.ready.keys())} | {SweepRequest(): every}


def report_addresses(settings: Settings) -> tuple[str, ...]:
    """Whom the weekly report goes to by itself, each once. Raises Misconfigured for what is no address."""
    found: dict[str, str] = {}
    for place, text in enumerate((part.strip() for part in settings.weekly_to.split(",")), 1):
        if not text:
            continue
        try:
            found.setdefault(normal_address(text), one_address(text))
        except Refused:
            raise Misconfigured(f"ORDERACK_WEEKLY_TO: the {place}. of its parts is not one e-mail address") from None
    return tuple(found.values())


def report_slot(settings: Settings) -> Slot | None:
    """When the weekly report goes out; None: nobody gets it. Raises Misconfigured."""
    if not report_addresses(settings):
        return None
    catch_up = timedelta(days=settings.weekly_catch_up_days)
    return Slot(WEEKDAYS.index(settings.weekly_day), settings.weekly_hour, settings.weekly_time_zone, catch_up)


@asynccontextmanager
async def assemble(settings: Settings | None = None) -> AsyncIterator[Parts]:
    """Build the parts, and release them at the end. Raises Misconfigured or Unavailable, saying what to do."""
    settings = settings or Settings()
    if unknown := sorted(set(settings.rates) - set(channels.load())):
        raise Misconfigured(f"ORDERACK_RATES names {', '.join(unknown)}: there is no such channel")
    policy = CurrentPolicy(settings.policy_dir, settings.policy_divisor)
    renderer = MessageRenderer(settings.policy_dir / "messages")
    links = PageLinks(settings.secret.get_secret_value(), settings.public_url)
    touch_links = TouchLinks(settings.secret.get_secret_value(), settings.public_url)
    async with AsyncExitStack() as stack:
        ledger = await open_ledger(settings.ledger_url)
        stack.push_async_callback(ledger.aclose)
        built_channels, built_sources = channels.build(), sources.build(connections(policy()))
        built_erps = erps.build({name: erp.system for name, erp in policy().erps.items()})
        for channel in built_channels.ready.values():
            stack.push_async_callback(channel.aclose)
        for erp in built_erps.ready.values():
            stack.push_async_callback(erp.aclose)
        for source in built_sources.ready.values():
            stack.push_async_callback(source.aclose)
        recall(built_sources.ready, ledger, lambda: datetime.now(UTC))
        yield Parts(settings, ledger, built_channels, built_erps, built_sources, policy, renderer, links, touch_links)
