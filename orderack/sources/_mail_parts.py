"""A mail taken apart: its words, what it quotes or forwards, its attachments. Whoever wrote it may be hostile.

Nothing here raises for what is in a mail; what is beyond a limit is left out and named, so that a person looks.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from email import message_from_bytes
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from email.message import Message
from email.utils import getaddresses, parsedate_to_datetime

from orderack.domain.value import Value

LARGEST = 10 * 1024 * 1024
"""Bytes of a whole mail that are kept and read."""
LARGEST_ATTACHMENT = 6 * 1024 * 1024
LARGEST_TEXT = 256 * 1024
MOST_ATTACHMENTS = 20
DEEPEST = 12
MOST_PARTS = 200
_MOST = {b"boundary": 60, b"message/": 60, b"\n--": 3_000, b"\n": 400_000}
"""What a mail with more of is not taken apart: the parser's time grows faster than the mail does."""
_LONGEST_HEADER = 20_000


class Attachment(Value):
    """A file that came with the mail."""

    name: str
    kind: str
    """Its media type, as the sender says."""
    data: bytes


class Mail(Value):
    """What is read of a mail."""

    headers: tuple[tuple[str, str], ...] = ()
    """In their order, lower-case names, decoded."""
    text: str = ""
    html: str = ""
    forwarded: str = ""
    """The words of a mail that is attached to this one."""
    attachments: tuple[Attachment, ...] = ()
    left_out: tuple[str, ...] = ()
    """What was too large, too many or too deep, in words."""
    report: bool = False
    """A delivery report or a receipt notice (RFC 6522)."""

    def all(self, name: str) -> list[str]:
        """Every header of this name, the top one first."""
        return [value for key, value in self.headers if key == name]

    def header(self, name: str) -> str:
        """The first of this name; empty where there is none."""
        return next(iter(self.all(name)), "")

    @property
    def sender(self) -> tuple[str, str]:
        """(name, address) of From; both empty unless it names exactly one address."""
        found = [(name, address) for name, address in getaddresses([self.header("from")]) if "@" in address]
        return found[0] if len(found) == 1 and len(self.all("from")) == 1 else ("", "")

    @property
    def date(self) -> datetime | None:
        """When its sender says that it was written."""
        try:
            found = parsedate_to_datetime(self.header("date"))
        except (ValueError, TypeError, IndexError, OverflowError):
            return None
        return (found if found.tzinfo else found.replace(tzinfo=UTC)) if 1990 <= found.year < 2200 else None


def take_apart(raw: bytes) -> Mail:
    """The mail in these bytes, as far as the limits allow."""
    left_out: list[str] = []
    if len(raw) > LARGEST:
        left_out.append(f"what is beyond {LARGEST // 1024 // 1024} MiB")
    raw = raw[:LARGEST]
    if any(raw.count(mark) > most for mark, most in _MOST.items()):
        left_out.append("all but its headers: it has more parts than a mail of a person has")
        raw = head_of(raw).replace(b"multipart/", b"text/x-")
    try:
        message = message_from_bytes(raw)
    except Exception:  # the parser's own bugs: the mail is kept, and a person looks at it
        return Mail(left_out=("all of it: it cannot be taken apart",))
    return _read(message, left_out)


def head_of(raw: bytes) -> bytes:
    """Its headers alone."""
    return raw.partition(b"\r\n\r\n")[0].partition(b"\n\n")[0] + b"\n\n"


