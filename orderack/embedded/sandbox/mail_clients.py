"""Who reads mail, and how it shows on the wire: the machines that fetch before a person does, and a person's browser.

The strings are what each of them really sends, as senders have published it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from orderack.domain.value import Value


class ReadAs(StrEnum):
    """The readers."""

    APPLE_MAIL = "apple_mail"
    """Mail Privacy Protection: loads every image on arrival, whoever reads it or not."""
    GOOGLE_PROXY = "google_proxy"
    """Gmail's image proxy."""
    SAFE_LINKS = "safe_links"
    """Microsoft Defender: asks for every link's head without a name, then opens it as a browser would."""
    SCANNER = "scanner"
    """A mail gateway's scanner: loads and opens everything at once, what nobody can see included."""
    PERSON = "person"
    """Someone with a browser."""


class Does(StrEnum):
    """What a reader does with a message."""

    OPENS = "opens"
    CLICKS = "clicks"
    AFFIRMS = "affirms"
    ACCEPTS = "accepts"
    DECLINES = "declines"
    ASKS = "asks"
    CHANGES = "changes"
    CANCELS = "cancels"


class Fetch(Value):
    """One request of a reader's and its answer."""

    method: str
    url: str
    status: int


_CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/97.0.4692.99 Safari/537.36"
)
_FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
_FIREFOX_IMAGE: Mapping[str, str] = {
    "Accept": "image/avif,image/webp,image/png,image/svg+xml,image/*;q=0.8,*/*;q=0.5",
    "Sec-Fetch-Dest": "image",
    "Sec-Fetch-Mode": "no-cors",
    "Sec-Fetch-Site": "cross-site",
}
_FIREFOX_PAGE: Mapping[str, str] = {
    "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "Upgrade-Insecure-Requests": "1",
    "Sec-Fetch-Dest": "document",
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-User": "?1",
}


@dataclass(frozen=True)
class MailClient:
    """One of them. `agents`: the user agent of each pass over the links, empty for none, with its method."""

    usually: tuple[Does, ...]
    image_agent: str = ""
    image_headers: Mapping[str, str] = field(default_factory=dict)
    passes: tuple[tuple[str, str], ...] = ()
    page_headers: Mapping[str, str] = field(default_factory=dict)
    machine: bool = True
    flagged: bool = False
    """SendGrid tells it apart (`sg_machine_open`): Apple's machines alone."""

    @property
    def can(self) -> frozenset[Does]:
        """A machine presses no buttons."""
        return frozenset(self.usually) if self.machine else frozenset(Does)


MAIL_CLIENTS: Mapping[ReadAs, MailClient] = {
    ReadAs.APPLE_MAIL: MailClient((Does.OPENS,), image_agent="Mozilla/5.0", flagged=True),
    ReadAs.GOOGLE_PROXY: MailClient(
        (Does.OPENS,),
        image_agent="Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)",
    ),
    ReadAs.SAFE_LINKS: MailClient((Does.CLICKS,), passes=(("HEAD", ""), ("GET", _CHROME))),
    ReadAs.SCANNER: MailClient(
        (Does.OPENS, Does.CLICKS), image_agent="Barracuda Sentinel (EE)", passes=(("GET", "Barracuda Sentinel (EE)"),)
    ),
    ReadAs.PERSON: MailClient(
        (Does.OPENS, Does.CLICKS),
        image_agent=_FIREFOX,
        image_headers=_FIREFOX_IMAGE,
        passes=(("GET", _FIREFOX),),
        page_headers=_FIREFOX_PAGE,
        machine=False,
    ),
}
