"""What Twilio accepts in a message form, its codes for no, and how it counts segments."""

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

API = "2010-04-01"
E164 = re.compile(r"\+[1-9]\d{6,14}")
BODY_MAX = 1_600
CALLBACK_MAX = 4_000

MAGIC_NUMBERS: Mapping[str, int] = {
    "+15005550001": 21211,
    "+15005550002": 21612,
    "+15005550003": 21408,
    "+15005550004": 21610,
    "+15005550009": 21614,
}
"""Twilio's published test numbers that are refused, each with its error code."""

ERRORS: Mapping[int, str] = {
    20003: "Authenticate",
    20404: "The requested resource was not found",
    20429: "Too Many Requests",
    20500: "Internal Server Error",
    21211: "Invalid 'To' Phone Number",
    21408: "Permission to send an SMS has not been enabled for the region indicated by the 'To' number",
    21602: "Message body is required.",
    21603: "A 'From' phone number is required.",
    21604: "A 'To' phone number is required.",
    21609: "The 'StatusCallback' URL is not a valid URL.",
    21610: "Attempt to send to unsubscribed recipient",
    21612: "The 'To' phone number is not currently reachable via SMS",
    21614: "'To' number is not a valid mobile number",
    21617: "The concatenated message body exceeds the 1600 character limit",
}
"""Code to sentence; a code that is not here (a fault may name any) gets a general one."""

GSM_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
GSM_EXTENDED = frozenset("^{}\\[~]|€\f")


def wrong_with(form: Mapping[str, str]) -> int | None:
    """The code of the first thing Twilio would refuse in this form, or None."""
    to = form.get("To", "")
    checks = (
        (21604, not to),
        (21603, not (form.get("From") or form.get("MessagingServiceSid"))),
        (21602, not form.get("Body")),
        (21211, not E164.fullmatch(to)),
        (21617, len(form.get("Body", "")) > BODY_MAX),
        (21609, "StatusCallback" in form and not valid_callback(form["StatusCallback"])),
    )
    return next((code for code, wrong in checks if wrong), MAGIC_NUMBERS.get(to))


def valid_callback(url: str) -> bool:
    """At most 4,000 characters, http(s), a host without an underscore."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    host = parts.hostname or ""
    return len(url) <= CALLBACK_MAX and parts.scheme in ("http", "https") and host != "" and "_" not in host


def segments(body: str) -> int:
    """SMS parts: 160 GSM-7 septets or 70 UCS-2 units alone, 153 or 67 in each of several."""
    if set(body) <= GSM_BASIC | GSM_EXTENDED:
        units, alone, joined = sum(2 if c in GSM_EXTENDED else 1 for c in body), 160, 153
    else:
        units, alone, joined = len(body.encode("utf-16-be")) // 2, 70, 67
    return 1 if units <= alone else -(-units // joined)
