"""Mails in which something may be read in two ways, or is beside the order."""

# ruff: noqa: E501 (a mail's lines are as long as they are)

from tests.sources.mails import BERLIN, LONDON, MADRID, PARIS, Case

DOUBTFUL: tuple[Case, ...] = (
    Case(
        "pickup",
        subject="Order PO-5",
        text="Hello,\nPO number: PO-500\n2 x AB-100 @ 3.50 EUR\nPickup: Hamburg depot\nPayment terms: prepaid\nThanks\n",
        expected={
            "purchase_order": "PO-500",
            "lines": [("AB-100", "2", "3.5")],
            "pickup": "Hamburg depot",
            "terms": "prepaid",
            "total": "7",
            "currency": "EUR",
        },
    ),
    Case(
        "German pickup",
        subject="Bestellnummer: 8812",
        text="Hallo,\nwir bestellen 4 Stück AB-100 à 3,50 EUR\n4 Stück AB-100 Lampe à 3,50 EUR\nAbholung: Lager Hamburg\n",
        expected={"purchase_order": "8812", "pickup": "Lager Hamburg", "currency": "EUR"},
    ),
    Case(
        "sum that does not fit",
        subject="PO 1212",
        text="PO number: 1212\n10 x AB-100 @ 3.50 EUR\nTotal: 40.00 EUR\nShip to: Hauptstr. 5, 10115 Berlin, Germany\n",
        expected={"purchase_order": "1212", "lines": [("AB-100", "10", "3.5")], "total": "40", "currency": "EUR"},
    ),
    Case(
        "an amount at the end that is the line's",
        subject="PO 1313",
        text="PO number: 1313\n10 x AB-100 Blue lamp 35.00 EUR\n2 x CD-200 Screws 24.00 EUR\nTotal: 59.00 EUR\n",
        expected={
            "purchase_order": "1313",
            "lines": [("AB-100", "10", "3.5"), ("CD-200", "2", "12")],
            "total": "59",
            "currency": "EUR",
        },
    ),
    Case(
        "an amount at the end that is the price of one",
        subject="PO 1414",
        text="PO number: 1414\n10 x AB-100 Blue lamp 3.50 EUR\n2 x CD-200 Screws 12.00 EUR\nTotal: 59.00 EUR\n",
        expected={
            "purchase_order": "1414",
            "lines": [("AB-100", "10", "3.5"), ("CD-200", "2", "12")],
            "total": "59",
            "currency": "EUR",
        },
    ),
    Case(
        "an amount at the end that may be either",
        subject="PO 1515",
        text="PO number: 1515\n10 x AB-100 Blue lamp 3.50 EUR\n",
        expected={"purchase_order": "1515", "currency": "EUR"},
    ),
    Case(
        "shipping, tax and discount",
        subject="PO 1616",
        text="""PO number: 1616
10 x AB-100 @ 3.50 EUR
Subtotal: 35.00 EUR
Discount: 5.00 EUR
Shipping: 4.90 EUR
VAT 20%: 6.98 EUR
Total: 41.88 EUR
""",
        expected={
            "purchase_order": "1616",
            "lines": [("AB-100", "10", "3.5")],
            "discount": "5",
            "shipping": "4.9",
            "tax": "6.98",
            "total": "41.88",
            "currency": "EUR",
        },
    ),
    Case(
        "a reply above a quotation",
        subject="Re: quote",
        text="Hello,\n\nPO number: 1717\n3 x AB-100 @ 3.50 EUR\n\nRegards\nAda\n\n"
        "On Mon, 16 Nov 2026 at 10:00, Shop <x@shop.example> wrote:\n> 99 x ZZ-999 @ 1.00 EUR\n> PO number: 9999\n",
        expected={"purchase_order": "1717", "lines": [("AB-100", "3", "3.5")], "total": "10.5", "currency": "EUR"},
    ),
    Case(
        "a signature with numbers",
        subject="Order",
        text="Hi\n\nPO: 1818\n3 x AB-100 @ 3.50 EUR\n\n-- \nAda Example\n10 x best dealer 2025\nTel: +49 30 1234567\nTotal care GmbH\n",
        expected={"purchase_order": "1818", "lines": [("AB-100", "3", "3.5")], "total": "10.5", "currency": "EUR"},
    ),
    Case(
        "a forwarded order",
        subject="Fwd: Order",
        text="FYI\n\n---------- Forwarded message ---------\nFrom: Bob Example <bob@example.org>\nDate: Fri, 20 Nov 2026\n"
        "Subject: Order\nTo: Ada\n\nPO number: 1919\n3 x AB-100 @ 3.50 EUR\n",
        expected={"lines": [("AB-100", "3", "3.5")], "currency": "EUR"},
    ),
    Case(
        "no order number",
        subject="Please deliver",
        text="Hello,\nwe need\n10 x AB-100 Blue lamp @ 3.50 EUR\nDeliver to: Hauptstr. 5, 10115 Berlin, Germany\nPayment terms: net 30\nThanks\n",
        expected={
            "purchase_order": None,
            "lines": [("AB-100", "10", "3.5")],
            "delivery": BERLIN,
            "terms": "net 30",
            "total": "35",
            "currency": "EUR",
        },
    ),
    Case(
        "two numbers",
        subject="PO 2020 replaces PO 2019",
        text="10 x AB-100 Blue lamp @ 3.50 EUR\n",
        expected={"purchase_order": "2020", "lines": [("AB-100", "10", "3.5")]},
    ),
    Case(
        "two currencies",
        subject="PO number: 2121",
        text="10 x AB-100 Blue lamp @ 3.50 EUR\n2 x CD-200 Screws @ 12.00 USD\n",
        expected={"purchase_order": "2121"},
    ),
    Case(
        "a customer number and a phone",
        subject="Order",
        text="Order no: 2222\nCustomer no: K-100\nContact: Bea Example\nPhone: +49 30 1234567\n5 x AB-100 @ 3.50 EUR\n"
        "Ship to: Hauptstr. 5, 10115 Berlin, Germany\nTerms: net 30\n",
        expected={
            "purchase_order": "2222",
            "customer.id": "K-100",
            "customer.name": "Bea Example",
            "phone": "+49301234567",
            "lines": [("AB-100", "5", "3.5")],
            "delivery": BERLIN,
            "terms": "net 30",
        },
    ),
    Case(
        "a form with an address in parts",
        subject="Website order form",
        text="Name: Bea Example\nStreet: Hauptstr. 5\nPostcode: 10115\nCity: Berlin\nCountry: Germany\nOrder number: 2323\n"
        "Item: AB-100\nQuantity: 5\nPayment: prepaid\n",
        expected={
            "purchase_order": "2323",
            "customer.name": "Bea Example",
            "delivery": BERLIN,
            "lines": [("AB-100", "5", None)],
            "terms": "prepaid",
        },
    ),
    Case(
        "an item without a number",
        subject="PO 2424",
        text="PO number: 2424\n10 x blue lamps @ 3.50 EUR\n",
        expected={"purchase_order": "2424", "currency": "EUR", "total": "35"},
    ),
    Case(
        "measures that are no item numbers",
        subject="PO 2525",
        text="PO number: 2525\n10 x 5mm drill AB-100 @ 3.50 EUR\n",
        expected={"purchase_order": "2525", "currency": "EUR", "total": "35", "quantities": ["10"]},
    ),
    Case(
        "Swiss apostrophes",
        subject="Bestellung Nr. 2626",
        country="CH",
        text="Guten Tag,\n2 x AB-100 Maschine à CHF 1'250.50\nTotal: CHF 2'501.00\nLieferadresse: Bahnhofstrasse 1, 8001 Zürich\n"
        "Zahlungsbedingungen: 30 Tage\nFreundliche Grüsse\n",
        expected={
            "purchase_order": "2626",
            "lines": [("AB-100", "2", "1250.5")],
            "total": "2501",
            "currency": "CHF",
            "delivery": ("Bahnhofstrasse 1", "8001", "Zürich", "CH"),
            "terms": "30 Tage",
        },
    ),
    Case(
        "a wish in prose",
        subject="PO 2727",
        text="Hello,\nPO number: 2727\n10 x AB-100 @ 3.50 EUR\nPlease do not deliver before noon, the gate is closed.\nThanks\nAda\n",
        expected={"purchase_order": "2727", "lines": [("AB-100", "10", "3.5")], "currency": "EUR"},
    ),
    Case(
        "numbered lines",
        subject="PO 2828",
        text="PO number: 2828\n1. 10 x AB-100 Blue lamp @ 3.50 EUR\n2. 5 x CD-200 Screws @ 2.00 EUR\n",
        expected={
            "purchase_order": "2828",
            "lines": [("AB-100", "10", "3.5"), ("CD-200", "5", "2")],
            "total": "45",
            "currency": "EUR",
        },
    ),
    Case(
        "billing beside delivery",
        subject="PO 2929",
        text="PO number: 2929\n10 x AB-100 @ 3.50 EUR\n\nBill to:\nExample Ltd\n4 Mill Lane\nLondon SW1A 1AA\nUnited Kingdom\n\n"
        "Ship to:\nExample GmbH\nHauptstr. 5\n10115 Berlin\nGermany\n\nTerms: net 30\n",
        expected={
            "purchase_order": "2929",
            "lines": [("AB-100", "10", "3.5")],
            "billing": LONDON,
            "delivery": BERLIN,
            "terms": "net 30",
        },
    ),
    Case(
        "French with lines by code",
        subject="Bon de commande n° 3030",
        country="FR",
        text="Bonjour,\n\nRéférence   Désignation   Quantité   Prix unitaire HT\nAB-100      Lampe         1 200      3,50 €\n"
        "CD-200      Vis           10         12,00 €\n\nLivraison : 12 rue des Lilas, 75011 Paris\nRèglement : 45 jours\nMerci\n",
        expected={
            "purchase_order": "3030",
            "lines": [("AB-100", "1200", "3.5"), ("CD-200", "10", "12")],
            "delivery": PARIS,
            "terms": "45 jours",
            "total": "4320",
            "currency": "EUR",
        },
    ),
    Case(
        "Spanish table with semicolons",
        subject="Orden de compra OC-31",
        country="ES",
        text="Hola,\n\nReferencia;Cantidad;Precio\nAB-100;10;3,50 €\nCD-200;2;12,00 €\n\nEntregar en: Calle Mayor 3, 28013 Madrid\n"
        "Pago: 60 días\nGracias\n",
        expected={
            "purchase_order": "OC-31",
            "lines": [("AB-100", "10", "3.5"), ("CD-200", "2", "12")],
            "delivery": MADRID,
            "terms": "60 días",
            "total": "59",
            "currency": "EUR",
        },
    ),
)
