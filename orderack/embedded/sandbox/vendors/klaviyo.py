"""A Klaviyo account whose flow mails every event's own text at once, and knows each unique id for ever.

It answers a new event and a known one alike, 202 and nothing else: which it was shows in the log alone.
"""

import secrets
from collections.abc import Mapping, Sequence
from hmac import compare_digest
from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, Field, JsonValue, ValidationError, model_validator
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from orderack.embedded.sandbox.faults import Operation, Plan, Target
from orderack.embedded.sandbox.look_alike import LookAlike
from orderack.embedded.sandbox.state import SandboxState

PROPERTIES_MAX = 400


class ProfileAttributes(BaseModel):
    id: str | None = None
    email: Annotated[str, Field(pattern=r"^[^@\s,]+@[^@\s,]+$")] | None = None
    phone_number: Annotated[str, Field(pattern=r"^\+[1-9]\d{6,14}$")] | None = None

    @model_validator(mode="after")
    def _is_somebody(self) -> "ProfileAttributes":
        if not (self.id or self.email or self.phone_number):
            raise ValueError("names nobody")
        return self


class ProfileData(BaseModel):
    type: Literal["profile"]
    attributes: ProfileAttributes


class Profile(BaseModel):
    data: ProfileData


class MetricName(BaseModel):
    name: str = Field(min_length=1, max_length=128)


class MetricData(BaseModel):
    type: Literal["metric"]
    attributes: MetricName


class Metric(BaseModel):
    data: MetricData


class Attributes(BaseModel):
    properties: dict[str, JsonValue] = Field(max_length=PROPERTIES_MAX)
    value: float | None = None
    value_currency: str | None = Field(default=None, pattern=r"^[A-Z]{3}$")
    unique_id: str | None = None
    metric: Metric
    profile: Profile


class Data(BaseModel):
    type: Literal["event"]
    attributes: Attributes


class Event(BaseModel):
    data: Data


class Klaviyo(LookAlike):
    """One account."""

    target: ClassVar[Target] = Target.KLAVIYO

    def __init__(self, state: SandboxState) -> None:
        super().__init__(state)
        self._key = f"pk_{secrets.token_hex(17)}"
        self._known: dict[tuple[str, str, str], str] = {}
        """Profile, metric and unique id → the event's id, which the account keeps to itself."""

    def routes(self) -> Sequence[BaseRoute]:
        return (
            Route("/api/events", self.endpoint(Operation.SEND, self._create), methods=["POST"]),
            Route("/api/accounts", self._accounts, methods=["GET"]),
        )

    def environment(self, url: str) -> Mapping[str, str]:
        return {"ORDERACK_KLAVIYO_API_KEY": self._key, "ORDERACK_KLAVIYO_BASE_URL": url}

    def refused(self, code: str | None) -> Response:
        return _no(400, code or "invalid", "/data/attributes/profile/data/attributes/email")

    def throttled(self, retry_after: int) -> Response:
        answer = _no(429, "throttled", "")
        answer.headers["Retry-After"] = str(retry_after)
        return answer

    def failed(self, status: int) -> Response:
        return _no(status, "error", "")

    def too_large(self) -> Response:
        return _no(413, "payload_too_large", "")

    async def _create(self, request: Request, plan: Plan) -> Response:
        if (stranger := self._stranger(request)) is not None:
            return stranger
        try:
            event = Event.model_validate_json(await request.body()).data.attributes
        except ValidationError as error:
            where = "/".join(str(part) for part in error.errors()[0]["loc"])
            return _no(400, "invalid", f"/{where}")
        self._record(event, plan)
        return Response(status_code=202)

    def _record(self, event: Attributes, plan: Plan) -> None:
        profile = event.profile.data.attributes
        recipient = profile.email or profile.phone_number or profile.id or ""
        key, metric = event.unique_id or secrets.token_hex(8), event.metric.data.attributes.name
        name = (recipient, metric, key)
        repeated = name in self._known
        provider_id = self._known.setdefault(name, f"event-{len(self._known) + 1}")
        self.state.log.accept(
            self.target,
            Operation.SEND,
            provider_id=provider_id,
            recipient=recipient,
            key=key,
            idempotency_key=key,
            repeated=repeated,
            faults=plan.actions,
        )
        if not repeated:
            self._mail(event, recipient, provider_id, key, metric)

    def _mail(self, event: Attributes, recipient: str, provider_id: str, key: str, metric: str) -> None:
        """What a flow makes of it."""
        extra = event.properties.get("$extra")
        html = extra.get("Html") if isinstance(extra, dict) else None
        self.state.outbox.put(
            self.target,
            recipient=recipient,
            sender=f"flow for {metric}",
            provider_id=provider_id,
            subject=str(event.properties.get("Subject", metric)),
            text=str(event.properties.get("Text", "")),
            html=html if isinstance(html, str) else None,
            key=key,
        )

    async def _accounts(self, request: Request) -> Response:
        stranger = self._stranger(request)
        return JSONResponse({"data": [{"type": "account", "id": "SANDBX"}]}) if stranger is None else stranger

    def _stranger(self, request: Request) -> Response | None:
        given = request.headers.get("authorization", "")
        if not compare_digest(given.encode(), f"Klaviyo-API-Key {self._key}".encode()):
            return _no(401, "not_authenticated", "/data/")
        return None if request.headers.get("revision") else _no(400, "invalid", "/headers/revision")


def _no(status: int, code: str, pointer: str) -> Response:
    error: JsonValue = {
        "id": secrets.token_hex(8),
        "status": status,
        "code": code,
        "title": "No.",
        "detail": "No.",
        "source": {"pointer": pointer},
    }
    return JSONResponse({"errors": [error]}, status_code=status, media_type="application/vnd.api+json")


LOOK_ALIKE = Klaviyo
