"""A mail in our mailbox, read: a delivery report (RFC 3464), a receipt notice (RFC 8098), a person's reply, or none.

Whoever wrote it may be hostile: nothing here raises for what is in a mail, and no mail costs more than its first
256 KiB. It is believed only as far as it carries a Message-ID of ours (`own_message_ids`).
"""

import codecs
import re
from collections.abc import Iterator, Mapping, Sequence
from email import message_from_bytes
from email.message import Message as Mail
from email.parser import HeaderParser
from types import MappingProxyType
from urllib.parse import unquote

from orderack.clients.own_message_ids import OwnMessageIds
from orderack.clients.reply_text import KEPT, above_the_quotation, plain
from orderack.domain.evidence import EvidenceEvent, Grade
from orderack.domain.order import Text
from orderack.domain.replies import may_mean_the_order, opts_out
from orderack.domain.value import Value

LARGEST = 256 * 1024
"""Bytes that are read. A report's own words and its reader's words come first, attachments after."""
LONGEST_TYPE = 2_000
"""Of a Content-Type: its parameters are read in time that grows with the square of their number."""
MOST_RECIPIENTS = 5
"""We write to one; a list or a forwarding address may report for a few."""
KEY_HEADER = "X-Orderack-Key"
NO_WORDS = "(a reply without words of its own)"

ACTION = MappingProxyType(
    {
        "failed": (EvidenceEvent.BOUNCED, None),
        "delayed": (EvidenceEvent.ACCEPTED, Grade.E1),
        "delivered": (EvidenceEvent.DELIVERED, Grade.E2),
        # handed to a system that reports no more, or to a list: how far it got, nobody says
        "relayed": (EvidenceEvent.ACCEPTED, Grade.E1),
        "expanded": (EvidenceEvent.ACCEPTED, Grade.E1),
    }
)
"""RFC 3464 §2.3.3."""
DISPOSITION = MappingProxyType(
    {
        "displayed": (EvidenceEvent.DISPLAYED, Grade.E3),
        # not shown, but in the recipient's own mail program all the same
        "deleted": (EvidenceEvent.DELIVERED, Grade.E2),
        "dispatched": (EvidenceEvent.DELIVERED, Grade.E2),
        "processed": (EvidenceEvent.DELIVERED, Grade.E2),
    }
)
"""RFC 8098 §3.2.6."""
BY_MACHINE = MappingProxyType(
    {"automatic-action": "mdn_automatic_action", "mdn-sent-automatically": "mdn_sent_automatically"}
)
"""A notice that no person caused or let go proves an arrival, whatever it says of a display."""

_MOST = MappingProxyType({b"boundary": 24, b"message/": 48, b"\n--": 1_000, b"\n\n": 4_000, b"\n": 20_000})
"""Levels, messages in messages, parts, groups, lines: a mail with more is not read."""
_NO_LETTERS = frozenset({"idna", "punycode", "raw-unicode-escape", "undefined", "unicode-escape", "unicode_escape"})
"""Python's codecs that no mail is written in; some take time that grows with the square of the text."""
_TYPES = re.compile(rb"^content-type:[^\n]*(?:\n[ \t][^\n]*)*", re.MULTILINE)
_LEAVES = 50
_HEADERS = 64 * 1024
_HEADERS_ALONE = HeaderParser()
_NOBODY = frozenset({"mailer-daemon", "postmaster", "no-reply", "noreply", "donotreply", "do-not-reply"})
_RETURNED = frozenset(
    {"message/rfc822", "message/global", "message/rfc822-headers", "message/global-headers", "text/rfc822-headers"}
)
_STATUS = re.compile(r"\b([245]\.\d{1,3}\.\d{1,3})\b")
_WORD = re.compile(r"[a-z][a-z-]{0,40}")
_ADDRESS = r"([^@\s<>,;:()\"]{1,64}@[^@\s<>,;:()\"]{1,253})"
_FROM = re.compile(rf'(?:"(?:[^"\\]|\\.){{0,500}}"|[^<>@,;:"]{{0,500}}) ?<{_ADDRESS}>|{_ADDRESS}')
"""One address, with or without a name. The standard library's reader of addresses fails on nested comments."""
_SPOOFED = re.compile(r"\bdmarc\s?=\s?fail", re.IGNORECASE)


class MailReport(Value):
    """What one mail says about one message of ours, and no more than it proves."""

    event: EvidenceEvent
    grade: Grade | None
    word: Text
    """Its own words for it: `failed:5.1.1`, `displayed`, `reply`."""
    message_id: Text | None = None
    """Ours, genuine. Without one the report is UNKNOWN."""
    key: Text | None = None
    """Our send key, where the returned headers hold it and it fits the Message-ID."""
    sender: Text | None = None
    text: Text = ""
    machine: tuple[str, ...] = ()
    raw: Text = ""


