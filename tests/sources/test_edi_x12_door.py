"""X12: the door, the partners' profiles, and bytes that nobody would send."""

import base64
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError

from orderack import sources
from orderack.domain.money import add_up
from orderack.domain.problem import Problem
from orderack.errors import BadSignature, InvalidInput, Unavailable
from orderack.ports import (
    RawRequest,
    Snapshot,
    Standing,
)
from orderack.registry import build_sources
from orderack.sources.edi_x12 import EdiX12, EdiX12Settings
from tests.conformance.source import quickly
from tests.edi import interchanges as edi
from tests.sources.edi_partner import PARTNER, SECRET, Partner, connection

# -- the door, and the profile -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("secret", "header"),
    [
        ("a token of sixteen or more", "Bearer a token of sixteen or more"),
        ("gateway:a long password", "Basic " + base64.b64encode(b"gateway:a long password").decode()),
    ],
)
async def test_a_bearer_token_or_a_password_opens_the_door(secret: str, header: str) -> None:
    source = Partner(settings={"inbound_secret": secret}).source
    await source.verify(RawRequest(url="https://us.example", headers={"authorization": header}, body=b""))
    for other in ("", header + "x", header.lower(), f"Bearer {secret} "):
        if other != header:
            with pytest.raises(BadSignature):
                await source.verify(RawRequest(url="https://us.example", headers={"authorization": other}, body=b""))


PROFILES: Mapping[str, tuple[Mapping[str, object], str]] = {
    "no ids of theirs": ({"theirs": {"qualifier": "ZZ"}}, "partners.acme.theirs.id"),
    "a version nobody writes": ({"versions": ["4010"]}, "partners.acme.versions.0"),
    "a delimiter that is a letter": ({"delimiters": {"element": "A"}}, "partners.acme.delimiters"),
    "two delimiters alike": ({"delimiters": {"element": "~"}}, "partners.acme.delimiters"),
    "an address without https": ({"outbound": "http://as2.example"}, "partners.acme.outbound"),
    "an unknown outcome": ({"line_status": {"fine": "IA"}}, "partners.acme.line_status"),
    "a misspelt key": ({"verisons": ["004010"]}, "partners.acme.verisons"),
    "a zone that is none": ({"time_zone": "Mars/Base"}, "partners.acme.time_zone"),
}


@pytest.mark.parametrize("case", PROFILES)
def test_a_profile_with(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """is named by its key, and the connection is not configured."""
    over, key = PROFILES[case]
    monkeypatch.setenv("ORDERACK_SOURCE_SHOP_EDI_X12_INBOUND_SECRET", SECRET)
    lacking = build_sources(sources.load(), [connection(**over)]).not_configured["shop/edi_x12"]
    assert any(key in one for one in lacking)
    assert not any(SECRET in one for one in lacking)


def test_partners_with_the_same_ids_or_none_at_all_are_refused() -> None:
    settings = EdiX12Settings(inbound_secret=SecretStr(SECRET))
    twins = connection().model_copy(update={"partners": {"acme": PARTNER, "twin": PARTNER}})
    with pytest.raises(ValidationError, match=r"partners\.twin: has the ids of acme"):
        EdiX12(twins, settings, "")
    with pytest.raises(ValidationError, match="there is none"):
        EdiX12(connection().model_copy(update={"partners": {}}), settings, "")


# -- anything ----------------------------------------------------------------------------------------------------------

GOOD = edi.rich()


async def test_the_rich_interchange_is_an_order_and_a_change_of_it() -> None:
    found = await Partner().readings(GOOD)
    assert [type(one) for one in found] == [Snapshot, Snapshot]


async def _survives(body: bytes) -> None:
    """Each set is an order that adds up, or refused by name; and the partner is told which."""
    partner = Partner()
    await partner.readings(edi.one(edi.order()))
    greeting, deliveries = await partner.post(body)
    assert greeting.status in (200, 422)
    assert greeting.body.strip()
    named: list[Problem] = []
    rejected = "".join(greeting.body.split("AK5*A"))
    for delivery in deliveries:
        try:
            (reading,) = await partner.source.read(delivery)
        except InvalidInput as no:
            named += no.problems
            continue
        except Unavailable:
            continue
        if isinstance(reading, Snapshot):
            assert add_up(reading.order) == reading.order.totals.total or "AMT" in delivery.body
        if isinstance(reading, Snapshot) and reading.standing is Standing.OPEN:
            assert rejected != greeting.body  # what is taken was accepted in the 997
    assert all(one.field and one.problem for one in named)


@quickly
@given(body=st.binary(max_size=300) | st.binary(max_size=200).map(lambda tail: GOOD[:400] + tail))
async def test_no_bytes_end_in_a_traceback(body: bytes) -> None:
    await _survives(body)


@quickly
@given(data=st.data())
async def test_a_good_interchange_with_any_element_changed_is_an_order_or_refused_by_name(data: st.DataObject) -> None:
    segments = GOOD.decode().split("~")
    at = data.draw(st.integers(0, len(segments) - 2))
    elements = segments[at].split("*")
    number = data.draw(st.integers(0, len(elements) - 1))
    elements[number] = data.draw(
        st.sampled_from(["", "0", "-1", "99999999999999", "é", "2026", "1E9", "."]) | st.text()
    )
    segments[at] = "*".join(elements)
    if data.draw(st.booleans()):
        segments.insert(data.draw(st.integers(0, len(segments))), segments.pop(at))
    await _survives("~".join(segments).encode("utf-8", "replace"))


@quickly
@given(data=st.data())
async def test_a_good_interchange_with_segments_dropped_or_doubled_survives(data: st.DataObject) -> None:
    segments = GOOD.decode().split("~")
    at = data.draw(st.integers(0, len(segments) - 2))
    copies = data.draw(st.integers(0, 2))
    await _survives("~".join([*segments[:at], *[segments[at]] * copies, *segments[at + 1 :]]).encode())
