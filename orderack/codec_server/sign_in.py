"""A page on which operators leave their token, for a UI without logins: their browser shows it from then on.

The UI has to send cookies (TEMPORAL_CODEC_INCLUDE_CREDENTIALS=true, or its own switch "Include cross-origin
credentials"), and to be of the same site: 127.0.0.1 and 127.0.0.1, or two names of one domain. The cookie goes to
`/decode` alone, no script reads it, and it counts only beside the UI's origin.
"""

from http import HTTPStatus

from starlette.responses import HTMLResponse, Response

COOKIE = "orderack_codec"
PATH = "/login"
KEPT = 8 * 60 * 60
"""Seconds: a working day."""
LARGEST = 4_096

_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_PAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Codec server</title></head>
<body><main><h1>Codec server</h1>
<p>{said}</p>
<form method="post" action="/login">
<label>Token <input type="password" name="token" autocomplete="off" required></label>
<button>Open payloads here</button>
</form></main></body>
</html>
"""
_ASKS = "Leave your token, and Temporal's UI shows payloads in clear in this browser, for eight hours."
_UNKNOWN = "We do not know this token."
_DONE = "Temporal's UI now shows payloads in clear in this browser. You may close this page."


def asks() -> Response:
    return HTMLResponse(_PAGE.format(said=_ASKS), headers=_HEADERS)


def refuses() -> Response:
    return HTMLResponse(_PAGE.format(said=_UNKNOWN), HTTPStatus.UNAUTHORIZED, _HEADERS)


def accepts(token: str, *, https: bool) -> Response:
    done = HTMLResponse(_PAGE.format(said=_DONE), headers=_HEADERS)
    done.set_cookie(COOKIE, token, max_age=KEPT, path="/decode", secure=https, httponly=True, samesite="strict")
    return done
