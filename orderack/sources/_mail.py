"""One reader for mail, whichever way it comes (docs/sources/email.md)."""

import asyncio
import base64
import binascii
import hashlib
import re
from collections.abc import Mapping, Sequence
from datetime import datetime

from pydantic import Field
from pydantic_settings import BaseSettings

from orderack.clients.own_message_ids import IdSecret, OwnMessageIds
from orderack.ports import Connection, Delivery, Reading, Skipped, Snapshot
from orderack.sources._mail_files import read_file
from orderack.sources._mail_found import Gathered
from orderack.sources._mail_grid import header_of, read_grid
from orderack.sources._mail_html import read_html
from orderack.sources._mail_intent import not_plain, passed_on
from orderack.sources._mail_merge import merged
from orderack.sources._mail_numbers import AMOUNT
from orderack.sources._mail_order import Draft, Sender, identity, moment_of
from orderack.sources._mail_parts import LARGEST, Mail, head_of, take_apart
from orderack.sources._mail_sender import MailPartners, by_machine, no_order, vouched
from orderack.sources._mail_text import own_words, read_text
from orderack.sources._mail_words import ORDER_WORDS, plain
from orderack.sources._reading import refuse

TOPIC = "mail"
CUT = "mail, cut"
"""The topic of a mail of which only the beginning was kept."""


class MailSettings(BaseSettings):
    """What every way in for mail can be told."""

    message_id_secret: IdSecret | None = Field(
        default=None,
        description="the secret of the mailbox channels' Message-IDs, if replies to our own mails come here too",
    )


def delivery_of(raw: bytes, at: datetime, *, cut: bool = False) -> Delivery:
    """A mail as it is kept. Its Message-ID and its body are its identity: the same mail, delivered twice, is one;
    programs that give several mails one Message-ID lose none of them."""
    kept = raw[:LARGEST]
    topic = CUT if cut or len(raw) > LARGEST else TOPIC
    return Delivery(id=_id_of(kept), topic=topic, body=base64.b64encode(kept).decode(), sent_at=at)


def original_of(delivery: Delivery) -> bytes:
    """The mail's bytes. Raises InvalidInput."""
    try:
        return base64.b64decode(delivery.body, validate=True)
    except (binascii.Error, ValueError):
        raise refuse("body", "is not the mail as it was kept", "look at what the connection recorded") from None


def _id_of(raw: bytes) -> str:
    head = head_of(raw)
    named, body = take_apart(head).header("message-id").strip(), raw[len(head) :]
    if named and len(named) <= 160 and named.isprintable():
        return f"{named} {hashlib.sha256(body).hexdigest()[:16]}"
    return f"sha256:{hashlib.sha256(named.encode() + body if named else raw).hexdigest()}"


