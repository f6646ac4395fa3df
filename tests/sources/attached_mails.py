"""Orders in a table, or in what is attached: CSV, XLSX, PDF."""

# ruff: noqa: E501 (a mail's lines are as long as they are)

from datetime import date

from tests.sources.mails import BERLIN, Case, pdf_of, xlsx_of

ATTACHED: tuple[Case, ...] = (
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
)
