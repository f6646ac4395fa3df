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
from orderack.sources._mail_merge import merged
from orderack.sources._mail_order import Draft, identity, moment_of
from orderack.sources._mail_parts import LARGEST, Mail, take_apart
from orderack.sources._mail_sender import by_machine, no_order, vouched
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
    authentication_server: str | None = Field(
        default=None,
        description="the name with which the receiving server signs Authentication-Results; default: the topmost",
    )
    demand_authentication: bool = Field(
        default=True, description="send a mail for whose sender DMARC does not vouch to a person"
    )


def delivery_of(raw: bytes, at: datetime, *, cut: bool = False) -> Delivery:
    """A mail as it is kept. Its Message-ID is its identity: the same mail, delivered twice, is one."""
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
    named = take_apart(raw.partition(b"\r\n\r\n")[0].partition(b"\n\n")[0] + b"\n\n").header("message-id").strip()
    if named and len(named) <= 190 and named.isprintable():
        return named
    return f"sha256:{hashlib.sha256(named.encode() if named else raw).hexdigest()}"


class MailReader:
    """Reads kept mails of one connection. Pure."""

    def __init__(self, connection: Connection, settings: MailSettings) -> None:
        self._connection = connection
        self._settings = settings
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
        if not (found.items or found.unread or found.fields.get("purchase_order")) and not ORDER_WORDS.search(words):
            return Skipped(why="nothing in it speaks of an order")
        return self._snapshot(delivery, mail, found, words, now)

    def _snapshot(self, delivery: Delivery, mail: Mail, found: Gathered, words: str, now: datetime) -> Snapshot:
        arrived = delivery.sent_at or now
        name, address = mail.sender
        draft = Draft(self._connection, found, words, arrived)
        left_out = (
            *mail.left_out,
            *(["what is beyond its beginning: it is too large"] if delivery.topic == CUT else []),
        )
        against = vouched(mail, self._settings.authentication_server) if self._settings.demand_authentication else None
        order = draft.order(delivery.id, name, address, (*found.unread, *left_out), against)
        return Snapshot(
            external_id=identity(found.fields.get("purchase_order"), address, delivery.id),
            at=moment_of(mail.date, arrived),
            order=order,
        )

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
            words, places = self._forwarded(mail, words, places)
        return words, places

    def _forwarded(self, mail: Mail, words: str, places: list[Gathered]) -> tuple[str, list[Gathered]]:
        """An order that somebody passed on: what stands below is somebody else's, and a person looks at it."""
        passed = mail.forwarded or _below(mail.text)
        if not passed:
            return words, places
        text = read_html(passed)[0] if passed.lstrip().startswith("<") else passed
        text = text.lstrip().partition("\n\n")[2] if _HEADERS.match(text.lstrip()) else text
        found = read_text(own_words(text), "", "the forwarded mail", self._own)
        if not found.items:
            return words, places
        said = ("the order stands in a mail that was passed on: whose it is, its sender alone says",)
        return f"{words}\n{text}", [*places, found.model_copy(update={"unread": said})]


def _amounts(places: Sequence[Gathered]) -> Mapping[str, None]:
    """The currencies and words of the attachments, for the language and the currency of the whole."""
    return dict.fromkeys(found.value for place in places for found in place.fields.values())


def _outside(text: str, tables: Sequence[Sequence[Sequence[str]]]) -> str:
    """The words without what stands in those tables."""
    cells = {" ".join(" ".join(row).split()) for table in tables for row in table}
    return "\n".join(line for line in text.split("\n") if " ".join(line.split()) not in cells)


_HEADERS = re.compile(r"\*?(?:from|von|de|date|datum|subject|betreff|to|an)\*?\s?:", re.IGNORECASE)


def _below(text: str) -> str:
    """What stands below the line that introduces a forwarded mail."""
    for mark in (
        "Forwarded message",
        "Weitergeleitete Nachricht",
        "Original Message",
        "Ursprüngliche Nachricht",
        "Message transféré",
        "Message d'origine",
        "Mensaje reenviado",
        "Mensaje original",
    ):
        _, found, below = text.partition(mark)
        if found:
            return below.partition("\n")[2]
    return ""
