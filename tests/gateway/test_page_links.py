"""The link is the permission: bound, expiring, revocable, and refused without a hint."""

from datetime import timedelta

import pytest
import time_machine
from itsdangerous import URLSafeTimedSerializer

from orderack.contracts.journal import Stage
from orderack.domain.acknowledgement import Kind, SendKey
from orderack.domain.evidence import EvidenceEvent
from orderack.errors import BadSignature, Misconfigured
from orderack.links import LETTERS, VALID_FOR, PageLink, PageLinks, fingerprint
from tests.gateway.conftest import PUBLIC, Gateway
from tests.gateway.page_world import Buyer, a_buyer, confirmed, stored, words
from tests.temporal.server import now
from tests.workflows.orders import an_order

SECRET = "a secret that signs buyers' links"


@pytest.fixture
async def buyer(gateway: Gateway) -> Buyer:
    return await a_buyer(gateway)


async def test_forged_damaged_expired_revoked_and_unknown_links_all_get_the_same_page(
    gateway: Gateway, buyer: Buyer
) -> None:
    links, ref = gateway.parts.links, buyer.order.ref
    with time_machine.travel(now() - VALID_FOR - timedelta(minutes=1), tick=True):
        expired = links.token(ref)
    with time_machine.travel(now() - timedelta(minutes=1), tick=True):
        revoked = links.token(ref)
    await gateway.ledger.revoke_links(ref, now() - timedelta(seconds=30))
    tokens = (
        *(expired, revoked, links.token(ref)[:-2], links.token(ref).upper(), "x"),
        PageLinks("another secret of enough length", PUBLIC).token(ref),
        links.token(an_order("never-came", now()).ref),
        links.token(ref.model_copy(update={"store": "nowhere"})),
    )
    answers = [await gateway.http.get(f"/o/{token}") for token in tokens]
    answers += [await gateway.http.post(f"/o/{token}/affirm", data={"revision": "1"}) for token in tokens]
    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.text for answer in answers}) == 1
    assert len({tuple(sorted(answer.headers.items())) for answer in answers}) == 1
    assert "This link is not valid" in answers[0].text
    assert await buyer.facts() == []
    assert (await buyer.opens()).status_code == 200


async def test_the_page_of_a_bad_link_speaks_the_browsers_language(gateway: Gateway) -> None:
    spoken = {"de-AT,de;q=0.9": "de", "fr": "fr", "es-MX": "es", "": "en", "pl": "en", "../../etc": "en", "*": "en"}
    for accepted, language in spoken.items():
        shown = await gateway.http.get("/o/guessed", headers={"accept-language": accepted})
        assert f'<html lang="{language}">' in shown.text


async def test_after_a_revocation_only_fresh_links_open_the_page(gateway: Gateway, buyer: Buyer) -> None:
    ref, links = buyer.order.ref, gateway.parts.links
    with time_machine.travel(now() - timedelta(hours=1), tick=True):
        old = links.token(ref)
    assert (await gateway.http.get(f"/o/{old}")).status_code == 200
    revoked_at = now() - timedelta(seconds=5)
    assert await gateway.ledger.revoke_links(ref, revoked_at)
    assert await gateway.ledger.links_revoked_at(ref) == revoked_at
    assert (await gateway.http.get(f"/o/{old}")).status_code == 404
    assert (await gateway.http.post(f"/o/{old}/affirm", data={"revision": "1"})).status_code == 404
    assert (await gateway.http.get(f"/o/{links.token(ref)}")).status_code == 200


async def test_a_link_of_the_very_second_of_the_revocation_is_void(gateway: Gateway, buyer: Buyer) -> None:
    with time_machine.travel(now().replace(microsecond=900_000), tick=False):
        token = gateway.parts.links.token(buyer.order.ref)
        await gateway.ledger.revoke_links(buyer.order.ref, now().replace(microsecond=0))
    assert (await gateway.http.get(f"/o/{token}")).status_code == 404


async def test_revoking_one_orders_links_leaves_every_other_orders_alone(gateway: Gateway, buyer: Buyer) -> None:
    other = an_order("other", now())
    assert not await gateway.ledger.revoke_links(other.ref, now() + timedelta(hours=1))
    assert await gateway.ledger.links_revoked_at(buyer.order.ref) is None
    assert (await buyer.opens()).status_code == 200


async def test_what_the_buyer_did_through_a_link_stays_when_it_is_revoked(gateway: Gateway, buyer: Buyer) -> None:
    await buyer.sent("affirm")
    await gateway.ledger.revoke_links(buyer.order.ref, now() - timedelta(minutes=5))
    assert [fact.event for fact in await buyer.facts()] == [EvidenceEvent.AFFIRMED]
    assert "You have affirmed revision 1" in words(await buyer.opens())


