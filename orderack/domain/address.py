"""Addresses as they are compared: is this reply from where the message went?"""

import hashlib
import re

_REACHES = re.compile(r"@|^\s*\+\d")
_DIALLED = re.compile(
    r"""
      (?=[\d\s()./-]*[\s()])[\d(][\d\s()./-]*   # grouped as nobody groups an id: (030) 555 1000
    | \d{1,5}(?:[./-]\d{2,}){2,}                  # 555-123-4567
    | 00[1-9][\d./-]+                             # dialled abroad: 0049305551000; an id filled up with zeros has more
    | 0[1-9][\d./-]{7,}                           # dialled at home: 0305551000
    | 1?[2-9]\d\d[2-9]\d{6}                       # North America, as E.164 has it, without its plus
    | (?:33[67]|34[67]|393|316|324|447|4670|4915|4916|4917|436|417|614|79|905)\d{7,9}   # mobiles, so too
    | (?:55\d\d9|861[3-9]|91[6-9]|628|82?10|81[789]0)\d{8,9}
    """,
    re.VERBOSE,
)
_LEAST, _MOST, _LONGEST = 7, 15, 30
"""Digits of a phone number (E.164, and the shortest that are dialled within a town), and how long one is written."""
_PHONE = re.compile(r"\+?[\d(][\d\s()./-]*")


def normal_address(address: str) -> str:
    """One spelling for one address: e-mail without regard to case, its domain as people write it, a phone number's
    digits, anything else as it is."""
    text = address.strip()
    if "@" in text:
        local, _, domain = text.casefold().rpartition("@")
        return f"{local}@{'.'.join(_label(label) for label in domain.split('.'))}"
    return re.sub(r"\D", "", text) if _PHONE.fullmatch(text) else text


def reaches(text: str) -> bool:
    """Whether it may be an e-mail address or a phone number: some shops use these as their customers' ids.

    Digits alone are taken for a number where they are shaped like one that people dial or that chats name people by;
    most ids of shops are not. Where that cannot be told, it is a number: showing one less id harms nobody.
    """
    if _REACHES.search(text):
        return True
    written = text.strip()
    digits = sum(map(str.isdigit, written))
    return len(written) <= _LONGEST and _LEAST <= digits <= _MOST and _DIALLED.fullmatch(written) is not None


def _label(label: str) -> str:
    """Mail goes out under a domain's ASCII form (`xn--bcher-kva`), and so a vendor reports it; orders have `bücher`."""
    if not label.startswith("xn--"):
        return label
    try:
        return label.removeprefix("xn--").encode("ascii").decode("punycode").casefold()
    except UnicodeError:
        return label


def address_sha256(address: str) -> str:
    """What the ledger keeps to find a message by its recipient: hex SHA-256 of the address in its one spelling."""
    return hashlib.sha256(normal_address(address).encode("utf-8", "replace")).hexdigest()