class MailReader:
    """Reads kept mails of one connection. Pure. `server`: whose Authentication-Results are believed."""

    def __init__(self, connection: Connection, settings: MailSettings, server: str | None) -> None:
        self._connection = connection
        self._server = server
        self._partners = MailPartners.model_validate({"partners": connection.partners})
        self._own = {plain(label): word for label, word in connection.fields.items()}
        secret = settings.message_id_secret
        self._ids = OwnMessageIds(secret, "any.invalid") if secret else None

    async def read(self, delivery: Delivery, now: datetime) -> Sequence[Reading]:
        """The order in a mail, or why it holds none. Raises InvalidInput."""
        return [await asyncio.to_thread(self._read, delivery, now)]

    def _read(self, delivery: Delivery, now: datetime) -> Reading:
        mail = take_apart(original_of(delivery))
        if why := no_order(mail, self._ids):
            return Skipped(why=why)
        words, places = self._places(mail)
        found = merged(places)
        machine = by_machine(mail)
        if machine and not (found.items and "purchase_order" in found.fields):
            return Skipped(why=machine)
        if not (found.items or found.unread or found.fields.get("purchase_order") or _may_order(mail, words)):
            return Skipped(why="nothing in it speaks of an order")
        return self._snapshot(delivery, mail, found, words, now)

    def _snapshot(self, delivery: Delivery, mail: Mail, found: Gathered, words: str, now: datetime) -> Snapshot:
        arrived = delivery.sent_at or now
        sender = self._sender(mail)
        draft = Draft(self._connection, found, words, arrived, not_plain(_said(mail)))
        left_out = (
            *mail.left_out,
            *(["what is beyond its beginning: it is too large"] if delivery.topic == CUT else []),
        )
        order = draft.order(delivery.id, sender, (*found.unread, *left_out))
        return Snapshot(
            external_id=identity(found.fields.get("purchase_order"), sender, delivery.id),
            at=moment_of(mail.date, arrived),
            order=order,
        )

    def _sender(self, mail: Mail) -> Sender:
        name, address = mail.sender
        partner = self._partners.of(address)
        against = forged = vouched(mail, self._server)
        if against is None and partner is None:
            against = "its sender is none of the partners in the policy whose mails need no person"
        if against is None and mail.header("x-spam-flag").strip().lower() == "yes":
            against = "the receiving server marked it as spam"
        trusted = partner if against is None else None
        customer = trusted.customer_id if trusted else None
        return Sender(name=name, address=address, against=against, vouched=forged is None, customer_id=customer)

    def _places(self, mail: Mail) -> tuple[str, list[Gathered]]:
        """Everything that says something, and all its words: body, tables of the body, attachments."""
        markup, tables = read_html(mail.html) if mail.html else ("", [])
        written = mail.text if mail.text.strip() else markup
        body = own_words(written)
        grids = [table for table in tables if header_of(table)]
        subject = mail.header("subject")
        if grids:  # what stands in a table of the HTML is garbled in the text beside it
            written = _outside(markup, grids)
        places = [read_text(own_words(written), subject, "the mail", self._own)]
        places += [read_grid(table, "the mail's table", self._own, markup) for table in grids]
        places += [read_file(attachment, self._own) for attachment in mail.attachments]
        words = "\n".join((subject, body, *(f"{name}" for name in _amounts(places))))
        if not any(place.items for place in places):
            return self._forwarded(mail, words, places)
        if passed_on(subject):
            places.append(Gathered(place="the mail", unread=_PASSED))
        return words, places

    def _forwarded(self, mail: Mail, words: str, places: list[Gathered]) -> tuple[str, list[Gathered]]:
        """An order that somebody passed on: what stands below is somebody else's, and a person looks at it."""
        passed = mail.forwarded or _below(_written(mail))
        if not passed:
            return words, places
        text = read_html(passed)[0] if passed.lstrip().startswith("<") else passed
        text = text.lstrip().partition("\n\n")[2] if _HEADER.match(text.lstrip()) else text
        found = read_text(own_words(text), "", "the forwarded mail", self._own)
        if not found.items:
            return words, places
        return f"{words}\n{text}", [*places, found.model_copy(update={"unread": _PASSED})]


def _amounts(places: Sequence[Gathered]) -> Mapping[str, None]:
    """The currencies and words of the attachments, for the language and the currency of the whole."""
    return dict.fromkeys(found.value for place in places for found in place.fields.values())


def _outside(text: str, tables: Sequence[Sequence[Sequence[str]]]) -> str:
    """The words without what stands in those tables."""
    cells = {" ".join(" ".join(row).split()) for table in tables for row in table}
    return "\n".join(line for line in text.split("\n") if " ".join(line.split()) not in cells)


_PASSED = ("the order stands in a mail that was passed on: whose it is, its sender alone says",)
_HEADER = re.compile(
    r"\*?(?:from|von|de|da|van|date|datum|data|fecha|sent|gesendet|envoy[eé]|enviado|inviato|verzonden|subject|"
    r"betreff|objet|asunto|oggetto|onderwerp|to|an|à|para|a|aan|cc)\*?\s?:",
    re.IGNORECASE,
)
_DIVIDED = re.compile(
    r"forwarded message|weitergeleitete nachricht|original message|ursprüngliche nachricht|message (?:transféré|"
    r"d.origine)|mensaje (?:reenviado|original)|messaggio (?:inoltrato|originale)|"
    r"(?:doorgestuurd|oorspronkelijk) bericht",
    re.IGNORECASE,
)


def _below(text: str) -> str:
    """What stands below the line, or the headers, that introduce a mail that was passed on or is answered."""
    lines = text[:200_000].split("\n")
    for place, line in enumerate(lines):
        if _DIVIDED.search(line) and len(line) < 100:
            return "\n".join(lines[place + 1 :])
        if all(_HEADER.match(one.strip()) for one in lines[place : place + 3]) and len(lines) > place + 3:
            return "\n".join(lines[place:])
    return ""


def _said(mail: Mail) -> str:
    """The subject, and what the sender wrote himself."""
    return f"{mail.header('subject')}\n{own_words(_written(mail))}"


def _written(mail: Mail) -> str:
    """Its text; of one that has none, the words of its HTML."""
    return mail.text if mail.text.strip() else read_html(mail.html)[0]


def _may_order(mail: Mail, words: str) -> bool:
    """Whether a person should look at a mail in which nothing was found: it has words of an order in it, amounts,
    or a file, in whatever language."""
    return bool(ORDER_WORDS.search(words) or AMOUNT.search(words) or mail.attachments)
