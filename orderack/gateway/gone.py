"""The page for every link that is none: forged, damaged, expired, revoked, or leading nowhere."""

from fastapi import Request
from fastapi.responses import HTMLResponse

from orderack.gateway.page_html import gone_html
from orderack.gateway.parts import GatewayParts


def gone(parts: GatewayParts, request: Request) -> HTMLResponse:
    """The same answer to all of them, in the browser's language."""
    asked = request.headers.get("accept-language", "").partition(",")[0].partition(";")[0].strip()
    language = parts.wording.language_for(asked)
    return gone_html(parts.wording.words(language)[0], language)
