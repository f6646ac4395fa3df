"""AWS Signature Version 4 through botocore, the one file that needs it (the extra `ses`).

botocore is imported when something is signed and never before: an installation without it has every other channel.
"""

from collections.abc import Mapping
from datetime import UTC
from importlib.util import find_spec

from pydantic import SecretStr

from orderack.clients.http import Clock, utc_now


def available() -> bool:
    """Whether botocore is installed."""
    return find_spec("botocore") is not None


class SigV4:
    """Signs requests of one service in one region with one key. Its representation shows neither."""

    def __init__(
        self,
        access_key_id: str,
        secret_access_key: SecretStr,
        session_token: SecretStr | None,
        *,
        service: str,
        region: str,
        clock: Clock = utc_now,
    ) -> None:
        self._key = (access_key_id, secret_access_key, session_token)
        self._service = service
        self._region = region
        self._clock = clock

    def headers(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Mapping[str, str]:
        """All headers that the request needs, `headers` among them. `url` is the whole one that is called.

        botocore's own steps at our clock's time: the same request in the same second is the same bytes.
        """
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest
        from botocore.credentials import Credentials

        access_key_id, secret, token = self._key
        held = token.get_secret_value() if token else None
        signer = SigV4Auth(Credentials(access_key_id, secret.get_secret_value(), held), self._service, self._region)
        at = self._clock().astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
        dated = {**headers, "X-Amz-Date": at, **({"X-Amz-Security-Token": held} if held else {})}
        request = AWSRequest(method=method, url=url, headers=dated, data=body)
        request.context["timestamp"] = at
        signature = signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request)
        signed = signer.signed_headers(signer.headers_to_sign(request))
        login = f"AWS4-HMAC-SHA256 Credential={signer.scope(request)}, SignedHeaders={signed}, Signature={signature}"
        return {**dated, "Authorization": login}
