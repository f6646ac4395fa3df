"""What Meta's look-alikes share: the signature on what they post, and the form of their errors."""

import hashlib
import hmac
import json
import math
from collections.abc import Callable, Mapping

from starlette.responses import JSONResponse, Response

from orderack.embedded.sandbox.courier import Webhook


def signed_post(name: str, url: Callable[[], str | None], secret: str, post: object) -> Webhook:
    """A webhook as Meta posts it: non-ASCII escaped, HMAC-SHA256 over the very bytes."""
    body = json.dumps(post).encode("ascii")
    mac = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    headers = {"Content-Type": "application/json", "X-Hub-Signature-256": f"sha256={mac}"}
    return Webhook(name=name, url=url, signed=lambda to: headers, body=body)


def error(status: int, code: int, message: str, subcode: int | None = None) -> Response:
    """The Graph API's error body."""
    told: dict[str, object] = {"message": f"(#{code}) {message}", "type": "OAuthException", "code": code}
    told |= {"error_subcode": subcode} if subcode else {}
    return JSONResponse({"error": told | {"fbtrace_id": "AsandboxTrace"}}, status_code=status)


def throttled(code: int, message: str, account: str, retry_after: int) -> Response:
    """429; how long it lasts is in a header of Meta's own, in minutes."""
    answer = error(429, code, message)
    usage: Mapping[str, object] = {"estimated_time_to_regain_access": math.ceil(retry_after / 60), "call_count": 100}
    answer.headers["X-Business-Use-Case-Usage"] = json.dumps({account: [usage]})
    return answer
