"""Twilio's Messages resource, as its OpenAPI description (2010-04-01) has it."""

import asyncio
import base64
import binascii
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import partial
from hmac import compare_digest
from typing import ClassVar
from urllib.parse import parse_qs, urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from orderack.embedded.sandbox import signatures
from orderack.embedded.sandbox.courier import Webhook
from orderack.embedded.sandbox.faults import Action, Operation, Plan, Target
from orderack.embedded.sandbox.look_alike import KEY_FIELD, Deed, LookAlike
from orderack.embedded.sandbox.record import Posted
from orderack.embedded.sandbox.state import SandboxState
from orderack.embedded.sandbox.twilio_inbound import inbound
from orderack.embedded.sandbox.twilio_rules import API, ERRORS, segments, wrong_with

CALLBACK = "/webhooks/twilio_sms"
PAGE_SIZE = 50
PAGE_SIZE_MAX = 1_000
UNKNOWN_HANDSET = 30005


@dataclass(frozen=True)
class Sms:
    """One message as the account holds it."""

    sid: str
    to: str
    sender: str | None
    service: str | None
    body: str
    created: datetime
    updated: datetime
    callback: str | None
    status: str = "queued"
    sent: datetime | None = None
    error: int | None = None


class Twilio(LookAlike):
    """Sends, fetches and lists messages, and reports each one's progress to its StatusCallback."""

    target: ClassVar[Target] = Target.TWILIO
    channel: ClassVar[str] = "twilio_sms"

    def __init__(self, state: SandboxState) -> None:
        super().__init__(state)
        self._messages: dict[str, Sms] = {}

    def routes(self) -> Sequence[BaseRoute]:
        account = f"/{API}/Accounts/{{account}}"
        return (
            Route(f"{account}.json", self.endpoint(Operation.LOOKUP, self._account), methods=["GET"]),
            Route(f"{account}/Messages.json", self.endpoint(Operation.SEND, self._create), methods=["POST"]),
            Route(f"{account}/Messages.json", self.endpoint(Operation.LOOKUP, self._list), methods=["GET"]),
            Route(f"{account}/Messages/{{sid}}.json", self.endpoint(Operation.LOOKUP, self._fetch), methods=["GET"]),
        )

    def deed(self, message: Posted, deed: Deed, text: str) -> Webhook | None:
        """An inbound message from the number that was written to."""
        if deed not in (Deed.WRITE, Deed.OPT_OUT):
            return None
        form = inbound(self.state.credentials.twilio_account_sid, message, text or "STOP")
        token = self.state.credentials.twilio_auth_token
        headers = {"Content-Type": "application/x-www-form-urlencoded; charset=UTF-8"}
        return Webhook(
            name=f"twilio {form['MessageSid']} received",
            url=lambda: self.state.callback(CALLBACK),
            signed=lambda url: {**headers, **signatures.twilio(token, url, form)},
            body=urlencode(form).encode(),
        )

    def refused(self, code: str | None) -> Response:
        return _error(400, int(code or 21610))

    def throttled(self, retry_after: int) -> Response:
        return _error(429, 20429, {"Retry-After": str(retry_after)})

    def failed(self, status: int) -> Response:
        return _error(status, 20500)

    def too_large(self) -> Response:
        return _error(413, 21617)

    def _stranger(self, request: Request) -> Response | None:
        own = self.state.credentials
        if not _basic_auth(request, own.twilio_account_sid, own.twilio_auth_token):
            return _error(401, 20003)
        if request.path_params["account"] != own.twilio_account_sid:
            return _error(404, 20404)
        return None

    async def _account(self, request: Request, plan: Plan) -> Response:
        sid = self.state.credentials.twilio_account_sid
        account = {"sid": sid, "friendly_name": "Sandbox", "status": "active", "type": "Full"}
        return self._stranger(request) or JSONResponse(account)

    async def _create(self, request: Request, plan: Plan) -> Response:
        if (stranger := self._stranger(request)) is not None:
            return stranger
        form = {name: value for name, value in (await request.form()).items() if isinstance(value, str)}
        if (code := wrong_with(form)) is not None:
            return _error(400, code)
        now = datetime.now(UTC)
        sms = Sms(
            sid=f"SM{secrets.token_hex(16)}",
            to=form["To"],
            sender=form.get("From"),
            service=form.get("MessagingServiceSid"),
            body=form["Body"],
            created=now,
            updated=now,
            callback=form.get("StatusCallback"),
        )
        self._messages[sms.sid] = sms
        self._record(sms, plan)
        self.state.courier.start(self._progress(sms, plan))
        return JSONResponse(self._shown(sms), status_code=201)

    def _record(self, sms: Sms, plan: Plan) -> None:
        key = parse_qs(urlsplit(sms.callback or "").query).get(KEY_FIELD, [None])[0]
        self.state.log.accept(
            self.target, Operation.SEND, provider_id=sms.sid, recipient=sms.to, key=key, faults=plan.actions
        )
        self.state.outbox.put(
            self.target,
            recipient=sms.to,
            sender=sms.sender or sms.service or "",
            provider_id=sms.sid,
            text=sms.body,
            key=key,
        )

    async def _progress(self, sms: Sms, plan: Plan) -> None:
        """Queued, sent, delivered. Twilio reports no initial status, only changes."""
        half = self.state.behaviour.delivered_after / 2
        bounced = plan.happens(Action.BOUNCE)
        code = int((plan.aftermath and plan.aftermath.code) or UNKNOWN_HANDSET) if bounced else None
        for status, error in (("sent", None), ("undelivered" if bounced else "delivered", code)):
            await asyncio.sleep(half)
            now = datetime.now(UTC)
            sms = replace(sms, status=status, updated=now, sent=sms.sent or now, error=error)
            self._messages[sms.sid] = sms
            self._report(sms, plan)

    def _report(self, sms: Sms, plan: Plan) -> None:
        if sms.callback is None:
            return
        form = {
            "ApiVersion": API,
            "AccountSid": self.state.credentials.twilio_account_sid,
            "MessageSid": sms.sid,
            "SmsSid": sms.sid,
            "MessageStatus": sms.status,
            "SmsStatus": sms.status,
            "To": sms.to,
        }
        form |= {"From": sms.sender} if sms.sender else {}
        form |= {"MessagingServiceSid": sms.service} if sms.service else {}
        form |= {"ErrorCode": str(sms.error)} if sms.error else {}
        headers = {
            "Content-Type": "application/x-www-form-urlencoded; charset=UTF-8",
            "I-Twilio-Idempotency-Token": secrets.token_hex(16),
        }
        token, url = self.state.credentials.twilio_auth_token, sms.callback
        webhook = Webhook(
            name=f"twilio {sms.sid} {sms.status}",
            url=lambda: url,
            signed=lambda to: {**headers, **signatures.twilio(token, to, form)},
            body=urlencode(form).encode(),
        )
        self.state.announce(webhook, plan)

    async def _fetch(self, request: Request, plan: Plan) -> Response:
        if (stranger := self._stranger(request)) is not None:
            return stranger
        sms = self._messages.get(request.path_params["sid"])
        return JSONResponse(self._shown(sms)) if sms is not None else _error(404, 20404)

    async def _list(self, request: Request, plan: Plan) -> Response:
        if (stranger := self._stranger(request)) is not None:
            return stranger
        query = request.query_params
        found = [sms for sms in reversed(self._messages.values()) if _asked_for(sms, query)]
        size = min(_number(query.get("PageSize"), PAGE_SIZE) or PAGE_SIZE, PAGE_SIZE_MAX)
        page = _number(query.get("Page"), 0)
        start, shown = page * size, found[page * size : (page + 1) * size]
        address = partial(_page_address, request)
        return JSONResponse(
            {
                "messages": [self._shown(sms) for sms in shown],
                "page": page,
                "page_size": size,
                "start": start,
                "end": start + max(len(shown) - 1, 0),
                "uri": address(size, page),
                "first_page_uri": address(size, 0),
                "next_page_uri": address(size, page + 1) if len(found) > start + size else None,
                "previous_page_uri": address(size, page - 1) if page else None,
            }
        )

    def _shown(self, sms: Sms) -> Mapping[str, object]:
        account = self.state.credentials.twilio_account_sid
        path = f"/{API}/Accounts/{account}/Messages/{sms.sid}"
        return {
            "account_sid": account,
            "api_version": API,
            "body": sms.body,
            "date_created": format_datetime(sms.created),
            "date_sent": format_datetime(sms.sent) if sms.sent else None,
            "date_updated": format_datetime(sms.updated),
            "direction": "outbound-api",
            "error_code": sms.error,
            "error_message": ERRORS.get(sms.error, "Undelivered") if sms.error else None,
            "from": sms.sender,
            "messaging_service_sid": sms.service,
            "num_media": "0",
            "num_segments": str(segments(sms.body)),
            "price": None,
            "price_unit": "USD",
            "sid": sms.sid,
            "status": sms.status,
            "subresource_uris": {"media": f"{path}/Media.json"},
            "to": sms.to,
            "uri": f"{path}.json",
        }


