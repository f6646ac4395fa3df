"""The words by which buyers label what they order, in six languages of Europe (CSV, XLSX and PDF too)."""

import re
import unicodedata
from collections.abc import Mapping


def plain(label: str) -> str:
    """A label without accents, case, marks and what stands in brackets: `Bestell-Nr.` → `bestell nr`."""
    bare = unicodedata.normalize("NFKD", re.sub(r"\([^()]*\)|\[[^\[\]]*\]", " ", label[:200]).replace("ß", "ss"))
    bare = "".join(char for char in bare if not unicodedata.combining(char)).casefold()
    return " ".join(re.sub(r"[^a-z0-9#%/]+", " ", bare).replace("/", " ").split())


_FIELDS = {
    "purchase_order": """po|po number|po no|po nr|po #|po#|p o|p o no|p o number|purchase order|purchase order number|
        purchase order no|purchase order #|order|order number|order no|order nr|order #|order ref|order reference|
        our order|
        our order no|our reference|your order number|customer po|reference|ref|
        bestellung|bestellnummer|bestell nr|bestellnr|bestell nummer|bestellung nr|auftrag|auftragsnummer|auftrags nr|
        unsere bestellnummer|unsere bestellung|unser zeichen|
        commande|commande n|commande no|numero de commande|n commande|n de commande|no de commande|no commande|
        bon de commande|
        bon de commande n|notre reference|pedido|numero de pedido|n pedido|n de pedido|no de pedido|pedido n|
        pedido no|
        orden de compra|numero de orden|n de orden|nuestra referencia|
        numero ordine|ordine|ordine n|n ordine|ordine numero|ordine di acquisto|nostro ordine|ns ordine|rif ordine|
        ordernummer|ons ordernummer|bestelnummer|bestelling|inkooporder|inkoopnummer|ordernr|bestelnr|
        onze referentie""",
    "customer.id": """customer no|customer number|customer id|customer #|account|account no|account number|
        kundennummer|kunden nr|
        kundennr|kd nr|numero client|n client|no client|numero de client|code client|compte client|
        numero de cliente|n cliente|n de cliente|no cliente|codigo de cliente|cliente n|
        codice cliente|n cliente|numero cliente|klantnummer|klantnr""",
    "customer.name": """contact|contact person|contact name|name|buyer|ordered by|attention|attn|ansprechpartner|
        kontakt|besteller|bestellt von|nom|personne de contact|acheteur|commande par|interlocuteur|nombre|
        persona de contacto|
        contacto|comprador|pedido por|
        referente|nominativo|contatto|contactpersoon|naam|besteld door|ordinato da""",
    "company": """ragione sociale|azienda|bedrijf|bedrijfsnaam|company|firm|company name|firma|unternehmen|
        societe|entreprise|raison sociale|empresa|razon social""",
    "phone": """telefoon|telefoonnummer|cellulare|mobiel|phone|telephone|tel|mobile|phone number|phone no|telefon|
        telefonnummer|handy|mobil|
        telephone portable|portable|telefono|
        movil|tel no|tlf""",
    "delivery": """deliver to|delivery address|ship to|shipping address|ship to address|delivery to|send to|delivery|
        lieferadresse|lieferanschrift|lieferung an|liefern an|liefern sie an|versand an|bitte liefern an|
        adresse de livraison|livrer a|livraison a|lieu de livraison|livraison|
        direccion de entrega|direccion de envio|entregar en|entrega en|enviar a|lugar de entrega|
        indirizzo di consegna|consegna|consegna a|consegna presso|consegnare a|spedire a|luogo di consegna|
        destinazione|
        afleveradres|bezorgadres|leveradres|leveren aan|levering|verzenden naar|leveren op""",
    "billing": """bill to|billing address|invoice to|invoice address|rechnungsadresse|rechnungsanschrift|rechnung an|
        adresse de facturation|facturer a|facturation|direccion de facturacion|facturar a|factura a|
        indirizzo di fatturazione|fatturare a|fatturazione|factuuradres|factureren aan""",
    "pickup": """pickup|pick up|pick up at|pickup at|pickup location|collect from|collection|collection from|
        abholung|abholung in|
        abholort|selbstabholung|retrait|retrait a|enlevement|lieu de retrait|recogida|recogida en|lugar de recogida|
        retiro|
        ritiro|ritiro presso|afhalen|ophalen|afhaallocatie""",
    "date": """required|required delivery|needed|req date|delivery date|requested delivery date|required date|
        date required|deliver on|deliver by|delivery by|
        needed by|due date|
        need by|required by|ship date|lieferdatum|liefertermin|wunschtermin|lieferung am|lieferung bis|
        lieferung bis zum|
        gewunschter liefertermin|lieferwunsch|date de livraison|date de livraison souhaitee|livraison le|
        livraison souhaitee|livrer le|fecha de entrega|fecha de entrega deseada|entrega el|fecha deseada|entregar el|
        pickup date|abholdatum|abholtermin|date de retrait|fecha de recogida|
        data di consegna|data consegna|consegna entro|consegna il|data richiesta|leverdatum|gewenste leverdatum|
        leveren voor|
        leveren uiterlijk|bezorgdatum|levertijd""",
    "window": """delivery window|delivery time|time window|time slot|time|lieferfenster|zeitfenster|lieferzeit|
        uhrzeit|
        creneau|creneau de livraison|horaire|horaire de livraison|heure de livraison|horario|horario de entrega|
        hora de entrega|
        franja horaria|
        orario|fascia oraria|orario di consegna|tijdvak|tijdslot""",
    "terms": """payment terms|terms|terms of payment|payment|zahlungsbedingungen|zahlungsziel|zahlung|
        zahlungskonditionen|
        conditions de paiement|modalites de paiement|paiement|reglement|condiciones de pago|terminos de pago|pago|
        forma de pago|
        payment condition|payment conditions|
        condizioni di pagamento|pagamento|termini di pagamento|modalita di pagamento|betaling|betalingstermijn|
        betalingsvoorwaarden|betalingsconditie|zahlungsbedingung""",
    "currency": "valuta|currency|wahrung|waehrung|devise|monnaie|moneda|divisa",
    "total": """total|grand total|order total|total amount|amount due|total price|total value|total incl vat|
        total due|
        gesamt|gesamtsumme|gesamtbetrag|summe|endbetrag|gesamtpreis|bruttobetrag|gesamt brutto|
        total ttc|montant total|total general|total a payer|total commande|importe total|total pedido|total a pagar|
        total con iva|
        totale|totale ordine|totale fattura|totale iva inclusa|totale complessivo|importo totale|totaal|totaalbedrag|
        totaal incl btw|totaal inclusief btw|eindtotaal|te betalen""",
    "subtotal": """subtotal|sub total|net|net total|total net|total ht|zwischensumme|netto|nettosumme|summe netto|
        nettobetrag|
        gesamt netto|sous total|montant ht|total hors taxes|suma|base imponible|total sin iva|total excl vat|
        total before tax|
        imponibile|totale imponibile|totale netto|subtotale|totaal excl btw|totaal exclusief btw|subtotaal|
        nettototaal""",
    "tax": """tax|vat|sales tax|gst|mwst|ust|mehrwertsteuer|umsatzsteuer|zzgl mwst|tva|montant tva|iva|impuesto|
        impuestos|
        vat 20%|vat 19%|vat 21%|mwst 19%|19% mwst|ust 19%|tva 20%|iva 21%|mwst 7%|mwst 19 %|tva 20 %|iva 21 %|
        imposta|btw|btw 21%|21% btw|iva 22%|btw bedrag""",
    "shipping": """shipping|freight|shipping cost|carriage|delivery charge|delivery cost|versand|versandkosten|
        fracht|lieferkosten|
        frais de port|port|frais de livraison|transport|gastos de envio|envio|portes|shipping and handling|
        spese di spedizione|spedizione|trasporto|verzendkosten|transportkosten""",
    "discount": "sconto|korting|discount|rebate|rabatt|nachlass|skonto|remise|rabais|descuento",
    "instructions": """instructions|notes|note|comments|comment|remarks|delivery instructions|special instructions|
        delivery notes|
        delivery note|hinweis|hinweise|bemerkung|bemerkungen|anmerkung|anmerkungen|lieferhinweis|lieferhinweise|
        remarque|remarques|instructions de livraison|consignes|commentaire|commentaires|
        instrucciones|instrucciones de entrega|notas|observaciones|comentarios|nota|
        note di consegna|istruzioni|osservazioni|opmerking|opmerkingen|bijzonderheden|leveringsinstructies""",
    "street": "via|indirizzo|straat|street|address|address line 1|strasse|adresse|anschrift|rue|calle|direccion",
    "city": "citta|plaats|stad|city|town|ort|stadt|ville|ciudad|localidad|poblacion",
    "postal_code": """cap|codice postale|zip|zip code|postcode|postal code|plz|postleitzahl|code postal|cp|
        codigo postal""",
    "region": "state|region|province|provincia|bundesland",
    "country": "paese|country|land|pays|pais",
    "ignored": """date|order date|datum|bestelldatum|fecha|fecha de pedido|date de commande|subject|from|to|sent|cc|
        betreff|von|an|
        gesendet|objet|de|a|envoye|asunto|para|enviado|email|e mail|mail|correo|correo electronico|courriel|fax|
        vat no|vat id|vat number|tax id|ust id|ust idnr|steuernummer|siret|tva intracommunautaire|nif|cif|web|website|
        phone fax|supplier|lieferant|fournisseur|proveedor|vendor|quote|quotation|angebot|angebotsnummer|devis|
        presupuesto|oggetto|onderwerp|inviato|verzonden|van|aan|data|data ordine|besteldatum|orderdatum|
        partita iva|p iva|
        btw nummer|leverancier|fornitore|offerte|offerta|preventivo""",
}
_COLUMNS = {
    "line": "pos|position|line|#|no|nr|n|line no|lfd nr|ligne|linea|item no pos|item #",
    "sku": """sku|item|item no|item number|item code|article|article no|article number|product code|part no|
        part number|part|
        code|product no|product|material|material no|artikel|artikelnummer|artikelnr|artikel nr|art nr|artnr|art no|
        sachnummer|
        best nr|material nr|reference|ref|reference article|code article|article n|no article|produit|
        referencia|codigo|articulo|codigo articulo|codigo de articulo|producto|our item|supplier item|supplier sku|
        codice|codice articolo|cod articolo|cod articulo|cod producto|cod|articolo|cod art|artikelcode|art code|
        codice prodotto|bestelcode""",
    "buyer_item": """your item|buyer item|customer item|customer part no|ihre artikelnummer|kundenartikel|
        kundenartikelnummer""",
    "description": """description|item description|product name|name|details|bezeichnung|beschreibung|
        artikelbezeichnung|text|
        designation|libelle|descriptif|descripcion|denominacion|concepto|product description|
        descrizione|omschrijving|naam|benaming|denominazione|articolo descrizione""",
    "quantity": """qty|quantity|amount ordered|order qty|pieces|pcs|menge|anzahl|stuck|stk|bestellmenge|quantite|qte|
        nombre|nb|
        cantidad|cant|uds|unidades|ordered|qty ordered|units|
        quantita|q ta|qta|aantal|hoeveelheid|pezzi|pz|stuks|cant pedida|cantidad pedida|cantidad solicitada|
        quantita ordinata|
        besteld aantal""",
    "unit": "u m|unita|eenheid|unit|uom|um|einheit|me|unite|unidad|ud",
    "price": """price|unit price|price each|each|net price|price unit|price per unit|unit cost|rate|preis|
        einzelpreis|stuckpreis|
        e preis|ep|preis stuck|vk preis|prix|prix unitaire|pu|pu ht|prix unitaire ht|p u|precio|precio unitario|
        precio ud|
        precio unidad|unit net price|nettopreis|cost|
        prezzo|prezzo unitario|prezzo unit|prijs|stuksprijs|eenheidsprijs|prijs per stuk|precio unit|prix unit|
        prezzo netto""",
    "amount": """amount|line total|total|total price|extended|ext price|line amount|net amount|value|betrag|gesamt|
        gesamtpreis|summe|
        positionswert|gp|montant|montant ht|total ht|total ligne|importe|total linea|subtotal|wert|
        importo|totale|totale riga|bedrag|totaal|regeltotaal|prezzo totale|line value|totaalprijs|ext amount|
        extended price""",
    "currency": "currency|curr|wahrung|devise|moneda",
    "instructions": "notes|note|remarks|comment|comments|instructions|bemerkung|hinweis|remarque|observaciones|nota",
}


