"""Those of the fresh mails that are in other languages (`tests.sources.fresh_mails`)."""

# ruff: noqa: E501 (a mail's lines are as long as they are)

from tests.sources.fresh_english import Fresh
from tests.sources.mails import BERLIN, MADRID, PARIS, pdf_of, xlsx_of

ROME = ("Via Roma 12", "00184", "Roma", "IT")
AMSTERDAM = ("Keizersgracht 12", "1015 CX", "Amsterdam", "NL")


ABROAD: tuple[Fresh, ...] = (
    Fresh(
        "Preise für hundert",
        subject="Bestellung 4500077112",
        tongue="de",
        text="""Sehr geehrte Damen und Herren,

wir bestellen gemäß Ihrem Angebot 2211:

Pos.  Material   Bezeichnung     Menge    ME   Preis/100 St   Gesamtpreis
10    AB-100     Lampe           2.500    St   350,00         8.750,00
20    CD-200     Schraube M4     10.000   St   4,20           420,00

Summe netto EUR 9.170,00

Lieferanschrift: Example GmbH, Hauptstr. 5, 10115 Berlin
Zahlungsbedingungen: 14 Tage 2 % Skonto, 30 Tage netto
Liefertermin: KW 49/2026

Mit freundlichen Grüßen
i. A. Ada Beispiel
Tel. 030 1234567
""",
        expected={
            "purchase_order": "4500077112",
            "lines": [("AB-100", "2500", "3.5"), ("CD-200", "10000", "0.042")],
            "delivery": BERLIN,
            "terms": "14 Tage 2 % Skonto, 30 Tage netto",
            "total": "9170",
            "currency": "EUR",
            "language": "de",
        },
    ),
    Fresh(
        "weitergeleitet aus Outlook",
        subject="WG: Bestellung",
        tongue="de",
        text="""Hallo zusammen,
bitte so erfassen. Danke!
Ada

Von: Bob Beispiel <bob@example.org>
Gesendet: Freitag, 20. November 2026 16:02
An: Ada Beispiel
Betreff: Bestellung

Bestell-Nr. 771-B
Wir benötigen
25 Stk AB-100 je 3,50 EUR
10 Stk CD-200 je 12,00 EUR
Gruß Bob
""",
        expected={
            "purchase_order": "771-B",
            "lines": [("AB-100", "25", "3.5"), ("CD-200", "10", "12")],
            "currency": "EUR",
            "language": "de",
        },
    ),
    Fresh(
        "eine Bestellung als PDF",
        subject="Bestellung",
        tongue="de",
        text="Guten Tag,\n\nim Anhang unsere Bestellung.\n\nMit freundlichen Grüßen\nAda Beispiel\nTelefon +49 30 1234567\n",
        files={
            "Bestellung_88-2026.pdf": pdf_of(
                [
                    "Example GmbH * Hauptstr. 5 * 10115 Berlin",
                    "",
                    "BESTELLUNG Nr. 88-2026                      Datum: 20.11.2026",
                    "Ihre Kundennummer bei uns: 10077",
                    "",
                    "Pos Art.-Nr.    Bezeichnung          Menge ME      E-Preis      Gesamt",
                    "1   AB-100      Lampe blau              10 Stk        3,50       35,00",
                    "2   CD-200      Schraubensatz            2 Stk       12,00       24,00",
                    "",
                    "                                     Netto                     59,00",
                    "                                     MwSt 19 %                 11,21",
                    "                                     Gesamtbetrag EUR          70,21",
                    "",
                    "Lieferadresse: Example GmbH, Hauptstr. 5, 10115 Berlin",
                    "Liefertermin: 07.12.2026",
                    "Zahlungsbedingung: 30 Tage netto",
                ]
            )
        },
        expected={
            "purchase_order": "88-2026",
            "lines": [("AB-100", "10", "3.5"), ("CD-200", "2", "12")],
            "delivery": BERLIN,
            "window": "2026-12-07T00:00",
            "terms": "30 Tage netto",
            "tax": "11.21",
            "total": "70.21",
            "currency": "EUR",
        },
    ),
    Fresh(
        "ein Ersatz, falls etwas fehlt",
        subject="Bestellung Nr. 5710",
        tongue="de",
        text="""Guten Tag,

wir bestellen:
10 Stück AB-100 à 3,50 EUR
falls nicht lieferbar:
10 Stück AB-101 à 3,60 EUR

Lieferung an: Hauptstr. 5, 10115 Berlin

Freundliche Grüße
Ada Beispiel
""",
        expected={
            "purchase_order": "5710",
            "lines": [("AB-100", "10", "3.5")],
            "delivery": BERLIN,
            "total": "35",
            "currency": "EUR",
        },
    ),
    Fresh(
        "un tableau HTML avec une remise par ligne",
        subject="Bon de commande BC-4410",
        tongue="fr",
        country="FR",
        html="""<p>Bonjour,</p><p>Veuillez enregistrer notre commande&nbsp;:</p>
<table><tbody><tr><td>Réf.</td><td>Désignation</td><td>Qté</td><td>P.U. HT</td><td>Remise</td><td>Montant HT</td></tr>
<tr><td>AB-100</td><td>Lampe</td><td>10</td><td>10,00&nbsp;€</td><td>10 %</td><td>90,00&nbsp;€</td></tr>
<tr><td>CD-200</td><td>Vis</td><td>1&nbsp;000</td><td>0,05&nbsp;€</td><td></td><td>50,00&nbsp;€</td></tr></tbody></table>
<p>Total HT : 140,00&nbsp;€<br>TVA 20&nbsp;% : 28,00&nbsp;€<br>Total TTC : 168,00&nbsp;€</p>
<p>Adresse de livraison : 12 rue des Lilas, 75011 Paris</p><p>Cordialement,<br>Ada Exemple<br>Tél. 01 99 00 12 34</p>""",
        expected={
            "purchase_order": "BC-4410",
            "lines": [("AB-100", "10", "9"), ("CD-200", "1000", "0.05")],
            "delivery": PARIS,
            "tax": "28",
            "total": "168",
            "currency": "EUR",
            "language": "fr",
        },
    ),
    Fresh(
        "des cartons en prose",
        subject="Commande",
        tongue="fr",
        country="FR",
        text="""Bonjour,

Merci de nous livrer 25 cartons de la réf. AB-100 (carton de 12) au prix de 42,00 € le carton.
Notre n° de commande : 2026/118
Livraison au 12 rue des Lilas, 75011 Paris, le 15 décembre.

Bien cordialement,
Ada Exemple
""",
        expected={
            "purchase_order": "2026/118",
            "lines": [("AB-100", "25", "42")],
            "delivery": PARIS,
            "window": "2026-12-15T00:00",
            "total": "1050",
            "currency": "EUR",
            "language": "fr",
        },
    ),
    Fresh(
        "un CSV avec une ligne de total",
        subject="Commande CF-2026-31",
        tongue="fr",
        country="FR",
        text="Bonjour,\n\nci-joint notre commande CF-2026-31.\n\nCordialement\nAda Exemple\nTél : 01 99 00 12 34\n",
        files={
            "commande.csv": "Réf;Désignation;Qté;P.U. HT;Total HT\nAB-100;Lampe;10;3,50;35,00\nCD-200;Vis;1 200;0,05;60,00\n;;;Total HT;95,00\n".encode(
                "cp1252"
            )
        },
        expected={
            "purchase_order": "CF-2026-31",
            "lines": [("AB-100", "10", "3.5"), ("CD-200", "1200", "0.05")],
            "language": "fr",
        },
    ),
    Fresh(
        "unidades con punto de millar",
        subject="Pedido 2026-77",
        tongue="es",
        country="ES",
        text="""Buenos días:

Necesitamos 1.200 uds de AB-100 a 0,35 €/ud y 3 cajas de CD-200 a 12,50 € la caja.
Entregar antes del 15/12/2026 en Calle Mayor 3, 28013 Madrid.
Nuestro pedido: 2026-77
Pago: transferencia a 30 días

Un saludo,
Ada Ejemplo
Tel. 91 123 45 67
""",
        expected={
            "purchase_order": "2026-77",
            "lines": [("AB-100", "1200", "0.35"), ("CD-200", "3", "12.5")],
            "delivery": MADRID,
            "terms": "transferencia a 30 días",
            "currency": "EUR",
            "language": "es",
        },
    ),
    Fresh(
        "un libro con columnas de otro nombre",
        subject="Pedido",
        tongue="es",
        country="ES",
        text="Hola:\n\nadjunto el pedido de esta semana.\n\nGracias\nAda\n",
        files={
            "pedido.xlsx": xlsx_of(
                [
                    ["Pedido nº", "P-2026-19"],
                    ["Entrega en", "Calle Mayor 3, 28013 Madrid"],
                    ["Cód. artículo", "Descripción", "Cant. pedida", "Precio unit. (€)", "Importe (€)"],
                    ["AB-100", "Lámpara", 10, 3.5, 35],
                    ["CD-200", "Tornillos", 2, 12, 24],
                    [None, None, None, "Total (€)", 59],
                ]
            )
        },
        expected={
            "purchase_order": "P-2026-19",
            "lines": [("AB-100", "10", "3.5"), ("CD-200", "2", "12")],
            "delivery": MADRID,
            "total": "59",
            "currency": "EUR",
        },
    ),
    Fresh(
        "un ordine con etichette",
        subject="Ordine n. 2026/45",
        tongue="it",
        country="IT",
        text="""Buongiorno,

vi inviamo il nostro ordine.

Numero ordine: 2026/45
10 pz AB-100 Lampada blu a 3,50 €
2 conf. CD-200 Viti a 12,00 €

Indirizzo di consegna: Via Roma 12, 00184 Roma
Data di consegna: 15 dicembre 2026
Condizioni di pagamento: 30 gg d.f.
Totale: 59,00 €

Cordiali saluti
Ada Esempio
Tel. 06 1234567
""",
        expected={
            "purchase_order": "2026/45",
            "lines": [("AB-100", "10", "3.5"), ("CD-200", "2", "12")],
            "delivery": ROME,
            "window": "2026-12-15T00:00",
            "terms": "30 gg d.f.",
            "total": "59",
            "currency": "EUR",
            "language": "it",
        },
    ),
    Fresh(
        "una tabella HTML",
        subject="Ordine 778",
        tongue="it",
        country="IT",
        html="""<p>Buongiorno, ordiniamo quanto segue:</p><table><tr><th>Codice</th><th>Descrizione</th><th>Q.tà</th><th>Prezzo</th><th>Importo</th></tr>
<tr><td>AB-100</td><td>Lampada</td><td>1.000</td><td>€ 3,50</td><td>€ 3.500,00</td></tr></table>
<p>Consegna: Via Roma 12, 00184 Roma</p><p>Grazie<br>Ada Esempio</p>""",
        expected={
            "purchase_order": "778",
            "lines": [("AB-100", "1000", "3.5")],
            "delivery": ROME,
            "total": "3500",
            "currency": "EUR",
            "language": "it",
        },
    ),
    Fresh(
        "graag leveren",
        subject="Bestelling 9012",
        tongue="nl",
        country="NL",
        text="""Goedemorgen,

Graag bestellen wij:

20 stuks AB-100 Lamp à € 3,50
4 dozen CD-200 Schroeven à € 12,00

Ons ordernummer: 9012
Afleveradres: Keizersgracht 12, 1015 CX Amsterdam
Leverdatum: 14-12-2026
Betaling: 30 dagen netto

Met vriendelijke groet,
Ada Voorbeeld
06-12345678
""",
        expected={
            "purchase_order": "9012",
            "lines": [("AB-100", "20", "3.5"), ("CD-200", "4", "12")],
            "delivery": AMSTERDAM,
            "window": "2026-12-14T00:00",
            "terms": "30 dagen netto",
            "total": "118",
            "currency": "EUR",
            "language": "nl",
        },
    ),
    Fresh(
        "een tabel met streepjes",
        subject="Inkooporder IO-2026-6",
        tongue="nl",
        country="NL",
        text="""Beste leverancier,

| Artikelnummer | Omschrijving | Aantal | Prijs  | Bedrag   |
| AB-100        | Lamp         | 1.250  | € 3,50 | 4.375,00 |
| CD-200        | Schroeven    | 8      | € 12,00| 96,00    |

Totaal excl. btw: € 4.471,00
BTW 21%: € 938,91
Totaal: € 5.409,91

Groeten, Ada
""",
        expected={
            "purchase_order": "IO-2026-6",
            "lines": [("AB-100", "1250", "3.5"), ("CD-200", "8", "12")],
            "tax": "938.91",
            "total": "5409.91",
            "currency": "EUR",
            "language": "nl",
        },
    ),
    Fresh(
        "een ordine in PDF",
        subject="Ordine",
        tongue="it",
        country="IT",
        text="Buongiorno,\nin allegato l'ordine.\nSaluti\nAda\n",
        files={
            "ordine_31.pdf": pdf_of(
                [
                    "ORDINE DI ACQUISTO N. 31/2026 del 20/11/2026",
                    "",
                    "Codice       Descrizione          Quantità    Prezzo unitario     Totale",
                    "AB-100       Lampada blu                10           3,50 EUR  35,00 EUR",
                    "CD-200       Viti                        2          12,00 EUR  24,00 EUR",
                    "",
                    "Totale ordine: 59,00 EUR",
                    "Consegna presso: Via Roma 12, 00184 Roma",
                    "Pagamento: bonifico 60 gg",
                ]
            )
        },
        expected={
            "purchase_order": "31/2026",
            "lines": [("AB-100", "10", "3.5"), ("CD-200", "2", "12")],
            "delivery": ROME,
            "terms": "bonifico 60 gg",
            "total": "59",
            "currency": "EUR",
        },
    ),
)
