"""The OpenAPI description's parts that FastAPI can't see: bodies that are read raw, and the API key."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from orderack.domain.attestation import Attestation
from orderack.domain.order import Order
from orderack.domain.receipt import ErpReceipt
from orderack.domain.shadow import OldEvent
from orderack.gateway.failures import ERRORS, ErrorReply
from orderack.gateway.rates import PAGES, TOKENS, WRONG_GUESS

BODIES: tuple[type[BaseModel], ...] = (Order, ErpReceipt, Attestation, OldEvent)

KEYED: dict[str, Any] = {"security": [{"bearer": []}, {"apiKey": []}]}
KEYED_OR_SIGNED: dict[str, Any] = {"security": [{"bearer": []}, {"apiKey": []}, {}]}

_FORM = {
    "type": "object",
    "properties": {
        "revision": {"type": "string", "description": "the revision that the page showed"},
        "form": {"type": "string", "description": "the form's own id: sent twice, it is taken once"},
    },
    "required": ["revision"],
    "additionalProperties": {"type": "string"},
}
FORM: dict[str, Any] = {
    "requestBody": {"required": True, "content": {"application/x-www-form-urlencoded": {"schema": _FORM}}}
}
"""The request body of the page's forms; which other fields there are depends on the order shown."""

_SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "your API key"},
    "apiKey": {"type": "apiKey", "in": "header", "name": "X-Api-Key"},
}
_REF = "#/components/schemas/{model}"


def body_of(model: type[BaseModel], *, many: bool = False) -> dict[str, Any]:
    """The request body of a route that reads it raw: one of `BODIES`, or with `many` one or a list of them."""
    schema: dict[str, Any] = {"$ref": _REF.format(model=model.__name__)}
    if many:
        schema = {"anyOf": [schema, {"type": "array", "items": schema}]}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def describe(app: FastAPI) -> dict[str, Any]:
    """The whole description, made once."""
    if app.openapi_schema is None:
        schema = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
        _, bodies = models_json_schema([(model, "validation") for model in BODIES], ref_template=_REF)
        components = schema.setdefault("components", {})
        components.setdefault("schemas", {}).update(bodies["$defs"])
        for unused in ("HTTPValidationError", "ValidationError"):
            components["schemas"].pop(unused, None)
        components["securitySchemes"] = _SCHEMES
        for path, methods in schema["paths"].items():
            for operation in methods.values():
                _complete(path, operation["responses"])
        app.openapi_schema = schema
    return app.openapi_schema


def _complete(path: str, responses: dict[str, Any]) -> None:
    """What no route says of itself: who asks too often is refused before it; what is wrong with the address, after."""
    if "HTTPValidationError" in str(responses.get("422")):
        responses["422"] = {"description": ERRORS[422]["description"], "content": _REPLY}
    word = path.removeprefix("/").partition("/")[0]
    if word in TOKENS:
        found = responses.setdefault("404", {"description": "No such link, or no such address"})
        found["content"] = ({"text/html": {}} if word in PAGES else {}) | _REPLY
    if "303" in responses:
        headers = {"Location": {"schema": {"type": "string"}, "required": True}}
        responses["303"] = {"description": "Go there with GET", "headers": headers}
    if word in WRONG_GUESS:
        responses["429"] = {
            "description": ERRORS[429]["description"],
            "content": {"text/html": {}} if word in PAGES else _REPLY,
            "headers": {"Retry-After": {"description": "seconds", "schema": {"type": "integer"}}},
        }


_REPLY = {"application/json": {"schema": {"$ref": _REF.format(model=ErrorReply.__name__)}}}