def _table(words: Mapping[str, str]) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for field, labels in words.items():
        for label in labels.split("|"):
            found.setdefault(" ".join(label.split()), field)
    return found


LABELS = _table(_FIELDS)
COLUMNS = _table(_COLUMNS)
_RATE = r"\d{1,2}(?: \d{1,2})? ?%?"
_UNITS = re.compile(r"\s(?:eur|usd|gbp|chf|in eur|in usd|in gbp|#|no|nr|n)$")


def label_of(text: str, own: Mapping[str, str]) -> str | None:
    """The field that this is a label of; `own`: the shop's own labels → fields."""
    found = plain(text)
    if found in own:
        return own[found]
    tax = re.fullmatch(
        rf"(?:(?:zzgl|plus|incl|inkl) )?(?:{_RATE} ?)?(mwst|ust|vat|tva|iva|btw|gst|tax)(?: ?{_RATE})?", found
    )
    return LABELS.get(found) or LABELS.get(_UNITS.sub("", found)) or ("tax" if tax else None)


def column_of(text: str) -> str | None:
    """The column that this is the header of."""
    found = plain(text)
    return COLUMNS.get(found) or COLUMNS.get(_UNITS.sub("", found))


_TONGUES = {
    "en": """the and please we order deliver delivery hello dear regards thanks thank you our to would like with for
        quantity price item address terms date number""",
    "de": """und bitte wir bestellen lieferung sie grussen freundlichen guten tag hallo fur mit die das bestellung ich
        menge artikelnummer bezeichnung preis lieferadresse betrag zahlungsbedingungen""",
    "fr": """et nous bonjour merci veuillez livraison commande cordialement pour les des une avec le la je souhaitons
        quantite prix designation adresse montant reglement""",
    "es": """y por favor hola buenos dias gracias pedido entrega saludos para los las una con el estimados queremos
        de del nuestro cantidad precio importe direccion pago""",
    "it": """e il per favore buongiorno salve grazie ordine consegna cordiali saluti di con una vi nostro ordiniamo
        quantita prezzo importo indirizzo pagamento codice descrizione""",
    "nl": """en het wij graag bestellen leveren bestelling groet vriendelijke met voor dank de van ons beste hierbij
        groeten aantal prijs bedrag totaal betaling artikelnummer omschrijving leverancier""",
}
_WORDS_OF = {language: frozenset(words.split()) for language, words in _TONGUES.items()}
_SHARED = {
    word for word in frozenset[str]().union(*_WORDS_OF.values()) if sum(word in own for own in _WORDS_OF.values()) > 1
}
"""Words of several languages tell of none."""


def language_in(text: str) -> str | None:
    """The language whose commonest words it holds clearly the most of; None where that is not clear."""
    words = [word for line in text[:8_000].splitlines() for word in plain(line).split()]
    told = [word for word in words if word not in _SHARED]
    counts = sorted(((sum(word in own for word in told), name) for name, own in _WORDS_OF.items()), reverse=True)
    (most, name), (second, _) = counts[0], counts[1]
    return name if most >= 3 and most > second * 1.3 else None


ORDER_WORDS = re.compile(
    r"\b(?:orders?|ordering|purchase|p\.?o\.?|buy|quote|invoice|deliver\w*|ship\w*|bestell\w*|auftrag\w*|"
    r"liefer\w*|kauf\w*|"
    r"ordin\w*|consegn\w*|acquist\w*|preventiv\w*|bestel\w*|lever\w*|aantal|inkoop\w*|offert\w*|"
    r"command\w*|livr\w*|achat|achet\w*|pedidos?|pedir|compra\w*|entreg\w*|envi\w*|stück|pcs|qty|menge)\b",
    re.IGNORECASE,
)
"""A mail without any of these, and without lines or documents, speaks of no order."""
