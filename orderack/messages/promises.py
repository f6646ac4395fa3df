"""Words that commit, per language, and the contexts in which the same words don't.

A message sent before the ERP's receipt must not contain them: a definite confirmation operates as an acceptance
(UCC 2-207; mission.md 1d.10, 6.19). Patterns see lower-case text with single spaces and straight apostrophes.
"""

from collections.abc import Mapping

from orderack.domain.value import Value


class Promises(Value):
    """One language's table. `allowed` is looked for first, and what it covers is not looked at again."""

    committing: tuple[str, ...]
    allowed: tuple[str, ...]
    before_weekday: str
    """Prepositions that turn a weekday into a date."""
    soon: tuple[str, ...]
    """Dates without a number: tomorrow, within n days."""


_EN = Promises(
    committing=(
        r"\bconfirm(?:ed|ation|ations|s|ing)?\b",
        r"\bguarantee\w*",
        r"\bpromis(?:e|es|ed|ing)\b",
        r"\baccept(?:ed|s|ing|ance)?\b",
        r"\b(?:approved|booked|reserved)\b",
        r"\bin stock\b",
        r"\b(?:will|shall|going to|'ll) (?:\w+ ){0,2}?(?:ship|arrive|deliver|dispatch|reach you|be with you)\b",
        r"\b(?:will|shall|going to|'ll) (?:\w+ ){0,2}?be (?:\w+ )?(?:shipped|delivered|dispatched|sent out|ready)\b",
        r"\b(?:ships|arrives|delivers|shipped|dispatched|delivered|delivery|shipping|ready) (?:\w+ )?"
        r"(?:on|by|within|tomorrow|today|next week)\b",
        r"\b(?:has|have) been (?:shipped|dispatched|delivered)\b",
        r"\bon (?:its|the) way\b",
        r"\byou(?: will|'ll)? (?:receive|get|have) (?:it\b|(?:your|the) (?:order|goods|items?|parcel|delivery))",
        r"\b(?:estimated|expected) (?:delivery|arrival|dispatch|shipping)\b",
        r"\bdelivery (?:date|estimate)\b",
    ),
    allowed=(
        r"\b(?:not|never|isn't|hasn't|haven't|cannot)(?: yet)?(?: been)? "
        r"(?:confirm(?:ed)?|accept(?:ed)?|approved|booked)\b",
        r"\b(?:not|no)(?: yet)?(?: an?| our| the)?(?: order)? (?:confirmation|acceptance|promise)\b",
        r"\bconfirmation (?:is )?(?:still )?pending\b|\bpending confirmation\b",
        r"\b(?:await|wait)\w* (?:for )?(?:\w+ ){0,2}confirmation\b",
        r"\b(?:once|when|if|as soon as|until|before) (?:we|it|this|that|(?:the|your) (?:order|change)) "
        r"(?:has |have |is |are |can |could )?(?:been |be )?(?:confirm|accept|approv|book)\w*",
        r"\bplease (?:confirm|accept)\b",
        r"\b(?:will|shall) not (?:\w+ )?(?:be )?(?:ship|shipped|deliver|delivered|dispatch|dispatched)\b",
    ),
    before_weekday=r"on|by|until|before|next|this",
    soon=(
        r"\btomorrow\b",
        r"\b(?:with)?in (?:\d+|one|two|three|four|five|a few|▢)(?:[-–]\d+)? (?:\w+ )?(?:day|week)s?\b",
    ),
)

_DE = Promises(
    committing=(
        r"\b\w*bestätig\w*",
        r"\bgarant\w+",
        r"\b(?:zusicher\w*|zugesichert\w*|zusage\w*|zugesagt\w*|versprech\w*|versprochen\w*)",
        r"\b(?:angenommen|annahme|genehmigt|gebucht|reserviert)\b",
        r"\b(?:auf|ab) lager\b|\b(?:vorrätig|lieferbar)\b",
        r"\b(?:liefern|versenden|verschicken) (?:wir|ihnen)\b|\bwir (?:liefern|versenden|verschicken)\b",
        r"\b(?:wird|werden) (?:[^.!?]{0,60}? )?"
        r"(?:geliefert|versandt|versendet|verschickt|liefern|versenden|eintreffen|ankommen|zugestellt)\b",
        r"\b(?:wurde|ist) (?:[^.!?]{0,40}? )?(?:geliefert|versandt|versendet|verschickt)\b",
        r"\bliefer(?:termin|datum)\w*|\bvoraussichtlich\w* (?:liefer|zustell)\w*",
        r"\bunterwegs\b",
        r"\bsie erhalten (?:ihre|die) (?:bestellung|ware|lieferung|artikel)\b",
    ),
    allowed=(
        r"\b(?:noch )?nicht (?:bestätigt|angenommen|genehmigt|gebucht)\b",
        r"\b(?:noch )?keine (?:verbindliche )?(?:\w*bestätigung|annahme|zusage)\b(?: (?:ihrer|der) bestellung)?",
        r"\b\w*bestätigung (?:steht )?(?:noch )?aus(?:stehend)?\b|\bausstehende \w*bestätigung\b",
        r"\b(?:sobald|bis|bevor|wenn|falls) (?:wir|sie|es|(?:ihre|die) (?:bestellung|änderung)) (?:\w+ ){0,2}"
        r"(?:bestätig|angenommen|genehmig)\w*",
        r"\bbitte bestätigen\b",
        r"\b(?:wird|werden) (?:\w+ ){0,2}?(?:nicht|nichts|keine \w+) (?:geliefert|versandt|versendet|verschickt)\b",
    ),
    before_weekday=r"am|bis|ab|zum|nächsten|diesen|kommenden",
    soon=(
        r"(?<!guten )\bmorgen\b|\bübermorgen\b",
        r"\b(?:in|innerhalb von|binnen) (?:\d+|zwei|drei|vier|fünf|wenigen|▢)(?:[-–]\d+)? "
        r"(?:werk|arbeits)?(?:tage|woche)n?\b",
    ),
)

