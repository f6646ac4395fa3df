"""Orders written into the mail itself, in six languages."""

# ruff: noqa: E501 (a mail's lines are as long as they are)

from tests.sources.mails import BERLIN, LONDON, MADRID, PARIS, SPRINGFIELD, Case

WRITTEN: tuple[Case, ...] = (
    Case(
        "English, lines with @",
        subject="Purchase order PO-4711",
        text="""Hello,

please deliver the following:

10 x AB-100 Blue lamp @ 3.50 EUR
2 boxes of CD-200 Screws @ 12.00 EUR

Deliver to:
Example GmbH
Hauptstr. 5
10115 Berlin
Germany

Delivery date: 2026-12-01, 9:00-12:00
Payment terms: net 30
Total: 59.00 EUR
Notes: ring twice

Best regards
Ada Example
""",
        expected={
            "purchase_order": "PO-4711",
            "lines": [("AB-100", "10", "3.5"), ("CD-200", "2", "12")],
            "delivery": BERLIN,
            "window": "2026-12-01T09:00",
            "terms": "net 30",
            "total": "59",
            "currency": "EUR",
            "instructions": "ring twice",
            "language": "en",
        },
    ),
    Case(
        "German, table parted by spaces",
        subject="Bestellung",
        text="""Guten Tag,

hiermit bestellen wir unter der Bestellnummer: 4500123

Pos  Artikelnr.  Bezeichnung      Menge  Einzelpreis
1    AB-100      Lampe, blau      1.000  3,50 EUR
2    CD-200      Schrauben        5      12,00 EUR

Lieferadresse: Example GmbH, Hauptstr. 5, 10115 Berlin
Liefertermin: 1.12.2026
Zahlungsbedingungen: 30 Tage netto

Mit freundlichen Grüßen
Ada Beispiel
""",
        expected={
            "purchase_order": "4500123",
            "lines": [("AB-100", "1000", "3.5"), ("CD-200", "5", "12")],
            "delivery": BERLIN,
            "window": "2026-12-01T00:00",
            "terms": "30 Tage netto",
            "total": "3560",
            "currency": "EUR",
            "language": "de",
        },
    ),
    Case(
        "German, Stück à",
        subject="Bestellung Nr. B-2026-77",
        text="""Hallo,

bitte liefern Sie:

- 10 Stück AB-100 Lampe blau à 3,50 €
- 3 Kartons CD-200 Schrauben à 12,00 €

Lieferung an:
Example GmbH
Hauptstr. 5
10115 Berlin

Zahlung: auf Rechnung
Liefertermin: 1. Dezember 2026

Viele Grüße
Ada
""",
        expected={
            "purchase_order": "B-2026-77",
            "lines": [("AB-100", "10", "3.5"), ("CD-200", "3", "12")],
            "delivery": BERLIN,
            "window": "2026-12-01T00:00",
            "terms": "auf Rechnung",
            "total": "71",
            "currency": "EUR",
            "language": "de",
        },
    ),
    Case(
        "French, à with decimal comma",
        subject="Commande n° C-889",
        country="FR",
        text="""Bonjour,

Veuillez trouver notre commande :

4 x AB-100 Lampe bleue à 3,50 €
2 x CD-200 Vis à 12,00 €

Adresse de livraison :
Exemple SARL
12 rue des Lilas
75011 Paris
France

Date de livraison : 1er décembre 2026
Conditions de paiement : 30 jours net
Total HT : 38,00 €
TVA 20 % : 7,60 €
Total TTC : 45,60 €

Cordialement
Ada Exemple
""",
        expected={
            "purchase_order": "C-889",
            "lines": [("AB-100", "4", "3.5"), ("CD-200", "2", "12")],
            "delivery": PARIS,
            "window": "2026-12-01T00:00",
            "terms": "30 jours net",
            "total": "45.6",
            "tax": "7.6",
            "currency": "EUR",
            "language": "fr",
        },
    ),
    Case(
        "Spanish, labels",
        subject="Pedido",
        country="ES",
        text="""Estimados señores:

Número de pedido: P-500

Queremos pedir:
5 unidades de AB-100 Lámpara azul a 3,50 €
1 caja de CD-200 Tornillos a 12,00 €

Dirección de entrega:
Ejemplo S.L.
Calle Mayor 3
28013 Madrid
España

Fecha de entrega: 1 de diciembre de 2026
Condiciones de pago: 30 días

Un saludo
Ada Ejemplo
""",
        expected={
            "purchase_order": "P-500",
            "lines": [("AB-100", "5", "3.5"), ("CD-200", "1", "12")],
            "delivery": MADRID,
            "window": "2026-12-01T00:00",
            "terms": "30 días",
            "total": "29.5",
            "currency": "EUR",
            "language": "es",
        },
    ),
    Case(
        "American, dollars",
        subject="PO 88123",
        country="US",
        text="""Hi team,

Please ship:

12 pcs AB-100 Blue lamp @ $3.50
1 x CD-200 Screws @ $1,200.00

Ship to:
Ada Example
12 Main St
Springfield, IL 62701

Terms: Net 30
Requested delivery date: December 1, 2026
Total: $1,242.00

Thanks,
Ada
""",
        expected={
            "purchase_order": "88123",
            "lines": [("AB-100", "12", "3.5"), ("CD-200", "1", "1200")],
            "delivery": SPRINGFIELD,
            "window": "2026-12-01T00:00",
            "terms": "Net 30",
            "total": "1242",
            "currency": "USD",
            "language": "en",
        },
    ),
    Case(
        "British, pounds and a postcode",
        subject="Order no. UK-17",
        country="GB",
        text="""Dear Sirs,

We would like to order

6 x AB-100 Blue lamp @ £3.50 each
Delivery address: Example Ltd, 4 Mill Lane, London SW1A 1AA
Payment terms: 30 days net
Delivery date: 25/12/2026

Kind regards
Ada Example
""",
        expected={
            "purchase_order": "UK-17",
            "lines": [("AB-100", "6", "3.5")],
            "delivery": LONDON,
            "window": "2026-12-25T00:00",
            "terms": "30 days net",
            "total": "21",
            "currency": "GBP",
            "language": "en",
        },
    ),
    Case(
        "a day and a month that may be either",
        subject="Order no. UK-18",
        country="GB",
        text="Please deliver 6 x AB-100 @ £3.50 each\n6 x AB-100 Blue lamp @ £3.50 each\nDelivery date: 03/04/2027\n",
        expected={"purchase_order": "UK-18", "window": "2027-04-03T00:00", "currency": "GBP"},
    ),
    Case(
        "an ambiguous quantity",
        subject="Bestellung Nr. 99001",
        text="Guten Tag,\n\nwir bestellen\n1.500 Stück AB-100 Lampe\n\nDanke und Grüße\n",
        expected={"purchase_order": "99001", "lines": [("AB-100", "1500", None)]},
    ),
    Case(
        "no prices, no address",
        subject="Order",
        text="Hi,\n\nPO number: 7001\n\n3 x AB-100\n4 x CD-200\n\nThanks\nAda\n",
        expected={"purchase_order": "7001", "lines": [("AB-100", "3", None), ("CD-200", "4", None)]},
    ),
    Case(
        "code first, then x",
        subject="Order PO#3344",
        text="Hello,\nAB-100 x 10\nCD-200 x 5\nDeliver to: Hauptstr. 5, 10115 Berlin, Germany\nPayment: prepaid\nThanks\n",
        expected={
            "purchase_order": "3344",
            "lines": [("AB-100", "10", None), ("CD-200", "5", None)],
            "delivery": BERLIN,
            "terms": "prepaid",
        },
    ),
    Case(
        "bars",
        subject="PO 5566",
        text="""PO number: 5566

| SKU    | Description | Qty | Unit price | Total  |
|--------|-------------|-----|------------|--------|
| AB-100 | Blue lamp   | 10  | 3.50       | 35.00  |
| CD-200 | Screws      | 2   | 12.00      | 24.00  |
| Total  |             |     |            | 59.00  |

Currency: EUR
Ship to: Example GmbH, Hauptstr. 5, 10115 Berlin, Germany
Terms: net 14
""",
        expected={
            "purchase_order": "5566",
            "lines": [("AB-100", "10", "3.5"), ("CD-200", "2", "12")],
            "delivery": BERLIN,
            "terms": "net 14",
            "total": "59",
            "currency": "EUR",
        },
    ),
    Case(
        "an item in labelled lines",
        subject="Purchase Order 12001",
        text="""Item: AB-100
Description: Blue lamp
Quantity: 10
Unit price: 3.50 EUR

Item: CD-200
Description: Screws
Quantity: 2
Unit price: 12.00 EUR

Deliver to: Example GmbH, Hauptstr. 5, 10115 Berlin, Germany
Payment terms: net 30
""",
        expected={
            "purchase_order": "12001",
            "lines": [("AB-100", "10", "3.5"), ("CD-200", "2", "12")],
            "delivery": BERLIN,
            "terms": "net 30",
            "total": "59",
            "currency": "EUR",
        },
    ),
    Case(
        "items in one line each, by labels",
        subject="Order",
        text="Order number: Z-9\nSKU: AB-100, Qty: 10, Price: 3.50 EUR\nSKU: CD-200, Qty: 2, Price: 12.00 EUR\n"
        "Ship to: Hauptstr. 5, 10115 Berlin, Germany\nTerms: net 30\n",
        expected={
            "purchase_order": "Z-9",
            "lines": [("AB-100", "10", "3.5"), ("CD-200", "2", "12")],
            "delivery": BERLIN,
            "terms": "net 30",
            "total": "59",
            "currency": "EUR",
        },
    ),
)
