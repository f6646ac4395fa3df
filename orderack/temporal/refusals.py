"""Why a server could not be connected to: the SDK's words for it, and ours. docs/operations/cloud.md lists them."""

from orderack.errors import Misconfigured, OrderAckError, Unavailable

_OURS: tuple[tuple[str, str], ...] = (
    (
        "UnknownIssuer",
        "its certificate is signed by an authority that this machine does not know. Name that authority's certificate "
        "in TEMPORAL_TLS_SERVER_CA_CERT_PATH (tls.server_ca_cert_path)",
    ),
    (
        "NotValidForName",
        "its certificate is for another name. Connect by that, or set TEMPORAL_TLS_SERVER_NAME (tls.server_name) to it",
    ),
    ("NotValidYet", "its certificate is not valid yet. Is this machine's clock right?"),
    ("Expired", "its certificate has expired. Renew it there; or is this machine's clock wrong?"),
    (
        "InvalidContentType",
        "it does not speak TLS, and we do. Unset TEMPORAL_TLS and TEMPORAL_API_KEY (each turns TLS on)",
    ),
    (
        "code: Unauthenticated",
        "it does not accept this login. Check TEMPORAL_API_KEY (api_key), and that it has not expired",
    ),
    ("code: PermissionDenied", "this login may not use the namespace. Check TEMPORAL_NAMESPACE and the key's account"),
)
"""Ours to mend."""

_THEIRS: tuple[tuple[str, str], ...] = (
    (
        "call error after connection",
        "it closed the connection. Does it want TLS (TEMPORAL_TLS=true), or a client certificate of its own authority "
        "(TEMPORAL_TLS_CLIENT_CERT_PATH, TEMPORAL_TLS_CLIENT_KEY_PATH)?",
    ),
    ("dns error", "nobody knows its name. Check TEMPORAL_ADDRESS"),
)
"""It may be away for now; or this."""


def not_connected(error: Exception, address: str, namespace: str) -> OrderAckError:
    """Misconfigured where a setting has to change, else Unavailable. `error`: what the SDK raised."""
    said = str(error)
    where = f"at {address} (namespace {namespace})"
    for sign, why in _OURS:
        if sign in said:
            return Misconfigured(f"Temporal {where} cannot be used: {why}")
    for sign, why in _THEIRS:
        if sign in said:
            return Unavailable(f"Temporal does not answer {where}: {why}")
    return Unavailable(
        f"Temporal does not answer {where}. "
        "Start `orderack up`, or name your server in TEMPORAL_ADDRESS and TEMPORAL_NAMESPACE."
    )
