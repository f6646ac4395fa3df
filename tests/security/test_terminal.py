"""What an order says never steers the terminal of whoever reads it: no escape sequence, no bell, no turned words."""

import json
import unicodedata
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from orderack.cli.main import run
from tests.cli.test_source_try import shop
from tests.workflows.orders import an_order

__all__ = ["shop"]

STEERING = "\x1b]0;owned\x07\x1b[2J\x9b31m\x7f\r\u202egpj.exe\u2066\u200b[bold red]"
"""Sets the title, clears the screen, colours by a C1 byte, turns what follows round, and is markup of our tables."""
UNSEEN = "\u200b\u00ad\ufeff[bold red]\U000e0001"
"""What an order may hold: nobody sees it."""


def steers(text: str) -> set[str]:
    """The characters of these kinds: controls but the line's end and the tab, and what is not seen but acts."""
    return {c for c in text if unicodedata.category(c) in ("Cc", "Cf") and c not in "\n\t"}


def hostile(text: str) -> dict[str, object]:
    """A sound order whose texts are all this one."""
    order = an_order("A-1", datetime.now(UTC)).model_dump(mode="json")
    texts: Mapping[str, object] = {
        "customer": {"id": text, "name": text},
        "instructions": text,
        "purchase_order": text,
        "external_ids": [{"system": text, "id": text}],
        "delivery_address": order["delivery_address"] | {"name": text, "street": text, "city": text},
        "payment": {"status": "confirmed", "terms": text, "method": text},
    }
    lines = [line | {"sku": text, "description": text, "instructions": text} for line in order["lines"]]
    return order | texts | {"lines": lines}


def test_explaining_a_hostile_order_prints_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "order.json"
    file.write_text(json.dumps(hostile(UNSEEN)))
    for more in ((), ("--json",)):
        assert run(["policy", "explain", str(file), *more]) == 0
        said = capsys.readouterr()
        assert "A-1" in said.out
        assert steers(said.out + said.err) == set()


@pytest.mark.parametrize("command", [("submit",), ("policy", "explain"), ("source", "try", "demo/form")], ids=" ".join)
@pytest.mark.parametrize("key", [STEERING, "currency"])
def test_what_is_wrong_with_a_hostile_file_is_said_in_words(
    command: tuple[str, ...], key: str, shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = shop / "order.json"
    file.write_text(json.dumps(hostile(STEERING) | {key: STEERING}))
    for more in ((), ("--json",)):
        assert run([*command, str(file), *more]) in (1, 2)
        said = capsys.readouterr()
        assert said.out + said.err
        assert steers(said.out + said.err) == set()


def test_a_hostile_mail_is_shown_in_words(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    body = f"Hello, please send 3 x WT-2 at 9.90 EUR to\nAda {STEERING}\nMusterweg 1{STEERING}\n10115 Berlin\n"
    mail = shop / "order.eml"
    mail.write_bytes(
        b"From: Ada <ada@example.com>\nTo: orders@shop.example\nSubject: Order \x1b[2J\nMessage-ID: <1@example.com>\n"
        b"Date: Sat, 21 Nov 2026 09:00:00 +0000\nContent-Type: text/plain; charset=utf-8\n\n" + body.encode()
    )
    for more in ((), ("--json",)):
        run(["source", "try", "demo/imap", str(mail), *more])
        said = capsys.readouterr()
        assert said.out
        assert steers(said.out + said.err) == set()


@pytest.mark.parametrize(
    "arguments",
    [
        ("status", f"demo/{STEERING}"),
        (f"demo{STEERING}",),
        ("status", STEERING, STEERING),
        ("find", f"--{STEERING}"),
        ("source", "try", STEERING, STEERING),
        ("channel", "doctor", STEERING),
        ("policy", "explain", STEERING),
        ("evidence", "verify", STEERING),
    ],
    ids=lambda arguments: arguments[0].encode("unicode_escape").decode()[:12],
)
def test_a_wrong_call_is_answered_in_words(
    arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", "127.0.0.1:9")
    monkeypatch.setenv("ORDERACK_HOME", str(tmp_path))
    for more in ((), ("--json",)):
        assert run([*arguments, *more]) != 0
        said = capsys.readouterr()
        assert steers(said.out + said.err) == set()
