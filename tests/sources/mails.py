"""Invented mails of invented people, each with what a careful person reads in it. Written by hand, and varied."""

# ruff: noqa: E501 (a mail's lines are as long as they are)

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from email.message import EmailMessage
from email.policy import SMTP
from hashlib import sha256

import openpyxl

ARRIVED = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
Rows = Sequence[Sequence[object]]


@dataclass(frozen=True)
class Case:
    """A mail, and its fields as a person reads them: order number, lines as (sku, quantity, price) …"""

    name: str
    text: str = ""
    html: str = ""
    subject: str = "Order"
    files: Mapping[str, bytes] = field(default_factory=dict)
    country: str = "DE"
    sender: str = "Ada Example <ada@example.com>"
    expected: Mapping[str, object] = field(default_factory=dict)


def mail_of(case: Case, **headers: str) -> bytes:
    """The mail as a server would have it."""
    mail = EmailMessage(policy=SMTP)
    mail["Authentication-Results"] = "mx.shop.example; dmarc=pass header.from=example.com"
    mail["From"], mail["To"], mail["Subject"] = case.sender, "orders@shop.example", case.subject
    mail["Date"], mail["Message-ID"] = (
        "Sat, 21 Nov 2026 10:00:00 +0100",
        f"<{sha256(case.name.encode()).hexdigest()[:16]}@example.com>",
    )
    for name, value in headers.items():
        mail[name.replace("_", "-")] = value
    mail.set_content(case.text or " ")
    if case.html:
        mail.add_alternative(case.html, subtype="html")
    for name, data in case.files.items():
        mail.add_attachment(data, maintype="application", subtype="octet-stream", filename=name)
    return mail.as_bytes()


def xlsx_of(rows: Rows, title: str = "Order") -> bytes:
    """A workbook of one sheet."""
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = title
    for row in rows:
        sheet.append(list(row))
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def pdf_of(lines: Sequence[str]) -> bytes:
    """A PDF of one page in a typewriter's letters, so that columns stand below each other."""
    drawn = (
        b"BT /F1 10 Tf 40 800 Td 12 TL\n"
        + b"".join(
            b"("
            + line.encode("cp1252").replace(b"\\", b"\\\\").replace(b"(", b"\\(").replace(b")", b"\\)")
            + b") Tj T*\n"
            for line in lines
        )
        + b"ET"
    )
    parts = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< /Length " + str(len(drawn)).encode() + b" >>\nstream\n" + drawn + b"\nendstream",
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Courier /Encoding /WinAnsiEncoding >>",
    ]
    out, places = b"%PDF-1.4\n", []
    for number, part in enumerate(parts, 1):
        places.append(len(out))
        out += f"{number} 0 obj\n".encode() + part + b"\nendobj\n"
    start = len(out)
    out += b"xref\n0 6\n0000000000 65535 f \n" + b"".join(f"{place:010d} 00000 n \n".encode() for place in places)
    return out + b"trailer << /Size 6 /Root 1 0 R >>\nstartxref\n" + str(start).encode() + b"\n%%EOF\n"


BERLIN = ("Hauptstr. 5", "10115", "Berlin", "DE")
PARIS = ("12 rue des Lilas", "75011", "Paris", "FR")
MADRID = ("Calle Mayor 3", "28013", "Madrid", "ES")
SPRINGFIELD = ("12 Main St", "62701", "Springfield", "US")
LONDON = ("4 Mill Lane", "SW1A 1AA", "London", "GB")

