"""One message as a mail (RFC 5322), the same bytes for the same message and moment."""

from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from urllib.parse import quote

from orderack.clients.bounces import KEY_HEADER
from orderack.clients.email_address import one_address
from orderack.ports import Message

SEVEN_BIT = SMTP.clone(cte_type="7bit")
"""Any server takes it, with or without 8BITMIME."""

SUPPRESSED = "OOF, AutoReply"
"""What Exchange is asked not to answer. Not `All`: that is delivery reports and receipt notices too."""


def composed(
    message: Message, sender: str, sender_name: str, message_id: str, at: datetime, receipts: bool = False
) -> bytes:
    """The whole mail. `receipts`: ask the reader's mail program for a notice (RFC 8098), which readers may refuse.

    Raises Refused(BAD_RECIPIENT) when the recipient is not one address.
    """
    mail = EmailMessage(policy=SEVEN_BIT)
    mail["From"] = Address(" ".join((sender_name or message.sender_name).split()), addr_spec=sender)
    mail["To"] = Address(addr_spec=one_address(message.recipient))
    mail["Subject"] = one_line_subject(message)
    mail["Date"] = format_datetime(at)
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: no vacation notice answers it
    mail["X-Auto-Response-Suppress"] = SUPPRESSED
    if receipts:
        mail["Disposition-Notification-To"] = sender
    mail["Content-Language"] = message.language
    mail.set_content(message.content.text)
    if message.content.html is not None:
        mail.add_alternative(message.content.html, subtype="html")
        mail.set_boundary(f"=_{message_id[1:17]}")  # a random one would make each attempt's bytes differ
    # by hand: the library would fold an id that is long, and a folded one is another
    own = f"Message-ID: {message_id}\r\n{KEY_HEADER}: {header_key(message)}\r\n"
    return own.encode("ascii") + bytes(mail)


def header_key(message: Message) -> str:
    """Our key as a header holds it: in ASCII, without spaces."""
    return quote(message.key_text, safe="/")


def one_line_subject(message: Message) -> str:
    """The subject, or the kind of message it is; never with a line end in it."""
    return " ".join(message.content.subject.split()) or message.kind.value
