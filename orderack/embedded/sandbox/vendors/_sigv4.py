"""How AWS checks Signature Version 4: the request signed anew with the secret, by the documented steps."""

import hashlib
import hmac
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

LOGIN = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<id>[^/]+)/(?P<scope>[^,]+), ?SignedHeaders=(?P<signed>[^,]+), ?"
    r"Signature=(?P<signature>[0-9a-f]{64})"
)
SKEW = timedelta(minutes=5)


def wrong_with(
    method: str, path: str, headers: Mapping[str, str], body: bytes, *, key: tuple[str, str], scope: str
) -> str | None:
    """The service's code for a login that does not hold; `scope` is `region/service`, `key` the id and the secret."""
    login = LOGIN.fullmatch(headers.get("authorization", ""))
    if login is None:
        return "MissingAuthenticationToken"
    if login["id"] != key[0]:
        return "UnrecognizedClientException"
    at = headers.get("x-amz-date", "")
    if login["scope"] != f"{at[:8]}/{scope}/aws4_request":
        return "InvalidSignatureException"
    names = login["signed"].split(";")
    lines = "".join(f"{name}:{' '.join(headers.get(name, '').split())}\n" for name in names)
    digest = hashlib.sha256(body).hexdigest()
    canonical = "\n".join((method, quote(path, safe="/~"), "", lines, login["signed"], digest))
    text = "\n".join(("AWS4-HMAC-SHA256", at, login["scope"], hashlib.sha256(canonical.encode()).hexdigest()))
    secret = f"AWS4{key[1]}".encode()
    for part in login["scope"].split("/"):
        secret = hmac.digest(secret, part.encode(), hashlib.sha256)
    right = hmac.new(secret, text.encode(), hashlib.sha256).hexdigest()
    if not hmac.compare_digest(right, login["signature"]) or not {"host", "x-amz-date"} <= set(names):
        return "InvalidSignatureException"
    return None if _timely(at) else "RequestExpired"


def _timely(at: str) -> bool:
    try:
        moment = datetime.strptime(at, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return False
    return abs(datetime.now(UTC) - moment) <= SKEW
