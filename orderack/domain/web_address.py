"""Which addresses may become a link."""

from urllib.parse import urlsplit


def web_address(url: str) -> str:
    """The URL if it is a plain http(s) one, else nothing: no other scheme becomes a link."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    plain = (
        parts.scheme in ("http", "https") and parts.netloc and url.isascii() and url.isprintable() and " " not in url
    )
    return url if plain else ""
