"""What a buyer's own words mean, where they mean one thing only: "I have it", or "write to me no more".

Only a whole message counts, never a part of it ("not ok" is not ok), and a question mark makes it a question.
Everything else is for a person to read; a plain "no" too, for it answers a person and declines nothing by name.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence

AFFIRMS: Mapping[str, tuple[str, ...]] = {
    "en": (
        *("yes", "y", "yep", "yeah", "ok", "okay", "received", "got it", "i have it", "i got it", "i confirm"),
        *("confirm", "confirmed", "yes received", "yes i have it", "yes thanks", "yes thank you", "ok thanks"),
        *("ok thank you", "received thanks", "received thank you", "got it thanks", "got it thank you"),
    ),
    "de": (
        *("ja", "jawohl", "erhalten", "bekommen", "habe ich", "habe es", "hab ich", "bestätigt", "bestätige"),
        *("ich bestätige", "ja erhalten", "ja habe ich", "ja danke", "ok danke", "okay danke", "erhalten danke"),
    ),
    "fr": (
        *("oui", "d'accord", "reçu", "bien reçu", "je confirme", "confirmé", "confirme", "je l'ai", "oui merci"),
        *("ok merci", "d'accord merci", "reçu merci", "bien reçu merci", "oui bien reçu"),
    ),
    "es": (
        *("sí", "recibido", "lo tengo", "confirmo", "confirmado", "vale", "de acuerdo", "sí gracias", "ok gracias"),
        *("vale gracias", "recibido gracias", "sí recibido"),
    ),
}
"""Whole messages that affirm receipt, in each language. They agree to nothing."""

THUMBS_UP = "\N{THUMBS UP SIGN}"
"""Affirms receipt, in any skin and any number, alone or beside one of the words."""

OPTS_OUT = frozenset(
    {
        *("stop", "stopall", "stop all", "unsubscribe", "cancel", "end", "quit", "revoke", "optout", "opt out"),
        *("stopp", "abmelden", "abbestellen", "arret", "desabonner", "parar", "baja"),
    }
)
"""Words upon which text message providers write to a number no more (Twilio's own list, and the same in the other
languages)."""

MAY_MEAN_THE_ORDER = frozenset({"cancel"})
"""An opt-out to the provider, and perhaps the end of the order to the buyer: a person reads it."""

_ORDER_WORD = r"(?:(?:order|bestellung|auftrag|commande|pedido)\s+)?"


def affirms(text: str, numbers: Sequence[str] = ()) -> str | None:
    """The word of ours that the whole message is, once the orders' numbers are taken out of it; None: it is another."""
    for number in numbers:
        text = _naming(number).sub(" ", text)
    word = _plain(text)
    if THUMBS_UP in word:
        word = _plain(word.replace(THUMBS_UP, " ")) or THUMBS_UP
    return word if word in _AFFIRMS else None


def opts_out(text: str) -> bool:
    """Whether the provider takes the whole message for an opt-out."""
    return _plain(text) in OPTS_OUT


def may_mean_the_order(text: str) -> bool:
    """Whether an opt-out may be about the order instead."""
    return _plain(text) in MAY_MEAN_THE_ORDER


def names(text: str, number: str) -> bool:
    """Whether the message names this order: its whole number, not a part of another."""
    return bool(_naming(number).search(text))


def _naming(number: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w-]){_ORDER_WORD}#?{re.escape(number)}(?![\w-])", re.IGNORECASE)


def _plain(text: str) -> str:
    """Without case, accents, skin tones and the punctuation that changes no meaning; a question mark does."""
    kept = []
    for character in unicodedata.normalize("NFKD", text.casefold()):
        if unicodedata.combining(character) or character == "\N{VARIATION SELECTOR-16}":
            continue
        if "\N{EMOJI MODIFIER FITZPATRICK TYPE-1-2}" <= character <= "\N{EMOJI MODIFIER FITZPATRICK TYPE-6}":
            continue
        kept.append(" " if character in _IDLE or character.isspace() else character)
    return " ".join("".join(kept).split())


_IDLE = frozenset(".,!;:'’`´\"“”„«»()#-–—…*_¡")
_AFFIRMS = frozenset(_plain(word) for words in AFFIRMS.values() for word in words) | {THUMBS_UP}