def test_a_link_names_whom_it_lets_see_what_and_to_whom_it_went_without_naming_them() -> None:
    links = PageLinks(SECRET, f"{PUBLIC}/")
    ref = an_order("A/1 ü", now()).ref
    url = links.url(ref, via="twilio_sms", recipient="+15005550006")
    assert url.startswith(f"{PUBLIC}/o/")
    link = links.read(url.rsplit("/", 1)[1])
    assert (link.ref, link.role, link.via) == (ref, "buyer", "twilio_sms")
    assert link.recipient == fingerprint("+15005550006")
    assert "5005550006" not in url


@pytest.mark.parametrize("kind", list(Kind))
def test_a_messages_link_names_the_message_that_carried_it(kind: Kind) -> None:
    links, ref = PageLinks(SECRET, PUBLIC), an_order("A/1 ü", now()).ref
    key = SendKey(ref=ref, revision=12, kind=kind, n=3, channel="twilio_sms")
    link = PageLink(ref=ref, via=key.channel, recipient="ab", carrier=key, made_at=now().replace(microsecond=0))
    again = links.again(link).rsplit("/", 1)[1]
    assert links.read(again) == link
    assert len(again) <= len(links.again(link.model_copy(update={"carrier": None})).rsplit("/", 1)[1]) + 14


def test_links_from_before_they_named_a_message_or_an_address_are_read() -> None:
    links = PageLinks(SECRET, PUBLIC)
    for parts in (["demo", "1", "buyer"], ["demo", "1", "buyer", "email", "ab12"]):
        link = links.read(links._signer.dumps(parts))
        assert (link.ref.number, link.carrier) == ("1", None)


def test_the_letters_of_links_that_are_out_never_change() -> None:
    assert "".join(LETTERS[kind] for kind in Kind) == "rhucgjxqal"
    assert len(set(LETTERS.values())) == len(Kind)


def test_the_same_address_written_otherwise_has_the_same_print_and_another_has_not() -> None:
    assert fingerprint(" Ada@Example.com ") == fingerprint("ada@example.com")
    assert fingerprint("ada@example.com") != fingerprint("grace@example.com")
    assert fingerprint("  ") == ""


def test_a_token_made_for_another_purpose_is_no_link() -> None:
    links = PageLinks(SECRET, PUBLIC)
    for payload in (["demo", "1", "buyer"], {"store": "demo"}, None):
        with pytest.raises(BadSignature):
            links.read(URLSafeTimedSerializer(SECRET, salt="something else").dumps(payload))
    for payload in (["demo", 1], ["demo"], [], ["demo", "1", "buyer", "v", "r", "more"], ["", "1", "buyer"], "demo"):
        with pytest.raises(BadSignature):
            links.read(links._signer.dumps(payload))


def test_no_single_changed_character_makes_another_link() -> None:
    links = PageLinks(SECRET, PUBLIC)
    token = links.token(an_order("1", now()).ref)
    for place, character in enumerate(token[:-1]):  # the last one's low bits are padding
        changed = token[:place] + ("A" if character != "A" else "B") + token[place + 1 :]
        with pytest.raises(BadSignature):
            links.read(changed)


@pytest.mark.parametrize("secret", ["", "short"])
def test_links_need_a_secret_worth_the_name(secret: str) -> None:
    with pytest.raises(Misconfigured, match="ORDERACK_SECRET"):
        PageLinks(secret, PUBLIC)


async def test_a_link_that_went_to_an_address_corrected_since_opens_nothing_and_affirms_nothing(
    gateway: Gateway, buyer: Buyer
) -> None:
    links, ref, old = gateway.parts.links, buyer.order.ref, buyer.order.contacts.email or ""
    before = links.token(ref, via="email", recipient=old)
    after = links.token(ref, via="email", recipient="right@example.com")
    assert (await gateway.http.get(f"/o/{before}")).status_code == 200
    assert (await gateway.http.get(f"/o/{after}")).status_code == 404
    contacts = buyer.order.contacts.model_copy(update={"email": "right@example.com"})
    corrected = buyer.order.model_copy(update={"contacts": contacts})
    await stored(gateway, corrected, 2)
    # While the correction is being checked, both are the buyer's; once it is confirmed, only the new one.
    gateway.orders.standing[ref] = confirmed(buyer.order, revision=2, stage=Stage.ASSESSING)
    assert [(await gateway.http.get(f"/o/{token}")).status_code for token in (before, after)] == [200, 200]
    gateway.orders.standing[ref] = confirmed(corrected, revision=2, confirmed_revision=2)
    assert [(await gateway.http.get(f"/o/{token}")).status_code for token in (before, after)] == [404, 200]
    refused = await gateway.http.post(f"/o/{before}/affirm", data={"revision": "2", "form": "a"})
    assert refused.status_code == 404
    assert await buyer.facts() == []
