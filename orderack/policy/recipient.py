"""The one address of a channel's kind that a message goes to."""

import phonenumbers

from orderack.domain.order import Order

CHAT = "chat:"
BUYER = "buyer"


def recipient_of(order: Order, address: str, role: str, page: str, country: str) -> str | None:
    """The buyer's address of this kind (`email`, `phone`, `page`, `chat:<platform>`), or the owner's role.

    A phone number is returned in E.164; one written without a country code is read as the store's country's.
    None: there is none, or it has not the right form.
    """
    if role != BUYER:
        return role
    if address == "email":
        return order.contacts.email
    if address == "phone":
        return _e164(order.contacts.phone, country)
    if address == "page":
        return page or None
    return next((chat.id for chat in order.contacts.chats if f"{CHAT}{chat.platform}" == address), None)


def _e164(phone: str | None, country: str) -> str | None:
    try:
        number = phonenumbers.parse(phone or "", country)
    except phonenumbers.NumberParseException:
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
