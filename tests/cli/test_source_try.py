"""`orderack source try`: what becomes of a file, before it is anybody's order."""

import asyncio
import json
import shutil
from pathlib import Path

import pytest
import yaml

from orderack.cli.main import run
from tests.cli.conftest import ROOT
from tests.payloads import payload

MAIL = b"""From: Ada Example <ada@example.com>
To: orders@shop.example
Subject: Order
Message-ID: <1@example.com>
Date: Sat, 21 Nov 2026 09:00:00 +0000
Content-Type: text/plain; charset=utf-8

Hello, please send 3 x WT-2 at 9.90 EUR to
Ada Example
Musterweg 1
10115 Berlin
"""


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The policy with three connections, two of which have their settings."""
    folder = Path(shutil.copytree(ROOT / "policy", tmp_path / "policy"))
    file = folder / "policy.yaml"
    document = yaml.safe_load(file.read_text())
    rows = {"form": "portal", "shopify": "shop", "imap": "email", "ebay": "marketplace"}
    document["stores"]["demo"]["connections"] = {system: {"source": row} for system, row in rows.items()}
    file.write_text(yaml.safe_dump(document, sort_keys=False))
    monkeypatch.setenv("ORDERACK_POLICY_DIR", str(folder))
    for name, value in {
        "FORM_API_KEY": "k" * 32,
        "SHOPIFY_BASE_URL": "https://shop.myshopify.example",
        "SHOPIFY_CLIENT_ID": "id",
        "SHOPIFY_CLIENT_SECRET": "not-to-be-seen",
        "IMAP_HOST": "127.0.0.1",
        "IMAP_USER": "orders",
        "IMAP_PASSWORD": "not-to-be-seen",
        "IMAP_TLS": "false",
    }.items():
        monkeypatch.setenv(f"ORDERACK_SOURCE_DEMO_{name}", value)
    monkeypatch.chdir(tmp_path)
    return tmp_path


async def tried(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    code = await asyncio.to_thread(run, ("source", "try", *map(str, arguments)))
    out, err = capsys.readouterr()
    assert "not-to-be-seen" not in out + err
    assert "Traceback" not in out + err
    return code, out, err


async def test_a_vendors_order_is_shown_as_ours_with_what_it_comes_to(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = shop / "paid.json"
    file.write_bytes(payload("shopify/order_paid.json"))
    code, out, err = await tried(capsys, "demo/shopify", file, "-H", "X-Shopify-Topic: orders/paid", "--json")
    assert code == 0, err
    (found,) = json.loads(out)["found"]
    assert (found["means"], found["short"], found["order"]["store"]) == ("order", "", "demo")
    code, out, _ = await tried(capsys, "demo/shopify", file)
    assert code == 0
    assert "adds up" in out
    assert found["order"]["number"] in out


async def test_our_own_example_is_taken_by_a_form_and_one_with_a_wrong_field_names_it(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    example = shop / "order.json"
    example.write_text((ROOT / "docs" / "examples" / "order.json").read_text().replace("NOW", "2026-11-21T09:30:00Z"))
    code, out, _ = await tried(capsys, "demo/form", example, "--json")
    assert code == 0, out
    wrong = json.loads(example.read_text())
    wrong["lines"][0]["quantity"] = "many"
    file = shop / "wrong.json"
    file.write_text(json.dumps(wrong))
    code, _, err = await tried(capsys, "demo/form", file)
    assert code == 2
    assert "quantity" in err


async def test_a_mail_is_read_with_what_is_in_doubt_and_what_it_lacks(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = shop / "order.eml"
    file.write_bytes(MAIL)
    code, out, err = await tried(capsys, "demo/imap", file)
    assert code == 0, err
    assert "WT-2" in out
    assert "payment.terms" in out


async def test_what_is_no_order_ends_with_one_and_says_why(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = shop / "ping.json"
    file.write_text('{"test": true}')
    code, out, _ = await tried(capsys, "demo/form", file)
    assert (code, "nothing for us" in out) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("demo/ebay", "order.json"), "ORDERACK_SOURCE_DEMO_EBAY_CLIENT_ID is missing"),
        (("demo/nothing", "order.json"), "names no connection"),
        (("demo/form", "nowhere.json"), "cannot be read"),
        (("demo/form", "order.json", "-H", "no colon"), "Name: value"),
        (("demo/form", "order.json"), "body"),
    ],
)
async def test_a_wrong_call_is_told_what_to_do(
    shop: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], said: str
) -> None:
    (shop / "order.json").write_text("{")
    code, _, err = await tried(capsys, *arguments)
    assert code == 2
    assert said in err
