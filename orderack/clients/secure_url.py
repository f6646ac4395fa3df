"""A base URL of the operator's own choosing, to which keys and buyers' data go."""

from ipaddress import ip_address
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator

from orderack.clients.http import BaseUrl


def _secure(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme == "http" and not _is_this_machine(parts.hostname or ""):
        raise ValueError("would send keys and orders unencrypted: use https; http is for this machine only")
    return url


def _is_this_machine(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


SecureUrl = Annotated[BaseUrl, AfterValidator(_secure)]
"""As `BaseUrl`, and https unless it is this machine. A private address is as good as a public one: it is the
operator's own setting, never an order's."""
