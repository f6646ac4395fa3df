"""Addresses as they are compared: is this reply from where the message went?"""

import hashlib
import re

_REACHES = re.compile(r"@|^\s*\+\d")
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
    """Whether it may be an e-mail address or a phone number: some shops use these as their customers' ids."""
    return _REACHES.search(text) is not None


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
