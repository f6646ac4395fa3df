"""Whether a mail is an order's at all, and whether its sender's domain vouches for it."""

import re

from orderack.clients.own_message_ids import OwnMessageIds
from orderack.sources._mail_parts import Mail

_AUTOMATIC = frozenset({"bulk", "junk", "list"})
_VERDICT = re.compile(r"\bdmarc\s*=\s*([a-z]+)", re.IGNORECASE)
_AWAY = re.compile(
    r"^\W*(?:auto(?:matic)?[- ]?repl(?:y|ies)|out of office|abwesenheit\w*|automatische antwort|réponse automatique|"
    r"absence du bureau|respuesta automática|fuera de (?:la )?oficina|undeliverable|unzustellbar|"
    r"delivery status|mail delivery)\b",
    re.IGNORECASE,
)


def no_order(mail: Mail, ids: OwnMessageIds | None) -> str | None:
    """Why this certainly is none, whatever it holds; None: it may be one."""
    if mail.report or mail.header("return-path").strip() == "<>":
        return "a delivery report"
    if mail.header("auto-submitted").partition(";")[0].strip().lower() == "auto-replied" or _AWAY.match(
        mail.header("subject")
    ):
        return "an automatic reply"
    answered = f"{mail.header('in-reply-to')} {mail.header('references')}"
    if ids is not None and ids.first(answered):
        return "a reply to a message of ours, which the channel's mailbox reads"
    return None


def by_machine(mail: Mail) -> str | None:
    """Why this was sent by a machine to many, or by one at all: an order only if it plainly is one."""
    said = mail.header("auto-submitted").partition(";")[0].strip().lower()
    if said not in ("", "no"):
        return "sent by a machine (Auto-Submitted)"
    if mail.header("precedence").strip().lower() in _AUTOMATIC:
        return "sent to many (Precedence)"
    if mail.header("list-id"):
        return "sent to a list (List-Id)"
    return None


def vouched(mail: Mail, server: str | None) -> str | None:
    """What speaks against From, in words; None: its domain vouches for it (DMARC, RFC 7489 §3).

    Only the top header counts, or the top one of `server`: those below it anybody may have written.
    """
    results = [
        value
        for value in mail.all("authentication-results")
        if server is None or value.partition(";")[0].split()[:1] == [server]
    ]
    verdict = _VERDICT.search(results[0]) if results else None
    if verdict is None:
        return "nothing says whether its sender's domain vouches for it (DMARC)"
    if verdict[1].lower() != "pass":
        return "its sender's domain does not vouch for it (DMARC)"
    return None
