"""The OpenAPI description's parts that FastAPI can't see: bodies that are read raw, and the API key."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from orderack.domain.attestation import Attestation
from orderack.domain.order import Order
from orderack.domain.receipt import ErpReceipt

BODIES: tuple[type[BaseModel], ...] = (Order, ErpReceipt, Attestation)

KEYED: dict[str, Any] = {"security": [{"bearer": []}, {"apiKey": []}]}
KEYED_OR_SIGNED: dict[str, Any] = {"security": [{"bearer": []}, {"apiKey": []}, {}]}

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
        components["securitySchemes"] = _SCHEMES
        app.openapi_schema = schema
    return app.openapi_schema
