"""The mailbox pages: every message the look-alikes took, as its reader would see it.

Messages are hostile until shown otherwise: text is escaped, HTML is shown only inside a sandboxed frame whose own
policy loads nothing and runs nothing.
"""

from collections.abc import Sequence

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from orderack.embedded.sandbox.faults import Target
from orderack.embedded.sandbox.record import Posted
from orderack.embedded.sandbox.state import SandboxState

PAGE_POLICY = "default-src 'none'; style-src 'self'; frame-src 'self'; form-action 'self'; frame-ancestors 'none'"
MESSAGE_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'; "
    "sandbox allow-popups allow-popups-to-escape-sandbox"
)
"""Runs and loads nothing; its button opens in a tab of its own."""
TEMPLATES = Environment(
    loader=PackageLoader("orderack.embedded.sandbox"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
SHOWN = 200
"""Messages on one page."""

CHANNELS = {
    Target.SMTP: "E-mail (SMTP)",
    Target.GMAIL: "Gmail",
    Target.OUTLOOK: "Outlook",
    Target.SENDGRID: "SendGrid",
    Target.SES: "Amazon SES",
    Target.MAILGUN: "Mailgun",
    Target.VONAGE: "Vonage SMS",
    Target.TWILIO: "Twilio SMS",
    Target.SLACK: "Slack",
    Target.WEBHOOK: "Own system",
    Target.WOOCOMMERCE: "WooCommerce",
    Target.SHOPIFY: "Shopify",
    Target.BIGCOMMERCE: "BigCommerce",
    Target.MAGENTO: "Magento",
    Target.EDI: "Trading partner (EDI)",
    Target.KLAVIYO: "Klaviyo",
    Target.ACTIVECAMPAIGN: "ActiveCampaign",
    Target.HUBSPOT: "HubSpot",
    Target.SALESFORCE: "Salesforce",
    Target.ZOHO: "Zoho CRM",
    Target.ZENDESK: "Zendesk",
    Target.GOOGLE_CHAT: "Google Chat",
    Target.INTERCOM: "Intercom",
    Target.LINE: "LINE",
    Target.TELEGRAM: "Telegram",
    Target.WHATSAPP: "WhatsApp",
    Target.MESSENGER: "Messenger",
    Target.VIBER: "Viber",
}


class Pages:
    """Read-only pages; nothing on them needs JavaScript."""

    def __init__(self, state: SandboxState) -> None:
        self._outbox = state.outbox
        self._hooks = state.hooks

    def routes(self) -> Sequence[BaseRoute]:
        return (
            Route("/", self._home, methods=["GET"]),
            Route("/mailbox", self._list, methods=["GET"]),
            Route("/mailbox/style.css", self._style, methods=["GET"]),
            Route("/mailbox/{id:int}", self._message, methods=["GET"]),
            Route("/mailbox/{id:int}/html", self._html, methods=["GET"]),
            Route("/hooks", self._events, methods=["GET"]),
        )

    async def _home(self, request: Request) -> Response:
        return RedirectResponse("/mailbox")

    async def _style(self, request: Request) -> Response:
        source, _, _ = TEMPLATES.loader.get_source(TEMPLATES, "style.css")  # type: ignore[union-attr]
        return Response(source, media_type="text/css")

    async def _list(self, request: Request) -> Response:
        query = request.query_params
        text, wanted = query.get("q", ""), query.get("channel", "")
        channel = Target(wanted) if wanted in CHANNELS else None
        found = self._outbox.find(text.strip(), channel)
        if query.get("format") == "json":
            return JSONResponse({"messages": [message.model_dump(mode="json") for message in found]})
        return self._page(
            "list.html", messages=found[:SHOWN], total=len(found), text=text, channel=channel, channels=CHANNELS
        )

    async def _message(self, request: Request) -> Response:
        message = self._outbox.get(request.path_params["id"])
        if message is None:
            return PlainTextResponse("There is no such message (any more).", status_code=404)
        if request.query_params.get("format") == "json":
            return JSONResponse(message.model_dump(mode="json"))
        return self._page("message.html", message=message, links=_seen(message), channels=CHANNELS)

    async def _html(self, request: Request) -> Response:
        message = self._outbox.get(request.path_params["id"])
        if message is None or message.html is None:
            return PlainTextResponse("There is no such page.", status_code=404)
        return HTMLResponse(message.html, headers=_headers(MESSAGE_POLICY))

    async def _events(self, request: Request) -> Response:
        events, refused = self._hooks.events(), self._hooks.refused
        if request.query_params.get("format") == "json":
            return JSONResponse({"events": [event.model_dump(mode="json") for event in events], "refused": refused})
        newest = tuple(reversed(events))
        return self._page("hooks.html", events=newest[:SHOWN], total=len(events), refused=sum(refused.values()))

    def _page(self, template: str, **values: object) -> Response:
        return HTMLResponse(TEMPLATES.get_template(template).render(values), headers=_headers(PAGE_POLICY))


def _headers(policy: str) -> dict[str, str]:
    return {
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-store",
    }


def _seen(message: Posted) -> Sequence[str]:
    """The links that a person can see."""
    return tuple(dict.fromkeys(link.url for link in message.links() if not link.hidden))
