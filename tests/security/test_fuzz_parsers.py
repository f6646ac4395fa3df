"""Parsers that read what others write, with whatever text and with their own texts bent: they refuse in their words."""

import string
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from orderack.codec_server.access import Tokens, bearer
from orderack.contracts.ids import order_ref, order_workflow_id
from orderack.domain.acknowledgement import Kind, SendKey
from orderack.domain.order import OrderRef
from orderack.errors import BadSignature, Misconfigured
from orderack.gateway.keys import ApiKeys
from orderack.gateway.proxies import trusted
from orderack.links import PageLinks
from orderack.policy.expression import ExpressionError, compile_expression
from orderack.policy.load import FILE, PolicyInvalid, load_policy
from orderack.temporal.codec_keys import CodecKeys
from orderack.touch_links import TouchLink, TouchLinks
from orderack.touches import What
from tests.temporal.test_codec import NEW, OLD

SECRET = "a-secret-of-this-installation"
PAGES, TOUCHES = PageLinks(SECRET, "https://shop.example"), TouchLinks(SECRET, "https://shop.example")
REF = OrderRef(store="demo", number="A-1")
AT = datetime(2026, 11, 21, 9, tzinfo=UTC)
KEY = SendKey(ref=REF, revision=1, kind=Kind.CONFIRMATION, n=1, channel="sendgrid_email")
TRIPLE = f"shop:demo:{'0' * 64}"

READS: dict[str, tuple[Callable[[str], object], type[Exception], tuple[str, ...]]] = {
    "page link": (PAGES.read, BadSignature, (PAGES.token(REF, via="portal", recipient="ada@example.com"),)),
    "touch link": (
        TOUCHES.read,
        BadSignature,
        (TOUCHES.url(TouchLink(key=KEY, what=What.PIXEL, recipient="0" * 12, made_at=AT)).rpartition("/")[2],),
    ),
    "workflow id": (order_ref, ValueError, (order_workflow_id(REF), "order/a%2Fb/c%25")),
    "API keys": (ApiKeys.parse, Misconfigured, (f"{TRIPLE},{TRIPLE}",)),
    "codec keys": (CodecKeys.parse, Misconfigured, (f"{NEW},{OLD}", f"plain,{OLD}")),
    "codec tokens": (Tokens.parse, Misconfigured, (f"{TRIPLE},{TRIPLE}",)),
    "bearer": (bearer, ValueError, ("Bearer abc",)),
    "proxies": (trusted, Misconfigured, ("10.0.0.7, 10.1.0.0/16",)),
    "expression": (compile_expression, ExpressionError, ("order.totals.total > 5000.0 && order.source in ['web']",)),
}


@st.composite
def bent(draw: st.DrawFn, seeds: tuple[str, ...]) -> str:
    """One of its own texts with a piece cut out, doubled, or replaced by something else."""
    text = draw(st.sampled_from(seeds))
    begin, end = sorted((draw(st.integers(0, len(text))), draw(st.integers(0, len(text)))))
    piece = draw(st.one_of(st.just(""), st.just(text[begin:end] * 2), st.text(max_size=8), st.sampled_from("./%:,\0")))
    return text[:begin] + piece + text[end:]


@pytest.mark.parametrize("name", READS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_text_is_read_or_refused_and_never_anything_else(name: str, data: st.DataObject) -> None:
    read, refusal, seeds = READS[name]
    text = data.draw(st.one_of(st.text(max_size=60), bent(seeds)))
    try:
        read(text)
    except refusal as refused:
        said = str(refused)
        if "0" * 64 in said or OLD.partition(":")[2] in said:
            raise AssertionError("a secret is shown") from None


@pytest.mark.parametrize("name", ["page link", "touch link"])
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_no_bent_link_is_a_link(name: str, data: st.DataObject) -> None:
    read, refusal, seeds = READS[name]
    text = data.draw(bent(seeds))
    assume(text not in seeds)
    with pytest.raises(refusal):
        read(text)


POLICY = (Path(__file__).parents[2] / "policy" / FILE).read_text().splitlines(keepends=True)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    place=st.integers(0, len(POLICY)),
    cut=st.integers(0, 3),
    line=st.one_of(
        st.text(string.printable, max_size=40), st.text(max_size=20), st.sampled_from(["? [a]: b\n", "- " * 50])
    ),
)
def test_a_bent_policy_is_loaded_or_refused(place: int, cut: int, line: str, tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes("".join((*POLICY[:place], line, *POLICY[place + cut :])).encode("utf-8", "replace"))
    with suppress(PolicyInvalid):
        load_policy(tmp_path)