_FR = Promises(
    committing=(
        r"\bconfirm\w*",
        r"\bgaranti\w*",
        r"\b(?:promet|promett|promis|promess)\w*",
        r"\baccept\w*",
        r"\b(?:validée?s?|réservée?s?|approuvée?s?)\b",
        r"\ben stock\b",
        r"\b(?:sera|seront) (?:\w+ ){0,2}?(?:livré|expédié|envoyé|remis|prêt)\w*",
        r"\b(?:livrerons|expédierons|arrivera|arriveront)\b",
        r"\b(?:est|sont|a été|ont été) (?:expédié|livré)\w*",
        r"\blivraison (?:est )?(?:prévue|estimée|le|avant|sous)\b|\bdate de livraison\b",
        r"\ben (?:route|cours de livraison)\b",
        r"\bvous (?:recevrez|allez recevoir) (?:votre|vos|la|le|les) (?:commande|colis|marchandise|article)s?\b",
    ),
    allowed=(
        r"\bpas (?:encore )?(?:été )?(?:confirmé|accepté|validé)e?s?\b",
        r"\b(?:ne|n') ?(?:constitue|vaut|est) (?:donc )?(?:pas|ni) (?:encore )?(?:une |un |la |notre )?"
        r"(?:acceptation|confirmation|promesse)\b",
        r"\bni (?:une |un |la )?(?:acceptation|confirmation|promesse)\b",
        r"\bconfirmation (?:est )?(?:encore )?en attente\b|\ben attente (?:de|d'une) (?:\w+ )?confirmation\b",
        r"\b(?:dès que|lorsque|quand|si|avant que|tant que|jusqu'à ce que) (?:nous|elle|il|(?:la|votre) (?:commande|"
        r"modification)) (?:l')?(?:est |sera |soit |aura été |n'est pas |aurons )?(?:confirm|accept|valid)\w*",
        r"\bveuillez (?:nous )?(?:le |la |les )?confirmer\b|\bmerci de (?:nous )?confirmer\b",
        r"\bne (?:sera|seront) pas (?:expédié|livré)\w*",
    ),
    before_weekday=r"le|d'ici|avant|pour|dès|ce",
    soon=(
        r"\bdemain\b",
        r"\b(?:sous|dans|en|d'ici) (?:\d+|deux|trois|quatre|cinq|quelques|▢)(?:[-–]\d+)? (?:jour|semaine)s?\b",
    ),
)

_ES = Promises(
    committing=(
        r"\bconfirm\w*",
        r"\bgarant[ií]\w*",
        r"\bpromet\w*|\bpromes\w*",
        r"\bacept\w*",
        r"\b(?:aprobad|reservad)[oa]s?\b",
        r"\ben (?:stock|existencias)\b",
        r"\b(?:será|serán) (?:\w+ ){0,2}?(?:enviad|entregad)\w*|\bse (?:enviará|entregará)n?\b",
        r"\b(?:enviaremos|entregaremos) (?:su|el|los|sus|la|las) (?:pedido|artículo|paquete|mercancía)s?\b",
        r"\b(?:llegará|llegarán)\b",
        r"\b(?:ha sido|han sido|se ha|se han) (?:enviad|entregad)\w*",
        r"\bfecha (?:prevista |estimada )?de entrega\b|\bentrega (?:prevista|estimada|el|antes)\b",
        r"\ben camino\b",
        r"\brecibirá (?:su|el|los|sus) (?:pedido|paquete|artículo|mercancía)s?\b",
    ),
    allowed=(
        r"\bno (?:está |ha sido |lo hemos |la hemos |hemos )?(?:aún |todavía )?(?:confirmad|aceptad|aprobad)\w*",
        r"\b(?:aún|todavía) no (?:está |ha sido |lo hemos |la hemos |hemos )?(?:confirmad|aceptad|aprobad)\w*",
        r"\bno (?:constituye|supone|es|implica|equivale a) (?:todavía |aún )?(?:una |su |la )?"
        r"(?:aceptación|confirmación|promesa)\b",
        r"\bni (?:una |su |la )?(?:aceptación|confirmación|promesa)\b",
        r"\bconfirmación (?:está |sigue )?pendiente\b|\bpendiente de (?:\w+ )?(?:confirmación|confirmar)\b",
        r"\b(?:en cuanto|cuando|si|hasta que|antes de que) (?:esté|lo|la|(?:el|su) (?:pedido|cambio)|(?:la|su) "
        r"modificación) "
        r"(?:esté |hayamos |sea |está )?(?:confirm|acept|aprob)\w*",
        r"\bpor favor,? (?:confirme|confírmenos)\b",
        r"\bno se (?:enviará|entregará)n?\b",
    ),
    before_weekday=r"el|este|próximo|antes del|para el",
    soon=(
        r"(?<!la )\bmañana\b",
        r"\b(?:en|dentro de) (?:\d+|dos|tres|cuatro|cinco|unos|▢)(?:[-–]\d+)? (?:día|semana)s?\b",
    ),
)

PROMISES: Mapping[str, Promises] = {"en": _EN, "de": _DE, "fr": _FR, "es": _ES}
"""A language without a table here cannot be checked, and so cannot send anything before the ERP's receipt."""
