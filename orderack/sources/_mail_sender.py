"""Whether a mail is an order's at all, and whose mail becomes an order without a person."""

import re
from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from orderack.clients.bounces import KEY_HEADER
from orderack.clients.own_message_ids import OwnMessageIds
from orderack.domain.order import Name
from orderack.domain.value import Value
from orderack.sources._mail_parts import Mail

PERSONAL = frozenset(
    {
        *("gmail.com", "googlemail.com", "outlook.com", "hotmail.com", "live.com", "yahoo.com", "icloud.com", "me.com"),
        *("gmx.de", "gmx.net", "web.de", "t-online.de", "orange.fr", "free.fr", "wanadoo.fr", "aol.com", "proton.me"),
        *("libero.it", "virgilio.it", "ziggo.nl", "kpnmail.nl", "laposte.net", "mail.com", "protonmail.com"),
    }
)
"""Where many have their mail: an address there is one buyer's, a domain is not."""
_AUTOMATIC = frozenset({"bulk", "junk", "list"})
_AWAY = re.compile(
    r"^\W*(?:auto(?:matic)?[- ]?repl(?:y|ies)|out of office|abwesenheit\w*|automatische antwort|réponse automatique|"
    r"absence du bureau|respuesta automática|fuera de (?:la )?oficina|risposta automatica|fuori sede|"
    r"automatisch antwoord|afwezig\w*|undeliverable|unzustellbar|delivery status|mail delivery)\b",
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
    if mail.header(KEY_HEADER.lower()) or (ids is not None and ids.first(mail.header("message-id"))):
        return "a message of our own that came back"
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
    if mail.header("list-id") or mail.header("list-unsubscribe"):
        return "sent to a list (List-Id, List-Unsubscribe)"
    if mail.header("x-spam-flag").strip().lower() == "yes":
        return "marked as spam (X-Spam-Flag)"
    return None


def vouched(mail: Mail, server: str | None) -> str | None:
    """What speaks against From, in words; None: its domain vouches for it (DMARC, RFC 7489 §3).

    Anybody may write an Authentication-Results header: only the topmost of those counts that name `server`, the
    receiving host, which puts its own on top and takes others of its name away (RFC 8601 §5).
    """
    if server is None:
        return "whose Authentication-Results may be believed is not set"
    results = [value for value in mail.all("authentication-results") if _host(value) == server.casefold()]
    verdicts = _dmarc(results[0]) if results else []
    if not verdicts:
        return "nothing says whether its sender's domain vouches for it (DMARC)"
    domain = mail.sender[1].rpartition("@")[2].casefold()
    if not domain or any(word != "pass" or of not in ("", domain) for word, of in verdicts):
        return "its sender's domain does not vouch for it (DMARC)"
    return None


_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"|\((?:[^()\\]|\\.)*\)')
_RESULT = re.compile(r"^\s*dmarc(?:/\d{1,3})?\s*=\s*([a-z]{1,20})\b", re.IGNORECASE)
_OF = re.compile(r"\bheader\.from\s*=\s*@?([A-Za-z0-9.-]{1,253})", re.IGNORECASE)


def _host(value: str) -> str:
    return (value.partition(";")[0].split() or [""])[0].casefold()


def _dmarc(value: str) -> list[tuple[str, str]]:
    """(result, the domain of From that it is of) of each: what is quoted or in brackets is the sender's own text."""
    for _ in range(5):
        value = _QUOTED.sub(" ", value)
    parts = [(part, _RESULT.match(part)) for part in value.split(";")[1:]]
    return [(match[1].lower(), of[1].casefold() if (of := _OF.search(part)) else "") for part, match in parts if match]


def _sender(text: str) -> str:
    folded = text.strip().casefold()
    if folded in PERSONAL:
        raise ValueError(f"{folded}: many have their mail there; name addresses")
    if folded != "*" and not re.fullmatch(r"(?:[^\s@<>,;]{1,64}@)?[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63})+", folded):
        raise ValueError(f"{folded[:80]}: write an address, a domain, or *")
    return folded


class MailPartner(Value):
    """One partner as the policy has it under `partners:` of the connection."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    senders: Annotated[tuple[Annotated[str, AfterValidator(_sender)], ...], Field(min_length=1, max_length=500)]
    """Addresses and domains; `*`: whoever's domain vouches for him."""
    customer_id: Name | None = None
    """What the ERP calls it."""


class MailPartners(Value):
    """Whose mails become orders without a person, where every field is sure."""

    partners: Mapping[str, MailPartner] = {}

    @model_validator(mode="after")
    def _each_sender_once(self) -> "MailPartners":
        named = [sender for partner in self.partners.values() for sender in partner.senders]
        if twice := next((sender for sender in named if named.count(sender) > 1), None):
            raise ValueError(f"partners: two of them have {twice}")
        return self

    def of(self, address: str) -> MailPartner | None:
        """The partner that writes from this address: named by it, by its domain, or by `*`."""
        folded = address.casefold()
        for key in (folded, folded.rpartition("@")[2], "*"):
            for partner in self.partners.values():
                if key in partner.senders:
                    return partner
        return None