def _read(message: Message, left_out: list[str]) -> Mail:
    texts: dict[tuple[str, bool], str] = {}
    attachments: list[Attachment] = []
    for part, inside in _leaves(message, left_out):
        kind, name, attached = _named(part)
        data = _payload(part)
        if kind in ("text/plain", "text/html") and not attached:
            texts[kind, inside] = _joined(texts.get((kind, inside), ""), _words(part, data))
            if len(data) > LARGEST_TEXT:
                left_out.append(f"the end of its text: it is longer than {LARGEST_TEXT // 1024} KiB")
        elif _is_decoration(part, kind) or not (attached or data):
            continue
        elif len(data) > LARGEST_ATTACHMENT:
            left_out.append(
                f"the attachment {name or kind}: it is larger than {LARGEST_ATTACHMENT // 1024 // 1024} MiB"
            )
        elif len(attachments) == MOST_ATTACHMENTS:
            left_out.append(f"the attachment {name or kind}: there are more than {MOST_ATTACHMENTS}")
        else:
            attachments.append(Attachment(name=name[:200], kind=kind, data=data))
    return Mail(
        headers=tuple((name.lower()[:100], decoded(str(value))) for name, value in message.items()[:500]),
        text=texts.get(("text/plain", False), ""),
        html=texts.get(("text/html", False), ""),
        forwarded=texts.get(("text/plain", True), "") or texts.get(("text/html", True), ""),
        attachments=tuple(attachments),
        left_out=tuple(left_out[:20]),
        report=message.get_content_type() == "multipart/report",
    )


def _named(part: Message) -> tuple[str, str, bool]:
    """(media type, file name, whether it is a file)."""
    try:
        name = decoded(part.get_filename() or "")
        return part.get_content_type(), name, bool(name) or part.get_content_disposition() == "attachment"
    except Exception:  # the parser's own bugs, of parameters in pieces
        return "application/octet-stream", "", True


def _leaves(message: Message, left_out: list[str]) -> Iterator[tuple[Message, bool]]:
    """Every part that holds something, and whether it belongs to a mail that is attached."""
    waiting = [(message, 0, False)]
    count = 0
    while waiting:
        part, depth, inside = waiting.pop(0)
        count += 1
        if depth > DEEPEST or count > MOST_PARTS:
            left_out.append("parts that are nested too deep, or are too many")
            return
        content = part.get_payload()
        if isinstance(content, list):
            within = inside or part.get_content_type() == "message/rfc822"
            waiting[:0] = [(one, depth + 1, within) for one in content if isinstance(one, Message)]
        else:
            yield part, inside


def _is_decoration(part: Message, kind: str) -> bool:
    """A logo in a signature, a vCard, a signature of the mail itself."""
    inline = part.get_content_disposition() != "attachment" or part.get("Content-ID") is not None
    return (kind.startswith("image/") and inline) or kind in _NOTHING


_NOTHING = frozenset(
    {
        *("application/pkcs7-signature", "application/x-pkcs7-signature", "application/pgp-signature"),
        *("text/vcard", "text/x-vcard", "text/calendar", "application/pgp-keys"),
    }
)


def _payload(part: Message) -> bytes:
    try:
        found = part.get_payload(decode=True)
    except Exception:  # base64 and uuencode that are none
        return b""
    return found if isinstance(found, bytes) else b""


def _words(part: Message, data: bytes) -> str:
    charset = part.get_content_charset() or "utf-8"
    return text_of(data[:LARGEST_TEXT], charset).replace("\r\n", "\n").replace("\r", "\n")


def text_of(data: bytes, charset: str = "utf-8") -> str:
    """The text in these bytes: as it is said to be encoded, else in UTF-8, else as Windows writes it."""
    for name in (charset, "utf-8", "cp1252"):
        try:
            if name.lower() not in _NO_LETTERS:
                return data.decode(name)
        except (LookupError, UnicodeError, ValueError):
            continue
    return data.decode("latin-1")


_NO_LETTERS = frozenset({"idna", "punycode", "raw-unicode-escape", "undefined", "unicode-escape", "unicode_escape"})


def decoded(value: str) -> str:
    """A header's words, on one line."""
    try:
        words = str(make_header(decode_header(value[:_LONGEST_HEADER])))
    except (HeaderParseError, LookupError, ValueError):
        words = value[:_LONGEST_HEADER]
    return " ".join(words.encode("utf-8", "replace").decode().split())


def _joined(before: str, more: str) -> str:
    return f"{before}\n{more}" if before else more
