"""A mail put together again from what a mail service took apart, so that one reader reads them all."""

from collections.abc import Iterable, Sequence
from email.message import EmailMessage
from email.policy import SMTP
from hashlib import sha256

from orderack.sources._mail_parts import Attachment, Mail

_KEPT = frozenset(
    {
        *("from", "to", "cc", "subject", "date", "message-id", "in-reply-to", "references", "auto-submitted"),
        *("precedence", "list-id", "return-path"),
    }
)


def composed(
    headers: Iterable[tuple[str, str]],
    text: str,
    html: str,
    attachments: Sequence[Attachment],
    results: str | None,
) -> bytes:
    """The mail. `results`: what the service says of its sender, as an Authentication-Results header; those that the
    sender wrote are not kept."""
    mail = EmailMessage(policy=SMTP)
    if results is not None:
        mail["Authentication-Results"] = results
    for name, value in headers:
        if name.lower() in _KEPT and name not in mail:
            _put(mail, name, value)
    mail.set_content(_clean(text))
    if html:
        mail.add_alternative(_clean(html), subtype="html")
    for one in attachments:
        main, _, sub = one.kind.partition("/")
        plain = main.isalnum() and sub.replace("-", "").replace(".", "").replace("+", "").isalnum()
        kind = (main, sub) if plain and main not in ("multipart", "message") else ("application", "octet-stream")
        mail.add_attachment(one.data, maintype=kind[0], subtype=kind[1], filename=_clean(one.name) or "attachment")
    digest = sha256(b"\0".join([text.encode("utf-8", "replace"), html.encode("utf-8", "replace"), *_data(attachments)]))
    for place, part in enumerate(part for part in mail.walk() if part.is_multipart()):
        part.set_boundary(f"=_{digest.hexdigest()[:32]}_{place}")  # the same mail, posted again, is the same bytes
    return mail.as_bytes()


def _data(attachments: Sequence[Attachment]) -> Iterable[bytes]:
    return (one.data for one in attachments)


def _put(mail: EmailMessage, name: str, value: str) -> None:
    """A header that the standard library would not write is left out: it is a sender's mischief."""
    try:
        mail[name] = " ".join(_clean(value).split())[:5_000]
        mail.as_bytes()
    except Exception:  # its header parser's own bugs
        del mail[name]


def _clean(text: str) -> str:
    return text.encode("utf-8", "replace").decode().replace("\x00", "")


def sender_of(headers: Iterable[tuple[str, str]]) -> str:
    """The one address of the From that `composed` keeps; empty where it names none or several."""
    first = next((value for name, value in headers if name.lower() == "from"), "")
    return Mail(headers=(("from", " ".join(_clean(first).split())),)).sender[1]


def aligned(domain: str, signer: str) -> bool:
    """Whether that domain speaks for From's (RFC 7489 §3.1, relaxed): the same, or one below the other."""
    domain, signer = domain.casefold().strip("."), signer.casefold().strip(".@ ")
    return (
        "." in signer
        and "." in domain
        and (domain == signer or domain.endswith(f".{signer}") or signer.endswith(f".{domain}"))
    )
