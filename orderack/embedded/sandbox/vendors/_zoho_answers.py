"""How Zoho CRM says what became of a request: of the whole of it, or of each record."""

from collections.abc import Mapping

from pydantic import JsonValue
from starlette.responses import JSONResponse, Response


def whole(code: str, status: int) -> Response:
    """A refusal of the request."""
    body = {"code": code, "details": {}, "message": "the request was refused", "status": "error"}
    return JSONResponse(body, status_code=status)


def said(code: str, details: Mapping[str, JsonValue], status: int = 202) -> Response:
    """What became of its one record; a 202 may well be a failure."""
    word = "success" if code == "SUCCESS" else "error"
    record = {"code": code, "details": dict(details), "message": code.lower(), "status": word}
    return JSONResponse({"data": [record]}, status_code=status)
