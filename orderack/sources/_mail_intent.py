"""What a mail is about where it is not simply an order: a cancellation, a change, a question, an order with an "if".

Its lines are read all the same, and a person decides what they mean: nothing here makes an order, or undoes one.
"""

import re

_ABOUT = {
    "speaks of a cancellation": r"""cancel\w*|storn\w*|annull?ier\w*|annuler|annulez|annulons|annulation|annul[ée]\w*|
        anular|anulen|anulamos|anulaci[oó]n|annullar\w*|annullamento|annulla(?:te|re)?|annuleer|annuleren|
        annulering|disregard|void""",
    "speaks of a change of what was said before": r"""instead(?: of)?|changes? (?:to|of|in)|please change|amend\w*|
        revis(?:ed|ion)|supersed\w*|correction|corrected|anstatt|statt|änder\w*|abänder\w*|korrig\w*|korrektur|
        berichtig\w*|modifi(?:er|ez|cation|é\w*)|au lieu|remplac\w+|modificar|modificaci[oó]n|cambi(?:ar|o|en)|
        en (?:lugar|vez) de|sustitu\w+|modific(?:a|he|are)|invece|al posto|wijzig\w*|in plaats van""",
    "asks for prices or an offer": r"""(?:request for|please) quot\w*|rfq|quotation request|(?:could|can) you quote|
        (?:what would you|how much (?:do|would) you) charge|price enquiry|price inquiry|angebotsanfrage|
        preisanfrage|(?:um|bitte) (?:ein |ihr )?angebot|anfrage|demande de (?:devis|prix)|un devis|
        (?:solicitud|petici[oó]n) de (?:presupuesto|oferta|cotizaci[oó]n)|un presupuesto|cotizaci[oó]n|
        richiesta (?:di )?(?:offerta|preventivo)|un preventivo|offerteaanvraag|prijsopgave|een offerte""",
    "names a condition or an alternative": r"""if (?:not|un|out|no)\w*|otherwise|alternativ\w*|substitut\w*|optional\w*|
        falls|ersatzweise|wenn nicht|sofern|sinon|à défaut|si (?:non|pas|in)\w*|en cas de rupture|
        si no|en su defecto|in alternativa|se non|in mancanza|indien|zo niet""",
    "says that it repeats an earlier order": r"""same (?:again|as (?:last|before|below|usual))|as last time|re-?order|
        repeat (?:the|our|my|this)|wie (?:beim )?letzt\w*|nachbestell\w*|noch ?einmal|comme la dernière fois|
        la même (?:chose|commande)|lo mismo|come l'ultima|lo stesso|zelfde als|nogmaals""",
}
_PATTERNS = tuple(
    (why, re.compile(rf"(?<!\w)(?:{''.join(part.strip() for part in words.splitlines())})(?!\w)", re.IGNORECASE))
    for why, words in _ABOUT.items()
)


def not_plain(words: str) -> str | None:
    """Why its lines may mean something else than an order of them, in words; None: nothing says so.

    `words`: the subject and what the sender wrote himself, above what he quotes.
    """
    found = [why for why, pattern in _PATTERNS if pattern.search(words[:50_000])]
    return f"the mail {' and '.join(found)}: a person has to say what its lines mean" if found else None


_PASSED_ON = re.compile(r"^\s*(?:fwd?|fw|wg|tr|rv|rif|i|doorst|enc)\s*:", re.IGNORECASE)
_ANSWERED = re.compile(r"^\s*(?:re|aw|antw|rép|ref|r|sv|odp)\s*:", re.IGNORECASE)


def passed_on(subject: str) -> bool:
    """Whether its subject says that somebody else wrote it first."""
    return bool(_PASSED_ON.match(subject))


def answers(subject: str) -> bool:
    """Whether its subject is that of an earlier mail: what is numbered there may be an earlier order."""
    return bool(_ANSWERED.match(subject) or _PASSED_ON.match(subject))
