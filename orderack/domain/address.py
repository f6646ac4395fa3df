"""Addresses as they are compared: is this reply from where the message went?"""

import hashlib
import re

_PHONE = re.compile(r"\+?[\d(][\d\s()./-]*")


def normal_address(address: str) -> str:
    """One spelling for one address: e-mail without regard to case, a phone number's digits, anything else as it is."""
    text = address.strip()
    if "@" in text:
        return text.casefold()
    return re.sub(r"\D", "", text) if _PHONE.fullmatch(text) else text


def address_sha256(address: str) -> str:
    """What the ledger keeps to find a message by its recipient: hex SHA-256 of the address in its one spelling."""
    return hashlib.sha256(normal_address(address).encode("utf-8", "replace")).hexdigest()
