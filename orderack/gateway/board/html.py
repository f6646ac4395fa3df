"""The board's pages as HTML: its templates, its style and its script, and the policy that allows no others."""

import hashlib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse, Response

from orderack.contracts.ids import order_workflow_id
from orderack.domain.order import OrderRef
from orderack.gateway.board import words
from orderack.gateway.board.picture import address
from orderack.messages.clean import cut, line, prose

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
"""Scripts and styles come as files of ours; nothing that an order says can run."""

HEADERS = {"Content-Security-Policy": POLICY, "Referrer-Policy": "same-origin"}
"""The gateway's own `no-referrer` would have our forms say `Origin: null`, as forms on other sites can."""

ASSETS: Mapping[str, str] = {
    "board.css": "text/css; charset=utf-8",
    "board.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
LONGEST_SHOWN = 2_000

_TEMPLATES = Environment(
    loader=PackageLoader("orderack.gateway.board"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


@cache
def asset(name: str) -> bytes:
    return files("orderack.gateway.board").joinpath(f"templates/{name}").read_bytes()


@cache
def version(name: str) -> str:
    """Changes with its content, so that it can be kept for ever."""
    return hashlib.sha256(asset(name)).hexdigest()[:12]


def page(template: str, status: int = 200, **known: object) -> HTMLResponse:
    return HTMLResponse(render(template, **known), status, HEADERS)


def render(template: str, **known: object) -> str:
    return _TEMPLATES.get_template(template).render(**known)


def asset_response(name: str) -> Response:
    headers = {"Cache-Control": "public, max-age=31536000, immutable"}
    return Response(asset(name), media_type=ASSETS[name], headers=headers)


def order_path(ref: OrderRef, kind: str = "order") -> str:
    """The address of the order's page (or its `sheet`, or of an act on it)."""
    return f"/board/{kind}/{order_workflow_id(ref).removeprefix('order/')}"


def one_line(text: object, limit: int = 200) -> str:
    """Somebody else's words on one line: nothing hidden, nothing that turns the line round."""
    return line(str(text), limit)


def many_lines(text: object) -> str:
    return cut(prose(str(text)), LONGEST_SHOWN)


_TEMPLATES.filters |= {
    "path": order_path,
    "one": one_line,
    "many": many_lines,
    "ago": words.ago,
    "until": words.until,
    "span": words.span,
    "absence": words.absence,
    "seconds": words.seconds,
    "stage": words.stage,
    "clock": words.clock,
    "flag": words.flag,
    "outcome": words.outcome,
    "reasons": words.reasons,
    "spelled": words.spelled,
    "at_clock": words.at_clock,
    "in_full": words.in_full,
    "money": words.money,
    "number": words.number,
    "address": address,
    "wid": order_workflow_id,
}
_TEMPLATES.globals |= {"bands": words.BANDS, "version": version}