CASES: tuple[Case, ...] = (
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
    Case(
        "an HTML table alone",
        subject="PO 901",
        html="""<html><body><p>Hello,</p><p>please supply:</p>
<table><tr><th>Item</th><th>Description</th><th>Qty</th><th>Price</th></tr>
<tr><td>AB-100</td><td>Blue lamp</td><td>10</td><td>3.50 EUR</td></tr>
<tr><td>CD-200</td><td>Screws</td><td>2</td><td>12.00 EUR</td></tr></table>
<p>Deliver to:<br>Example GmbH<br>Hauptstr. 5<br>10115 Berlin<br>Germany</p>
<p>Payment terms: net 30</p><p>Best regards<br>Ada</p></body></html>""",
        expected={
            "purchase_order": "901",
            "lines": [("AB-100", "10", "3.5"), ("CD-200", "2", "12")],
            "delivery": BERLIN,
            "terms": "net 30",
            "total": "59",
            "currency": "EUR",
        },
    ),
    Case(
        "an HTML table beside a garbled text",
        subject="Bestellung Nr. 4455",
        text="Guten Tag,\nArtikelnummer\nMenge\nPreis\nAB-100\n10\n3,50 EUR\nMit freundlichen Grüßen\nAda\n",
        html="""<p>Guten Tag,</p><table><tr><td>Artikelnummer</td><td>Menge</td><td>Preis</td></tr>
<tr><td>AB-100</td><td>10</td><td>3,50 EUR</td></tr></table><p>Lieferadresse: Hauptstr. 5, 10115 Berlin</p>
<p>Zahlungsbedingungen: 14 Tage netto</p><p>Mit freundlichen Grüßen<br>Ada</p>""",
        expected={"purchase_order": "4455", "lines": [("AB-100", "10", "3.5")], "total": "35", "currency": "EUR"},
    ),
    Case(
        "CSV with semicolons and decimal commas",
        subject="Bestellung",
        text="Guten Tag,\n\nanbei unsere Bestellung.\n\nBestellnummer: 77100\nLieferadresse: Hauptstr. 5, 10115 Berlin\n"
        "Zahlungsbedingungen: 30 Tage netto\n\nMit freundlichen Grüßen\nAda\n",
        files={
            "bestellung.csv": "Artikelnummer;Bezeichnung;Menge;Preis EUR\nAB-100;Lampe, blau;10;3,50\nCD-200;Schrauben;1.200;0,05\n".encode(
                "cp1252"
            )
        },
        expected={
            "purchase_order": "77100",
            "lines": [("AB-100", "10", "3.5"), ("CD-200", "1200", "0.05")],
            "delivery": BERLIN,
            "terms": "30 Tage netto",
            "total": "95",
            "language": "de",
        },
    ),
    Case(
        "CSV with commas and quotes",
        subject="PO 62000",
        text="Please find our order attached. Currency: USD\n",
        country="US",
        files={
            "order.csv": b'sku,description,quantity,unit price,line total\r\nAB-100,"Lamp, blue",10,3.50,35.00\r\n'
            b'CD-200,Screws,"1,200",0.05,60.00\r\n'
        },
        expected={
            "purchase_order": "62000",
            "lines": [("AB-100", "10", "3.5"), ("CD-200", "1200", "0.05")],
            "total": "95",
        },
    ),
    Case(
        "CSV with tabs in UTF-16",
        subject="PO 62001",
        text="Order attached.\n",
        files={"order.csv": "Item\tQty\tPrice\nAB-100\t10\t3.50 EUR\nCD-200\t2\t12.00 EUR\n".encode("utf-16")},
        expected={"purchase_order": "62001", "lines": [("AB-100", "10", "3.5"), ("CD-200", "2", "12")], "total": "59"},
    ),
    Case(
        "CSV without a header",
        subject="PO 62002",
        text="Order attached.\n",
        files={"order.csv": b"AB-100,Blue lamp,10,3.50\nCD-200,Screws,2,12.00\n"},
        expected={"purchase_order": "62002", "lines": [("AB-100", "10", "3.5"), ("CD-200", "2", "12")]},
    ),
    Case(
        "XLSX with a form above the lines",
        subject="Purchase order",
        text="Hello,\nplease find attached our order.\nKind regards\nAda\n",
        files={
            "order.xlsx": xlsx_of(
                [
                    ["PO Number", "X-3001"],
                    ["Ship to", "Example GmbH, Hauptstr. 5, 10115 Berlin, Germany"],
                    ["Payment terms", "net 30"],
                    ["Currency", "EUR"],
                    [],
                    ["Item", "Description", "Quantity", "Unit price", "Amount"],
                    ["AB-100", "Blue lamp", 10, 3.5, 35],
                    ["CD-200", "Screws", 2, 12, 24],
                    ["", "", "", "Total", 59],
                ]
            )
        },
        expected={
            "purchase_order": "X-3001",
            "lines": [("AB-100", "10", "3.5"), ("CD-200", "2", "12")],
            "delivery": BERLIN,
            "terms": "net 30",
            "total": "59",
            "currency": "EUR",
        },
    ),
    Case(
        "XLSX with numbers as text and a day",
        subject="Bestellung Nr. 3002",
        text="Anbei unsere Bestellung.\nLieferadresse: Hauptstr. 5, 10115 Berlin\n",
        files={
            "b.xlsx": xlsx_of(
                [
                    ["Liefertermin", date(2026, 12, 1)],
                    ["Artikel-Nr.", "Menge", "Preis (EUR)"],
                    ["AB-100", "10", "3,50"],
                ]
            )
        },
        expected={
            "purchase_order": "3002",
            "lines": [("AB-100", "10", "3.5")],
            "delivery": BERLIN,
            "window": "2026-12-01T00:00",
        },
    ),
    Case(
        "PDF with columns",
        subject="Our order",
        text="Dear team,\nplease find our purchase order attached.\nBest regards\nAda\n",
        files={
            "po.pdf": pdf_of(
                [
                    "PURCHASE ORDER",
                    "",
                    "PO Number: PDF-71",
                    "Payment terms: net 30",
                    "Delivery date: 2026-12-01",
                    "Ship to: Example GmbH, Hauptstr. 5, 10115 Berlin, Germany",
                    "",
                    "Item        Description       Qty      Unit price    Amount",
                    "AB-100      Blue lamp          10      3.50          35.00",
                    "CD-200      Screws              2      12.00         24.00",
                    "",
                    "Total: 59.00 EUR",
                ]
            )
        },
        expected={
            "purchase_order": "PDF-71",
            "lines": [("AB-100", "10", "3.5"), ("CD-200", "2", "12")],
            "delivery": BERLIN,
            "window": "2026-12-01T00:00",
            "terms": "net 30",
            "total": "59",
            "currency": "EUR",
        },
    ),
    Case(
        "PDF in German",
        subject="Bestellung",
        text="Sehr geehrte Damen und Herren,\nanbei unsere Bestellung.\nMit freundlichen Grüßen\nAda\n",
        files={
            "bestellung.pdf": pdf_of(
                [
                    "Bestellnummer: 4500999",
                    "Lieferadresse: Hauptstr. 5, 10115 Berlin",
                    "Zahlungsbedingungen: 14 Tage netto",
                    "",
                    "Pos   Artikelnummer   Bezeichnung       Menge     Einzelpreis   Gesamtpreis",
                    "1     AB-100          Lampe blau        10        3,50          35,00",
                    "2     CD-200          Schrauben         1.000     0,05          50,00",
                    "",
                    "Gesamtsumme: 85,00 EUR",
                ]
            )
        },
        expected={
            "purchase_order": "4500999",
            "lines": [("AB-100", "10", "3.5"), ("CD-200", "1000", "0.05")],
            "delivery": BERLIN,
            "terms": "14 Tage netto",
            "total": "85",
            "currency": "EUR",
        },
    ),
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