def read(mail: bytes, ids: OwnMessageIds) -> Sequence[MailReport]:
    """What this mail says about our messages; nothing for a mail that is neither a report nor an answer to one."""
    parsed = _parsed(mail)
    if parsed is None:
        return ()
    kind, report = parsed.get_content_type(), str(parsed.get_param("report-type") or "").casefold()
    parts = list(_parts(parsed))
    if kind == "multipart/report" and report == "disposition-notification":
        return _notice(parsed, parts, ids)
    if kind == "multipart/report" or any(part.get_content_type() in _DELIVERY for part in parts):
        return _delivery(parsed, parts, ids)
    return _reply(parsed, parts, ids)


def _parsed(mail: bytes) -> Mail | None:
    """None for what no mail program writes: there the standard library's parser takes its time, or errs."""
    head = mail[:LARGEST].replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    lowered = head.lower()
    if any(lowered.count(word) > most for word, most in _MOST.items()):
        return None
    if any(len(found[0]) > LONGEST_TYPE for found in _TYPES.finditer(lowered)):
        return None
    try:
        return message_from_bytes(head)
    except (RecursionError, ValueError, LookupError, TypeError, AttributeError):
        return None


def _parts(mail: Mail) -> Iterator[Mail]:
    """The leaves, and messages as wholes; nothing within a message that another one carries."""
    waiting = [mail]
    for _ in range(_LEAVES):
        if not waiting:
            return
        part = waiting.pop(0)
        if part.get_content_maintype() == "multipart" and part.is_multipart():
            waiting[:0] = _inside(part)
        else:
            yield part


def _inside(part: Mail) -> list[Mail]:
    """What it is made of. Its own text is not touched here, for reading that decodes it by whatever codec it names."""
    found = part.get_payload() if part.is_multipart() else []
    return [child for child in found if isinstance(child, Mail)]


def _header(mail: Mail, name: str, longest: int = 2_000) -> str:
    try:
        return " ".join(str(mail.get(name, ""))[: 4 * longest].split())[:longest]
    except (ValueError, LookupError, TypeError, AttributeError):
        return ""


# -- delivery reports -----------------------------------------------------------------------------------------------

_DELIVERY = frozenset({"message/delivery-status", "message/global-delivery-status"})


def _delivery(mail: Mail, parts: Sequence[Mail], ids: OwnMessageIds) -> Sequence[MailReport]:
    status = next((part for part in parts if part.get_content_type() in _DELIVERY), None)
    recipients = [block for block in _blocks(status) if "action" in block][:MOST_RECIPIENTS]
    if not recipients:
        return (_unreadable("a delivery report that cannot be read"),)
    message_id, key = _returned(mail, parts, ids)
    return [_of_recipient(block, message_id, key) for block in recipients]


def _of_recipient(block: Mapping[str, str], message_id: str | None, key: str | None) -> MailReport:
    action = _first_word(block["action"])
    status = _STATUS.search(block.get("status", ""))
    word = ":".join(part for part in (action, status[1] if status else "") if part)
    raw = "\n".join(f"{name}: {value}" for name, value in block.items())[:KEPT]
    if message_id is None:
        return MailReport(event=EvidenceEvent.UNKNOWN, grade=None, word=f"not_ours:{word}", raw=raw)
    event, grade = ACTION.get(action, (EvidenceEvent.UNKNOWN, None))
    return MailReport(event=event, grade=grade, word=word, message_id=message_id, key=key, raw=raw)


def _blocks(part: Mail | None) -> Iterator[Mapping[str, str]]:
    """The groups of fields, by lower-case name, the per-message one first."""
    for block in _inside(part)[: 4 * MOST_RECIPIENTS] if part is not None else ():
        yield _fields(block)
        for group in _text_of(block)[:KEPT].split("\n\n"):  # of a global report the parser reads the first one only
            yield _fields(_HEADERS_ALONE.parsestr(group.strip()))


def _fields(block: Mail) -> Mapping[str, str]:
    return {name.casefold()[:100]: _header(block, name, 300) for name in list(block.keys())[:30]}


def _returned(mail: Mail, parts: Sequence[Mail], ids: OwnMessageIds) -> tuple[str | None, str | None]:
    """Our Message-ID and key from the message that came back, else the Message-ID from the report's own headers."""
    for part in parts:
        if part.get_content_type() not in _RETURNED:
            continue
        headers = _carried(part)
        if message_id := ids.first(_header(headers, "Message-ID")):
            key = unquote(_header(headers, KEY_HEADER))
            return message_id, key if key and ids.of(key) == message_id else None
    return _named(mail, ids), None


def _carried(part: Mail) -> Mail:
    inside = _inside(part)
    return inside[0] if inside else _HEADERS_ALONE.parsestr(_text_of(part)[:_HEADERS])


def _named(mail: Mail, ids: OwnMessageIds) -> str | None:
    """Ours among those that this mail answers; of several the one it names last, which it answers."""
    if answered := ids.first(_header(mail, "In-Reply-To")):
        return answered
    earlier = reversed(_header(mail, "References", 20_000).split())
    return next((found for one in earlier if (found := ids.first(one))), None)


# -- receipt notices ------------------------------------------------------------------------------------------------


