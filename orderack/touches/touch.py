"""A touch: an image or a link of a message was fetched. What is known of it, and what can be said of who did it."""

import hashlib
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated

from pydantic import AwareDatetime, Field, StringConstraints

from orderack.domain.evidence import Grade
from orderack.domain.order import Name, Text
from orderack.domain.value import Value


class What(StrEnum):
    """What was touched. Frozen names: they are stored, and stand in links that are out."""

    PIXEL = "pixel"
    PAGE = "page"
    """The buyer's page, by the tracked link or by its own."""
    SHOP = "shop"
    """The store's site."""
    HONEYPOT = "honeypot"
    """A link that nobody sees."""


class Reason(StrEnum):
    """Why a touch is a machine's. Frozen names: they stand in the record."""

    APPLE_MAIL_PRELOAD = "apple_mail_preload"
    GOOGLE_IMAGE_PROXY = "google_image_proxy"
    YAHOO_IMAGE_PROXY = "yahoo_image_proxy"
    SAFE_LINKS = "safe_links"
    PROOFPOINT = "proofpoint"
    MIMECAST = "mimecast"
    BARRACUDA = "barracuda"
    CISCO = "cisco"
    MAIL_SCANNER = "mail_scanner"
    PREVIEW_BOT = "preview_bot"
    CRAWLER = "crawler"
    HTTP_CLIENT = "http_client"
    HEADLESS_BROWSER = "headless_browser"
    HEAD_REQUEST = "head_request"
    NO_USER_AGENT = "no_user_agent"
    PREFETCH_HEADER = "prefetch_header"
    ALL_LINKS_AT_ONCE = "all_links_at_once"
    HONEYPOT = "honeypot"
    TOO_SOON = "too_soon"
    CLOUD_NETWORK = "cloud_network"


class Verdict(Value):
    """Whose touch it is. No reason is no proof of a person: a person's touch is E3p, never more."""

    reasons: tuple[Reason, ...] = ()
    """Everything that speaks for a machine, in the order of `Reason`."""

    @property
    def machine(self) -> bool:
        return bool(self.reasons)

    @property
    def grade(self) -> Grade:
        return Grade.M if self.machine else Grade.E3P


MARKS = ("sec-purpose", "purpose", "x-purpose", "x-moz")
"""Request headers that a verdict can rest on, lower case; no other is kept."""

Kept = Annotated[str, StringConstraints(max_length=500)]


class Touch(Value):
    """One fetch, as it came."""

    send_key: Text
    what: What
    method: Name = "GET"
    address: Kept = ""
    """The client's IP address; empty: not known."""
    user_agent: Kept = ""
    headers: Mapping[Name, Kept] = Field(default_factory=dict)
    """Those of `MARKS` that the request had."""
    at: AwareDatetime

    @property
    def id(self) -> str:
        """The same for like touches: one row in the ledger, with a count."""
        parts = (self.send_key, self.what, self.method, self.address, self.user_agent)
        return hashlib.sha256("\n".join(parts).encode("utf-8", "surrogatepass")).hexdigest()
