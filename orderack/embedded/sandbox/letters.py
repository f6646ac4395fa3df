"""A buyer's order as a mail, and the forms in which mail services post one to us."""

import hashlib
import hmac
import json
import secrets
from collections.abc import Iterable, Mapping, Sequence
from email.message import EmailMessage
from email.policy import SMTP
from typing import NamedTuple

from orderack.domain.order import Address, Order

TO = "orders@shop.example"
BOUNDARY = "xYzZY"


class File(NamedTuple):
    """A file in a form."""

    name: str
    kind: str
    data: bytes


def letter(order: Order, count: int, *, table: bool = False) -> EmailMessage:
    """The order as a buyer would write it; the `count`th mail of his. `table`: its lines are an attached CSV."""
    mail = EmailMessage(policy=SMTP)
    sender = order.contacts.email or "buyer@example.com"
    domain = sender.rpartition("@")[2]
    mail["From"] = f"{order.customer.name or 'Ada Example'} <{sender}>"
    mail["To"], mail["Subject"] = TO, f"Purchase order {order.purchase_order or order.number}"
    mail["Message-ID"] = f"<{order.number}.{count}@{domain}>"
    lines = [] if table else [_line(line.sku, order, place) for place, line in enumerate(order.lines)]
    mail.set_content("\n".join(["Hello,", "", *_head(order), *lines, "", *_foot(order), "", "Best regards"]) + "\n")
    if table:
        rows = [f'{one.sku},"{one.description}",{one.quantity:f},{one.unit_price:f}' for one in order.lines]
        data = "\r\n".join(["item,description,quantity,unit price", *rows]).encode()
        mail.add_attachment(data, maintype="text", subtype="csv", filename="order.csv")
    return mail


def _line(sku: str, order: Order, place: int) -> str:
    line = order.lines[place]
    return f"{line.quantity:f} x {sku} {line.description} @ {line.unit_price:f} {order.currency}"


def _head(order: Order) -> list[str]:
    known = [f"Customer no: {order.customer.id}"] if order.customer.id else []
    phone = [f"Phone: {order.contacts.phone}"] if order.contacts.phone else []
    return [f"PO number: {order.purchase_order or order.number}", *known, *phone, ""]


def _foot(order: Order) -> list[str]:
    out = ["Deliver to:", *_lines_of(order.delivery_address), ""] if order.delivery_address else []
    if order.pickup is not None:
        out += [f"Pickup: {order.pickup.location}", ""]
    if order.delivery_window is not None:
        start, end = order.delivery_window.start, order.delivery_window.end
        out.append(f"Delivery date: {start:%Y-%m-%d}, {start:%H:%M}-{end:%H:%M}")
    out += [f"Payment terms: {order.payment.terms}"] if order.payment.terms else []
    amounts = {"Discount": order.totals.discount, "Shipping": order.totals.shipping, "Tax": order.totals.tax}
    out += [f"{name}: {amount:f} {order.currency}" for name, amount in amounts.items() if amount]
    out.append(f"Total: {order.totals.total:f} {order.currency}")
    return [*out, *([f"Notes: {order.instructions}"] if order.instructions else [])]


def _lines_of(address: Address) -> Iterable[str]:
    town = f"{address.postal_code or ''} {address.city}".strip()
    return filter(None, (address.company or address.name, address.street, address.street2, town, address.country))


def sendgrid_form(mail: EmailMessage) -> bytes:
    """The post of SendGrid's Inbound Parse that carries the raw mail."""
    sender = mail["From"].addresses[0]
    fields = {
        "headers": "\n".join(f"{name}: {value}" for name, value in mail.items()),
        "dkim": f"{{@{sender.domain} : pass}}",
        "to": TO,
        "from": str(mail["From"]),
        "subject": str(mail["Subject"]),
        "SPF": "pass",
        "envelope": json.dumps({"to": [TO], "from": sender.addr_spec}),
        "email": mail.as_string(),
        "sender_ip": "127.0.0.1",
        "charsets": json.dumps({"to": "UTF-8", "from": "UTF-8", "subject": "UTF-8"}),
    }
    return multipart(fields, {})


def mailgun_form(mail: EmailMessage, signing_key: str, timestamp: int) -> bytes:
    """The post of a Mailgun route that takes the mail apart."""
    sender, token = mail["From"].addresses[0], secrets.token_hex(25)
    signed = hmac.new(signing_key.encode(), msg=f"{timestamp}{token}".encode(), digestmod=hashlib.sha256)
    files = [
        File(part.get_filename() or "file", part.get_content_type(), str(part.get_content()).encode())
        for part in mail.iter_attachments()
    ]
    body = mail.get_body(("plain",))
    text = body.get_content() if body is not None else ""
    headers = [["X-Mailgun-Incoming", "Yes"], ["X-Mailgun-Spf", "Pass"], *([name, str(v)] for name, v in mail.items())]
    fields = {
        "recipient": TO,
        "sender": sender.addr_spec,
        "from": str(mail["From"]),
        "subject": str(mail["Subject"]),
        "body-plain": text,
        "stripped-text": text,
        "Message-Id": str(mail["Message-ID"]),
        "message-headers": json.dumps(headers),
        "attachment-count": str(len(files)),
        "timestamp": str(timestamp),
        "token": token,
        "signature": signed.hexdigest(),
    }
    return multipart(fields, {f"attachment-{place}": file for place, file in enumerate(files, 1)})


def multipart(fields: Mapping[str, str], files: Mapping[str, File]) -> bytes:
    """`multipart/form-data` with the boundary above."""
    parts: Sequence[tuple[str, bytes]] = [
        *((f'name="{name}"\r\n', value.encode()) for name, value in fields.items()),
        *(
            (f'name="{name}"; filename="{file.name}"\r\nContent-Type: {file.kind}\r\n', file.data)
            for name, file in files.items()
        ),
    ]
    out = [
        f"--{BOUNDARY}\r\nContent-Disposition: form-data; {head}\r\n".encode() + data + b"\r\n" for head, data in parts
    ]
    return b"".join([*out, f"--{BOUNDARY}--\r\n".encode()])