def _notice(mail: Mail, parts: Sequence[Mail], ids: OwnMessageIds) -> Sequence[MailReport]:
    part = next((part for part in parts if part.get_content_type().endswith("disposition-notification")), None)
    block = next(_blocks(part), {})
    mode, _, said = block.get("disposition", "").partition(";")
    # `displayed/error` and the like modify the word: it did not come to pass
    disposition, _, modified = said.strip().casefold().partition("/")
    disposition = _first_word(disposition)
    if not disposition:
        return (_unreadable("a receipt notice that cannot be read"),)
    raw = "\n".join(f"{name}: {value}" for name, value in block.items())[:KEPT]
    message_id = ids.first(block.get("original-message-id", ""))
    if message_id is None:
        message_id, _ = _returned(mail, parts, ids)
    if message_id is None:
        return (MailReport(event=EvidenceEvent.UNKNOWN, grade=None, word=f"not_ours:{disposition}", raw=raw),)
    event, grade = DISPOSITION.get(disposition, (EvidenceEvent.UNKNOWN, None))
    machine = tuple(reason for word, reason in BY_MACHINE.items() if word in mode.casefold())
    if modified:
        event, grade = EvidenceEvent.UNKNOWN, None
    elif machine and event is EvidenceEvent.DISPLAYED:
        event, grade = EvidenceEvent.DELIVERED, Grade.E2
    word = ":".join((disposition, *machine[:1]))
    return (MailReport(event=event, grade=grade, word=word, message_id=message_id, machine=machine, raw=raw),)


# -- replies --------------------------------------------------------------------------------------------------------


def _reply(mail: Mail, parts: Sequence[Mail], ids: OwnMessageIds) -> Sequence[MailReport]:
    """A person's answer to a message of ours. Other people's mail is nobody's business here."""
    message_id = _named(mail, ids)
    if message_id is None:
        return ()
    sender = _sender(mail)
    doubt = _why_no_persons(mail, sender)
    if doubt:
        raw = f"{doubt}: {_header(mail, 'Subject', 200)}"
        return (MailReport(event=EvidenceEvent.UNKNOWN, grade=None, word=doubt, message_id=message_id, raw=raw),)
    text = _words(parts)
    if opts_out(text) and not may_mean_the_order(text):
        out = MailReport(event=EvidenceEvent.OPTED_OUT, grade=None, word="stop", raw=text)
        # without a sender: whoever has the message can silence the address it went to, and no other by a forged From
        return (out.model_copy(update={"message_id": message_id}),)
    said = text or NO_WORDS
    reply = MailReport(event=EvidenceEvent.REPLIED, grade=Grade.E4, word="reply", text=said, raw=said)
    return (reply.model_copy(update={"message_id": message_id, "sender": sender}),)


def _sender(mail: Mail) -> str:
    """The one address it claims to come from; empty for none, several, or a spelling that programs read differently."""
    if len(mail.get_all("From", [])) != 1:
        return ""
    found = _FROM.fullmatch(_header(mail, "From", 1_000))
    return (found[1] or found[2]).casefold() if found else ""


def _why_no_persons(mail: Mail, sender: str) -> str:
    """Why this is not (or not surely) the sender's own word: RFC 3834 and what mail systems do beside it."""
    submitted = _header(mail, "Auto-Submitted").casefold()
    if submitted and not submitted.startswith("no"):
        return "auto_submitted"
    if _header(mail, "X-Auto-Response-Suppress") or _header(mail, "X-Autoreply") or _header(mail, "X-Autorespond"):
        return "auto_response"
    if _header(mail, "Precedence").casefold() in {"bulk", "junk", "list", "auto_reply"} or _header(mail, "List-Id"):
        return "bulk"
    if _header(mail, "Return-Path") == "<>" or sender.partition("@")[0] in _NOBODY:
        return "mailer_daemon"
    if not sender:
        return "no_sender"
    # the first one is our own provider's, which takes out what came under its name
    if _SPOOFED.search(_header(mail, "Authentication-Results")):
        return "dmarc_fail"
    return ""


def _words(parts: Sequence[Mail]) -> str:
    """Above the quotation, of the first plain part, else of the first in HTML."""
    for kind, readable in (("text/plain", str), ("text/html", plain)):
        for part in parts:
            if part.get_content_type() == kind and part.get_content_disposition() != "attachment":
                return above_the_quotation(readable(_text_of(part)))
    return ""


def _text_of(part: Mail) -> str:
    try:
        found = part.get_payload(decode=True)
        data = found[:LARGEST] if isinstance(found, bytes) else b""
    except (LookupError, ValueError, TypeError, AttributeError):
        return ""
    try:
        codec = codecs.lookup(str(part.get_param("charset") or "utf-8")).name
        text = data.decode("utf-8" if codec in _NO_LETTERS else codec, "replace")
        return text.encode("utf-8", "replace").decode()  # UTF-7 spells halves of characters, which nothing else takes
    except (LookupError, ValueError, TypeError):
        return data.decode("utf-8", "replace")


def _first_word(text: str) -> str:
    found = _WORD.search(text.casefold())
    return found[0] if found else ""


def _unreadable(raw: str) -> MailReport:
    return MailReport(event=EvidenceEvent.UNKNOWN, grade=None, word="unreadable", raw=raw)
