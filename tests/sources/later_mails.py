"""Invented mails that were written after the first fresh ones had been mended for, and measured once more before any
change: what they showed then stands in docs/sources/email.md."""

# ruff: noqa: E501 (a mail's lines are as long as they are)

from tests.sources.fresh_mails import Fresh
from tests.sources.mails import BERLIN, MADRID, PARIS, SPRINGFIELD, pdf_of, xlsx_of

LATER: tuple[Fresh, ...] = (
    Fresh(
        "a web shop's form by mail",
        subject="New wholesale order form submission",
        country="US",
        text="""Company: Example Inc.
Your name: Ada Example
E-mail: ada@example.com
Phone: (217) 555-0142
PO #: W-3301

Product 1: AB-100 - Blue lamp
Quantity 1: 24
Product 2: CD-200 - Screws
Quantity 2: 500

Address: 12 Main St
City: Springfield
State: IL
ZIP: 62701
Comments: dock closes at 3 pm
""",
        expected={
            "purchase_order": "W-3301",
            "lines": [("AB-100", "24", None), ("CD-200", "500", None)],
            "delivery": SPRINGFIELD,
        },
    ),
    Fresh(
        "quantities behind, sums in the middle",
        subject="PO-2026-118",
        text="""Hello team,

PO-2026-118

AB-100   Blue lamp        EUR 3.50    x 40    EUR 140.00
CD-200   Screws (box 100) EUR 12.00   x 3     EUR 36.00

Goods      EUR 176.00
Freight    EUR 9.00
Order total EUR 185.00

Deliver to: Hauptstr. 5, 10115 Berlin, Germany
Terms: 14 days net

Regards
Ada
""",
        expected={
            "purchase_order": "PO-2026-118",
            "lines": [("AB-100", "40", "3.5"), ("CD-200", "3", "12")],
            "delivery": BERLIN,
            "shipping": "9",
            "terms": "14 days net",
            "total": "185",
            "currency": "EUR",
        },
    ),
    Fresh(
        "a workbook with a missing description",
        subject="PO 7710",
        text="Order attached.\n",
        files={
            "po.xlsx": xlsx_of(
                [
                    ["PO", "7710"],
                    ["Item", "Description", "Qty", "Pack", "Unit Price", "Disc %", "Total", "Currency"],
                    ["AB-100", None, 10, 1, 3.5, None, 35, "EUR"],
                    ["CD-200", "Screws", 4, 100, 12, 10, 43.2, "EUR"],
                ]
            )
        },
        expected={
            "purchase_order": "7710",
            "lines": [("AB-100", "10", "3.5"), ("CD-200", "4", "10.8")],
            "total": "78.2",
            "currency": "EUR",
        },
    ),
    Fresh(
        "two orders in one mail",
        subject="orders",
        text="Hi,\n\nPO 9001\n10 x AB-100 @ 3.50 EUR\n\nPO 9002\n5 x CD-200 @ 12.00 EUR\n\nThanks\nAda\n",
        expected={"purchase_order": None, "lines": [("AB-100", None, "3.5"), ("CD-200", None, "12")]},
    ),
    Fresh(
        "partial deliveries of one line",
        subject="PO 9100",
        text="PO number: 9100\n60 x AB-100 @ 3.50 EUR, 20 on 1 December, 20 on 8 December, 20 on 15 December\nShip to: Hauptstr. 5, 10115 Berlin, Germany\n",
        expected={"purchase_order": "9100", "lines": [("AB-100", "60", "3.5")], "delivery": BERLIN, "window": None},
    ),
    Fresh(
        "Abruf aus Rahmenvertrag",
        subject="Abruf 12 zu Rahmenvertrag 4600001234",
        tongue="de",
        text="""Guten Morgen,

hiermit rufen wir aus dem Rahmenvertrag 4600001234 ab:

Material AB-100, Menge 250 ST, Preis 3,50 EUR/ST
Material CD-200, Menge 1.000 ST, Preis 12,00 EUR/100 ST

Abrufnummer: 12
Anlieferung: Hauptstr. 5, 10115 Berlin, Tor 3
Wunschtermin: 14.12.26

MfG
Ada Beispiel
""",
        expected={
            "lines": [("AB-100", "250", "3.5"), ("CD-200", "1000", "0.12")],
            "delivery": BERLIN,
            "window": "2026-12-14T00:00",
            "currency": "EUR",
            "language": "de",
        },
    ),
    Fresh(
        "un PDF avec un port",
        subject="Commande",
        tongue="fr",
        country="FR",
        text="Bonjour,\nVeuillez trouver ci-joint notre commande.\nCordialement\n",
        files={
            "BC.pdf": pdf_of(
                [
                    "BON DE COMMANDE                         N° BC-2026-55",
                    "Date : 20/11/2026",
                    "",
                    "Référence    Désignation            Qté     PU HT      Total HT",
                    "AB-100       Lampe bleue             10      3,50         35,00",
                    "CD-200       Vis inox                 2     12,00         24,00",
                    "",
                    "                                  Total HT               59,00 €",
                    "                                  Frais de port           6,00 €",
                    "                                  TVA 20 %               13,00 €",
                    "                                  Total TTC              78,00 €",
                    "",
                    "Livraison : 12 rue des Lilas, 75011 Paris",
                    "Règlement : virement 30 jours fin de mois",
                ]
            )
        },
        expected={
            "purchase_order": "BC-2026-55",
            "lines": [("AB-100", "10", "3.5"), ("CD-200", "2", "12")],
            "delivery": PARIS,
            "shipping": "6",
            "tax": "13",
            "total": "78",
            "terms": "virement 30 jours fin de mois",
            "currency": "EUR",
        },
    ),
    Fresh(
        "confirmación de un pedido anterior",
        subject="RE: Oferta 991",
        tongue="es",
        country="ES",
        text="""Hola,

Aceptamos su oferta 991. Pedido nº 4471:
- AB-100: 10 uds x 3,50 € = 35,00 €
- CD-200: 2 cajas x 12,00 € = 24,00 €
Total: 59,00 €
Dirección de entrega: Calle Mayor 3, 28013 Madrid

Saludos
Ada

El vie, 20 nov 2026 a las 10:00, Tienda <orders@shop.example> escribió:
> AB-100: 20 uds x 3,40 € = 68,00 €
""",
        expected={
            "purchase_order": "4471",
            "lines": [("AB-100", "10", "3.5"), ("CD-200", "2", "12")],
            "delivery": MADRID,
            "total": "59",
            "currency": "EUR",
            "language": "es",
        },
    ),
    Fresh(
        "un ordine in due righe",
        subject="Ordine urgente",
        tongue="it",
        country="IT",
        text="Buongiorno,\nordiniamo n. 15 pezzi cod. AB-100 a 3,50 euro cad. e n. 4 pezzi cod. CD-200.\nOrdine n. 88/A. Consegna domani.\nGrazie\nAda\n",
        expected={
            "purchase_order": "88/A",
            "lines": [("AB-100", "15", "3.5"), ("CD-200", "4", None)],
            "currency": "EUR",
            "language": "it",
        },
    ),
    Fresh(
        "een tabel van de hand",
        subject="order 5540",
        tongue="nl",
        country="NL",
        text="Hoi,\n\nGraag voor order 5540:\n\nartikel   aantal   prijs\nAB-100    10       3,50\nCD-200             12,00\nEF-300    3        4,00\n\nBedankt,\nAda\n",
        expected={"purchase_order": "5540", "lines": [("AB-100", "10", "3.5"), ("EF-300", "3", "4")], "language": "nl"},
    ),
)
