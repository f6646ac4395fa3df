"""A form as mail services post it: `multipart/form-data` with files, or `application/x-www-form-urlencoded`."""

import re
from collections.abc import Mapping
from email.message import Message
from urllib.parse import parse_qsl

from orderack.domain.value import Value
from orderack.ports import RawRequest
from orderack.sources._mail_parts import Attachment, decoded, text_of

MOST_FIELDS = 200
_BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,./:=? -]{1,70}")


class Form(Value):
    """The fields and files of a request; of several of one name the first field stands."""

    fields: Mapping[str, str] = {}
    files: Mapping[str, Attachment] = {}
    """By field name."""

    def field(self, name: str) -> str:
        """Empty where there is none."""
        return self.fields.get(name, "")


def read_form(request: RawRequest) -> Form:
    """The form in a request. One that is none has no fields."""
    head = Message()
    head["Content-Type"] = request.headers.get("content-type", "")[:1_000]
    if head.get_content_type() == "application/x-www-form-urlencoded":
        try:
            pairs = parse_qsl(text_of(request.body), keep_blank_values=True, max_num_fields=MOST_FIELDS)
        except ValueError:
            return Form()
        return Form(fields=dict(reversed(pairs)))
    boundary = head.get_param("boundary")
    if not isinstance(boundary, str) or not _BOUNDARY.fullmatch(boundary):
        return Form()
    return _parts(request.body, b"--" + boundary.encode())


def _parts(body: bytes, mark: bytes) -> Form:
    fields: dict[str, str] = {}
    files: dict[str, Attachment] = {}
    for part in (b"\r\n" + body).split(b"\r\n" + mark)[1 : MOST_FIELDS + 1]:
        if part.startswith(b"--"):
            break
        headers, _, content = part.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        head = _head(headers)
        name, filename = _parameter(head, "name"), _parameter(head, "filename")
        if name and filename is not None:
            files.setdefault(name, Attachment(name=filename[:200], kind=head.get_content_type(), data=content))
        elif name:
            fields.setdefault(name, text_of(content, head.get_content_charset() or "utf-8"))
    return Form(fields=fields, files=files)


def _head(headers: bytes) -> Message:
    head = Message()
    for line in headers[:4_000].split(b"\r\n"):
        name, _, value = text_of(line).partition(":")
        if name.strip().lower() in ("content-disposition", "content-type") and name.strip() not in head:
            head[name.strip()] = " ".join(value.split())
    return head


def _parameter(head: Message, name: str) -> str | None:
    found = head.get_param(name, header="content-disposition")
    if isinstance(found, tuple):
        charset, _, value = found
        return text_of(value.encode("latin-1", "replace"), charset or "utf-8")
    return decoded(found) if isinstance(found, str) else None