def _asked_for(sms: Sms, query: Mapping[str, str]) -> bool:
    day = (sms.sent or sms.created).date().isoformat()
    # a message that is not sent yet counts by the day it was made: a lookup after a cut-off must find it
    return (
        query.get("To", sms.to) == sms.to
        and query.get("From", sms.sender) == sms.sender
        and query.get("DateSent", day)[:10] == day
        and query.get("DateSent<", day)[:10] >= day
        and query.get("DateSent>", day)[:10] <= day
    )


def _number(text: str | None, default: int) -> int:
    return int(text) if text is not None and text.isdecimal() else default


def _page_address(request: Request, size: int, page: int) -> str:
    kept = [(name, value) for name, value in request.query_params.multi_items() if name not in ("PageSize", "Page")]
    path = f"/{API}/Accounts/{request.path_params['account']}/Messages.json"
    return f"{path}?{urlencode([*kept, ('PageSize', str(size)), ('Page', str(page))])}"


def _error(status: int, code: int, headers: Mapping[str, str] | None = None) -> Response:
    body = {
        "code": code,
        "message": ERRORS.get(code, "The request was refused"),
        "more_info": f"https://www.twilio.com/docs/errors/{code}",
        "status": status,
    }
    return JSONResponse(body, status_code=status, headers=headers)


def _basic_auth(request: Request, user: str, password: str) -> bool:
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    try:
        given = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        return False
    return scheme.lower() == "basic" and compare_digest(given, f"{user}:{password}".encode())
