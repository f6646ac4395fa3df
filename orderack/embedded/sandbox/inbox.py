"""A mailbox as a vendor of mail keeps it: what comes back after a message, in the forms that mail systems write."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime, make_msgid

from orderack.embedded.sandbox.record import Posted

HOST = "mx.sandbox.invalid"


@dataclass(frozen=True)
class Letter:
    """One mail in the mailbox."""

    id: str
    raw: bytes
    at: datetime


@dataclass
class Inbox:
    """What has come in, the oldest first."""

    letters: list[Letter] = field(default_factory=list)

    def put(self, raw: bytes) -> Letter:
        letter = Letter(id=secrets.token_hex(8), raw=raw, at=datetime.now(UTC))
        self.letters.append(letter)
        return letter

    def get(self, letter_id: str) -> Letter | None:
        return next((letter for letter in self.letters if letter.id == letter_id), None)

    def since(self, at: datetime) -> list[Letter]:
        """Whole seconds count, as they do in a search."""
        return [letter for letter in self.letters if letter.at >= at.replace(microsecond=0)]


def delivery_report(message: Posted, action: str, code: str) -> bytes:
    """RFC 3464, with the headers of the message that it is about."""
    told = "could not be delivered" if action == "failed" else "has been delivered"
    return _written(
        {
            "Return-Path": "<>",
            "From": f"Mail Delivery Subsystem <mailer-daemon@{HOST}>",
            "To": message.sender,
            "Subject": f"Delivery Status Notification ({action})",
            "Auto-Submitted": "auto-replied",
            "Content-Type": 'multipart/report; report-type=delivery-status; boundary="report"',
        },
        f"--report\nContent-Type: text/plain; charset=utf-8\n\nYour message {told}.\n\n"
        f"--report\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; {HOST}\n\n"
        f"Final-Recipient: rfc822; {message.recipient}\nAction: {action}\nStatus: {code}\n\n"
        f"--report\nContent-Type: text/rfc822-headers\n\n{_headers(dict(message.headers))}\n--report--\n",
    )


def receipt_notice(message: Posted) -> bytes:
    """RFC 8098, as a reader's mail program sends it when its reader agrees."""
    return _written(
        {
            "From": message.recipient,
            "To": message.sender,
            "Subject": f"Read: {message.subject}",
            "Content-Type": 'multipart/report; report-type=disposition-notification; boundary="notice"',
        },
        "--notice\nContent-Type: text/plain; charset=utf-8\n\nYour message was displayed.\n\n"
        "--notice\nContent-Type: message/disposition-notification\n\nReporting-UA: sandbox; a person\n"
        f"Final-Recipient: rfc822; {message.recipient}\nOriginal-Message-ID: {message.provider_id}\n"
        "Disposition: manual-action/MDN-sent-manually; displayed\n\n--notice--\n",
    )


def reply(message: Posted, text: str) -> bytes:
    """What a person writes above the message that they answer."""
    quoted = "\n".join(f"> {line}" for line in message.text.splitlines())
    return _written(
        {
            "Return-Path": f"<{message.recipient}>",
            "From": message.recipient,
            "To": message.sender,
            "Subject": f"Re: {message.subject}",
            "In-Reply-To": message.provider_id,
            "References": message.provider_id,
            "Content-Type": "text/plain; charset=utf-8",
            "Content-Transfer-Encoding": "8bit",
        },
        f"{text}\n\nOn {format_datetime(message.at)}, {message.sender} wrote:\n{quoted}\n",
    )


def _written(headers: Mapping[str, str], body: str) -> bytes:
    common = {"Message-ID": make_msgid(domain=HOST), "Date": format_datetime(datetime.now(UTC)), "MIME-Version": "1.0"}
    return f"{_headers({**common, **headers})}\n{body}".replace("\n", "\r\n").encode()


def _headers(headers: Mapping[str, str]) -> str:
    return "".join(f"{name}: {' '.join(value.split())}\n" for name, value in headers.items())
