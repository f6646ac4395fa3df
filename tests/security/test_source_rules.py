"""Rules of the source that a reviewer would check by hand."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = ("orderack", "workflows", "activities", "workers")
FILES = sorted(file for room in ROOMS for file in (ROOT / room).rglob("*.py"))
NAMES = [str(file.relative_to(ROOT)) for file in FILES]
PRODUCT = [name for name in NAMES if not name.startswith("orderack/embedded/")]
"""The look-alikes and the embedded run are not reached by strangers."""


@cache
def tree(name: str) -> ast.Module:
    return ast.parse((ROOT / name).read_text())


def test_every_exception_to_a_security_rule_says_why() -> None:
    silent = [
        f"{name}:{number}"
        for name in NAMES
        for number, line in enumerate((ROOT / name).read_text().splitlines(), 1)
        if (found := re.search(r"#\s*(?:ruff: )?noqa: S\d+(.*)", line)) and not re.search(r"[a-z]{2,}", found[1])
    ]
    assert silent == []


# -- comparing secrets ----------------------------------------------------------------------------------------------

SECRET = re.compile(r"secret|token|signature|digest|password|api_key|hmac|signed", re.IGNORECASE)
COMPARED = {
    "orderack/channels/sendgrid_email.py": "a signature with itself, spelled anew: nothing of ours is in it",
    "orderack/sources/sendgrid_inbound.py": "the same",
    "orderack/sources/mailgun_inbound.py": "the digest of a request that was seen, beside a token that was spent",
    "orderack/clients/sns.py": "a signature with itself, spelled anew",
    "orderack/sources/amazon.py": "the mark of a next page",
    "orderack/sources/amazon_vendor_df.py": "the mark of a next page",
    "orderack/dispute/verifier.py": "hashes of a public record",
    "orderack/ledger/sweep_digests.py": "the number of a message to an owner, called a digest",
}
"""Comparisons with == of something that is called like a secret and is none."""


def comparisons(module: ast.Module) -> Iterator[ast.Compare]:
    for node in ast.walk(module):
        if isinstance(node, ast.Compare) and any(isinstance(op, ast.Eq | ast.NotEq | ast.In) for op in node.ops):
            sides = [node.left, *node.comparators]
            plain = any(isinstance(side, ast.Constant | ast.Tuple | ast.Set) for side in sides)
            if not plain and any(SECRET.search(name) for side in sides for name in _names(side)):
                yield node


def _names(side: ast.expr) -> list[str]:
    return [side.id] if isinstance(side, ast.Name) else [side.attr] if isinstance(side, ast.Attribute) else []


def test_nothing_secret_is_compared_byte_by_byte() -> None:
    found = {name for name in PRODUCT for node in comparisons(tree(name)) if not isinstance(node.ops[0], ast.In)}
    assert found <= set(COMPARED), found - set(COMPARED)


def test_such_a_comparison_is_seen() -> None:
    assert list(comparisons(ast.parse("if given == self._secret: pass")))
    assert not list(comparisons(ast.parse("if compare_digest(given, self._secret): pass")))


# -- ways out -------------------------------------------------------------------------------------------------------

OPENS = re.compile(
    r"(httpx\.(AsyncClient|Client|get|post|request|stream)|urllib\.request\..*|urlopen|requests\..*|"
    r"socket\.create_connection|aiosmtplib\..*|imaplib\.IMAP4.*|HTTPS?Connection)\Z"
)
WAYS_OUT = {
    "orderack/clients/http.py": "a vendor's address out of its settings",
    "orderack/gateway/deliver.py": "an endpoint that the policy names",
    "orderack/gateway/__main__.py": "the board's login provider, of the settings",
    "orderack/channels/smtp_email.py": "the mail server of the settings",
    "orderack/sources/imap.py": "the mailbox of the settings",
    "orderack/codec_server/__main__.py": "the issuer's keys, of the settings",
    "orderack/telemetry/serving.py": "this process's own figures",
}
"""Where connections are opened, and who names the other end: never an order, a message or a request."""


@cache
def calls(name: str) -> list[ast.Call]:
    return [node for node in ast.walk(tree(name)) if isinstance(node, ast.Call)]


def test_connections_are_opened_only_where_somebody_of_ours_names_the_other_end() -> None:
    found = {name for name in PRODUCT if any(OPENS.match(ast.unparse(call.func)) for call in calls(name))}
    assert found == set(WAYS_OUT), found ^ set(WAYS_OUT)


@pytest.mark.parametrize(("word", "bad"), [("follow_redirects", True), ("verify", False), ("shell", True)])
def test_no_call_follows_a_redirect_skips_a_certificate_or_asks_a_shell(word: str, bad: object) -> None:
    found = [
        name
        for name in PRODUCT
        for call in calls(name)
        for keyword in call.keywords
        if keyword.arg == word and isinstance(keyword.value, ast.Constant) and keyword.value.value is bad
    ]
    assert found == []
