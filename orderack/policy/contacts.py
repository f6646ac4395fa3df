"""Which of a buyer's contacts can be reached at all: a check of form, without asking anyone."""

import phonenumbers
from email_validator import EmailNotValidError, validate_email

from orderack.domain.order import Contacts

_SHORTEST_NUMBER = 5
"""Some countries call anything from two digits on possible; those are service numbers, not buyers."""


def reachable(contacts: Contacts, country: str | None) -> frozenset[str]:
    """The kinds of contact that have the right form: `email`, `phone`, `chat:<platform>`.

    `country`: where a phone number without country code is dialled from.
    """
    kinds = {f"chat:{chat.platform}" for chat in contacts.chats}
    if contacts.email and _is_email(contacts.email):
        kinds.add("email")
    if contacts.phone and _is_phone(contacts.phone, country):
        kinds.add("phone")
    return frozenset(kinds)


def _is_email(text: str) -> bool:
    try:
        # Reserved domains (example.com) are let through: samples and shadow runs use them on purpose.
        validate_email(text.strip(), check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        return False
    return True


def _is_phone(text: str, country: str | None) -> bool:
    try:
        number = phonenumbers.parse(text, country)
    except phonenumbers.NumberParseException:
        return False
    long_enough = len(phonenumbers.national_significant_number(number)) >= _SHORTEST_NUMBER
    return long_enough and phonenumbers.is_possible_number(number)
