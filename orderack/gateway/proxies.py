"""Our own proxies: only what they say about where a request came from (X-Forwarded-For) is believed."""

from ipaddress import ip_network

from orderack.errors import Misconfigured


def trusted(text: str) -> tuple[str, ...]:
    """The addresses and networks in `ORDERACK_TRUSTED_PROXIES`. Raises Misconfigured, also for "everybody"."""
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    for name in names:
        try:
            network = ip_network(name)
        except ValueError:
            raise Misconfigured(
                "ORDERACK_TRUSTED_PROXIES: separate addresses or networks such as 10.0.0.7, 10.1.0.0/16 with commas"
            ) from None
        if network.prefixlen == 0:
            raise Misconfigured("ORDERACK_TRUSTED_PROXIES: to trust every address would let anybody name their own")
    return names
