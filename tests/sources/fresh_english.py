"""Those of the fresh mails that are in English (`tests.sources.fresh_mails`)."""

from dataclasses import dataclass

from tests.sources.mails import BERLIN, LONDON, SPRINGFIELD, Case, xlsx_of


@dataclass(frozen=True)
class Fresh(Case):
    """With the language that it is written in."""

    tongue: str = "en"


ENGLISH: tuple[Fresh, ...] = (
    Fresh(
        "a chatty order in two sentences",
        subject="order",
        country="GB",
        text="""Morning Jim,

as discussed can we get 40 off part no. AB-100 at £3.50 each and 12 of CD-200 at £1.20 each.
Our PO is 77821. Same terms as always.

Cheers
Ada

Ada Example
Purchasing
Example Ltd, 4 Mill Lane, London SW1A 1AA
T 020 7946 0000  M 07700 900123
""",
        expected={
            "purchase_order": "77821",
            "lines": [("AB-100", "40", "3.5"), ("CD-200", "12", "1.2")],
            "currency": "GBP",
            "language": "en",
        },
    ),
    Fresh(
        "passed on by a colleague, an HTML table alone",
        subject="FW: PO 2026-0815",
        country="US",
        html="""<html><body><p>Can you process this one? Thx, Ada</p>
<div><b>From:</b> Bob Example &lt;bob@example.org&gt;<br><b>Sent:</b> Friday, November 20, 2026 4:02 PM<br>
<b>To:</b> Ada Example<br><b>Subject:</b> PO 2026-0815</div>
<p>Hi Ada, please order:</p>
<table border=1><tr><th>Part #</th><th>Description</th><th>Qty</th><th>Unit Price</th><th>Ext. Price</th></tr>
<tr><td>AB-100</td><td>Blue lamp, 3 in</td><td>1,200</td><td>$3.50</td><td>$4,200.00</td></tr>
<tr><td>CD-200</td><td>Press</td><td>1</td><td>$1,250.00</td><td>$1,250.00</td></tr>
<tr><td colspan=4>Order Total</td><td>$5,450.00</td></tr></table>
<p>Ship To: 12 Main St, Springfield, IL 62701</p></body></html>""",
        expected={
            "purchase_order": "2026-0815",
            "lines": [("AB-100", "1200", "3.5"), ("CD-200", "1", "1250")],
            "delivery": SPRINGFIELD,
            "total": "5450",
            "currency": "USD",
        },
    ),
    Fresh(
        "a reply above an old order that has no marks",
        subject="RE: Order 8801",
        text="""Hi,

new one please:
PO 8844
15 x AB-100 @ 3.50 EUR
Ship to: Hauptstr. 5, 10115 Berlin, Germany

Thanks, Ada

-----Original Message-----
From: Shop <orders@shop.example>
Sent: Monday, 2 November 2026 09:12
To: Ada Example
Subject: Order 8801

Your order 8801:
99 x ZZ-900 @ 1.00 EUR
Total: 99.00 EUR
""",
        expected={
            "purchase_order": "8844",
            "lines": [("AB-100", "15", "3.5")],
            "delivery": BERLIN,
            "total": "52.5",
            "currency": "EUR",
        },
    ),
    Fresh(
        "an old order to be repeated",
        subject="Re: your order 8801",
        text="""Please send us the same again as below, PO 8890.

Ada

On Mon, 2 Nov 2026 at 09:12, Shop <orders@shop.example> wrote:
> Your order 8801:
> 99 x ZZ-900 @ 1.00 EUR
> Total: 99.00 EUR
""",
        expected={"purchase_order": "8890", "lines": []},
    ),
    Fresh(
        "an American day that may be two",
        subject="Purchase Order 55-1023",
        country="US",
        text="""PURCHASE ORDER

P.O. Number: 55-1023
Order Date: 11/20/2026
Required: 03/04/2027

Qty   Part        Description        Unit      Amount
4     AB-100      Blue lamp          $3.50     $14.00
2     CD-200      Screws             $12.00    $24.00

                                     Sub Total $38.00
                                     Tax       $3.04
                                     Freight   $10.00
                                     TOTAL     $51.04

Ship to:
Example Inc.
12 Main St
Springfield, IL 62701
Terms: Net 30
""",
        expected={
            "purchase_order": "55-1023",
            "lines": [("AB-100", "4", "3.5"), ("CD-200", "2", "12")],
            "delivery": SPRINGFIELD,
            "window": "2027-03-04T00:00",
            "terms": "Net 30",
            "tax": "3.04",
            "shipping": "10",
            "total": "51.04",
            "currency": "USD",
        },
    ),
    Fresh(
        "a workbook with a letterhead above its lines",
        subject="Our order",
        country="GB",
        text="Dear team,\n\nplease find our order enclosed.\n\nKind regards\nAda Example\n",
        files={
            "PO_3391.xlsx": xlsx_of(
                [
                    ["Example Ltd"],
                    ["4 Mill Lane, London SW1A 1AA"],
                    [],
                    ["Purchase Order", None, "No.", "3391"],
                    ["Date", None, "20/11/2026"],
                    ["Delivery Address", "Example Ltd, 4 Mill Lane, London SW1A 1AA"],
                    [],
                    ["Line", "Item Code", "Item", "Order Qty", "UoM", "Price GBP", "Line Value"],
                    [1, "AB-100", "Blue lamp", 12, "ea", 3.5, 42],
                    [2, "CD-200", "Screws", 1000, "ea", 0.012, 12],
                    [],
                    [None, None, None, None, None, "Net", 54],
                    [None, None, None, None, None, "VAT 20%", 10.8],
                    [None, None, None, None, None, "Grand Total", 64.8],
                    ["Payment Terms", "30 days EOM"],
                ]
            )
        },
        expected={
            "purchase_order": "3391",
            "lines": [("AB-100", "12", "3.5"), ("CD-200", "1000", "0.012")],
            "delivery": LONDON,
            "terms": "30 days EOM",
            "tax": "10.8",
            "total": "64.8",
            "currency": "GBP",
        },
    ),
    Fresh(
        "an attachment that says something else",
        subject="PO 6100",
        text="Hello,\n\nPO number: 6100\nplease send 10 x AB-100 @ 3.50 EUR, the details are in the file.\n\nAda\n",
        files={"order.csv": b"item,qty,unit price\nAB-100,12,3.50\n"},
        expected={"purchase_order": "6100", "lines": [("AB-100", None, "3.5")]},
    ),
    Fresh(
        "an order beside a price list",
        subject="PO 6200",
        text="Hello,\n\nour order and, for your reference, the price list it is based on.\n\nAda\n",
        files={
            "order.csv": b"item,qty,unit price,currency\nAB-100,12,3.50,EUR\n",
            "pricelist.csv": b"item,description,price\nAB-100,Blue lamp,3.50\nCD-200,Screws,12.00\nEF-300,Nails,4.00\n",
        },
        expected={"purchase_order": "6200", "lines": [("AB-100", "12", "3.5")], "currency": "EUR"},
    ),
    Fresh(
        "a change of an earlier order",
        subject="Change to PO 5521",
        text="Hi,\n\nplease change PO 5521: instead of 10 x AB-100 @ 3.50 EUR we need 15 x AB-100 @ 3.50 EUR.\n\nAda\n",
        expected={"purchase_order": "5521", "lines": [("AB-100", None, "3.5")]},
    ),
    Fresh(
        "a cancellation",
        subject="PO 5522",
        text="Hi,\n\nplease cancel PO 5522:\n10 x AB-100 @ 3.50 EUR\n\nSorry\nAda\n",
        expected={"purchase_order": "5522", "lines": []},
    ),
    Fresh(
        "a question for prices",
        subject="Request for quotation",
        text="Hi,\n\nwhat would you charge for\n100 x AB-100\n50 x CD-200\n\nBest\nAda\n",
        expected={"lines": []},
    ),
    Fresh(
        "dozens",
        subject="PO 5601",
        country="US",
        text="PO 5601\n5 dozen AB-100 @ $3.50\n2 gross CD-200 @ $0.10\n",
        expected={"purchase_order": "5601", "lines": [("AB-100", None, "3.5"), ("CD-200", None, "0.1")]},
    ),
)
