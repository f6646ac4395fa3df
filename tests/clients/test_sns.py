"""Amazon SNS: posts are proved by certificates that come from SNS and from nowhere else."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from pydantic import JsonValue

from orderack.clients.sns import Sns, home_of, read_post
from orderack.errors import BadSignature, Unavailable
from tests import sns_topic
from tests.conformance.channel import NOW
from tests.conformance.peer import Answer, CutOff, Peer, running_peer


@asynccontextmanager
async def topic(*answers: Answer | CutOff) -> AsyncIterator[tuple[Peer, Sns]]:
    """A topic whose SNS is a peer that serves the certificate, or gives these answers."""
    async with running_peer() as peer:
        peer.will(*(answers or (Answer(200, sns_topic.pem(NOW)),)))
        sns = Sns(sns_topic.TOPIC, peer.url, clock=lambda: NOW)
        try:
            yield peer, sns
        finally:
            await sns.aclose()


def post(peer: Peer, version: str = "2", **more: JsonValue) -> bytes:
    more = {"SigningCertURL": f"{peer.url}{sns_topic.CERTIFICATE}", **more}
    return sns_topic.post("Ünï ✓ \n body", NOW, version, **more)


@pytest.mark.parametrize("version", ["1", "2"])
@pytest.mark.parametrize("subject", ["Amazon SES Email Event Notification", None])
async def test_a_post_of_either_version_verifies_with_and_without_a_subject(version: str, subject: str | None) -> None:
    async with topic() as (peer, sns):
        assert (await sns.verify(post(peer, version, Subject=subject))).Message == "Ünï ✓ \n body"


async def test_the_certificate_is_fetched_once() -> None:
    async with topic() as (peer, sns):
        for _ in range(3):
            await sns.verify(post(peer))
        assert [request.target for request in peer.received] == [sns_topic.CERTIFICATE]


@pytest.mark.parametrize("field", ["Message", "MessageId", "Subject", "Timestamp", "Type", "Signature"])
async def test_no_signed_field_can_be_changed(field: str) -> None:
    async with topic() as (peer, sns):
        fields = json.loads(post(peer))
        fields[field] = fields[field][:-2] + ("A=" if fields[field].endswith("==") else "AB")
        with pytest.raises(BadSignature):
            await sns.verify(json.dumps(fields).encode())


@pytest.mark.parametrize(
    "change",
    [
        {"TopicArn": "arn:aws:sns:eu-central-1:999999999999:orders"},
        {"Type": "Gossip"},
        {"SignatureVersion": "3"},
        {"SignatureVersion": "1"},
        {"Signature": ""},
        {"Signature": "not base64"},
        {"Subject": None},
    ],
)
async def test_what_is_not_as_it_was_signed_is_refused(change: Mapping[str, JsonValue]) -> None:
    async with topic() as (peer, sns):
        fields = {name: value for name, value in (json.loads(post(peer)) | change).items() if value is not None}
        with pytest.raises(BadSignature):
            await sns.verify(json.dumps(fields).encode())


async def test_another_topics_post_is_refused_though_sns_has_signed_it() -> None:
    async with topic() as (peer, sns):
        with pytest.raises(BadSignature, match="another topic"):
            await sns.verify(post(peer, TopicArn="arn:aws:sns:eu-central-1:999999999999:orders"))
        assert peer.received == []


async def test_the_same_signature_in_another_spelling_is_refused() -> None:
    async with topic() as (peer, sns):
        fields = json.loads(post(peer))
        assert fields["Signature"].endswith("==")
        for spelled in (
            fields["Signature"][:-3] + chr(ord(fields["Signature"][-3]) + 1) + "==",
            fields["Signature"] + "\n",
        ):
            with pytest.raises(BadSignature):
                await sns.verify(json.dumps(fields | {"Signature": spelled}).encode())


@pytest.mark.parametrize(
    "where",
    [
        "http://169.254.169.254/latest/meta-data/",
        "file:///etc/passwd",
        "https://evil.example/SimpleNotificationService-1.pem",
        "{home}.evil.example/SimpleNotificationService-1.pem",
        "{home}@evil.example/SimpleNotificationService-1.pem",
        "{home}:1/SimpleNotificationService-1.pem",
        "/SimpleNotificationService-1.pem",
        "{home}/other.pem",
        "{home}/SimpleNotificationService-1.pem?x",
        "{home}/SimpleNotificationService-1.pem#x",
        "{home}/SimpleNotificationService-1.pem\n",
        "{home}/../SimpleNotificationService-1.pem",
        "{home}//SimpleNotificationService-1.pem",
        "{home}/a/SimpleNotificationService-1.pem",
        "{home}/SimpleNotificationService-%2e%2e.pem",
        "",
    ],
)
async def test_a_certificate_is_asked_for_at_sns_and_nowhere_else(where: str) -> None:
    async with topic() as (peer, sns):
        with pytest.raises(BadSignature, match="lies where SNS has none"):
            await sns.verify(post(peer, SigningCertURL=where.format(home=peer.url)))
        assert peer.received == []


def test_sns_answers_in_the_topics_region() -> None:
    assert home_of(sns_topic.TOPIC) == "https://sns.eu-central-1.amazonaws.com"
    assert home_of("arn:aws-cn:sns:cn-north-1:123456789012:x") == "https://sns.cn-north-1.amazonaws.com.cn"
    with pytest.raises(ValueError, match="ARN"):
        home_of("arn:aws:sns:evil.example/:123456789012:x")


async def test_a_certificate_that_sns_does_not_have_proves_nothing() -> None:
    async with topic(Answer(403, b"<Error/>")) as (peer, sns):
        with pytest.raises(BadSignature):
            await sns.verify(post(peer))


@pytest.mark.parametrize("answer", [CutOff(), Answer(503), Answer(429), Answer(200, b"<html>It works!</html>")])
async def test_while_the_certificate_cannot_be_had_it_is_unavailable_and_asked_for_again(
    answer: Answer | CutOff,
) -> None:
    async with topic(answer, Answer(200, sns_topic.pem(NOW))) as (peer, sns):
        with pytest.raises(Unavailable):
            await sns.verify(post(peer))
        await sns.verify(post(peer))


@pytest.mark.parametrize("days", [-16, 16])
async def test_a_certificate_that_has_ended_or_not_begun_proves_nothing(days: int) -> None:
    async with topic(Answer(200, sns_topic.pem(NOW + timedelta(days=days)))) as (peer, sns):
        with pytest.raises(BadSignature, match="not valid now"):
            await sns.verify(post(peer))


async def test_a_certificate_of_another_kind_of_key_proves_nothing() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(7)
    made = made.not_valid_before(NOW - timedelta(days=1)).not_valid_after(NOW + timedelta(days=1))
    async with topic(Answer(200, made.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM))) as (peer, sns):
        with pytest.raises(BadSignature, match="not RSA"):
            await sns.verify(post(peer))


@pytest.mark.parametrize(
    "time", ["yesterday", "", "2026-11-21T09:30:00", "99999-01-01T00:00:00Z", "0001-01-01T00:00:00Z"]
)
async def test_a_time_that_is_none_or_far_away_is_refused(time: str) -> None:
    async with topic() as (peer, sns):
        with pytest.raises(BadSignature):
            await sns.verify(post(peer, Timestamp=time))


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/?Action=ConfirmSubscription&TopicArn={topic}&Token=2336412f37",
        "{home}.evil.example/?Action=ConfirmSubscription&TopicArn={topic}&Token=2336412f37",
        "{home}@evil.example/?Action=ConfirmSubscription&TopicArn={topic}&Token=2336412f37",
        "{home}/other?Action=ConfirmSubscription&TopicArn={topic}&Token=2336412f37",
        "{home}/?Action=DeleteTopic&TopicArn={topic}&Token=2336412f37",
        "{home}/?Action=ConfirmSubscription&TopicArn={topic}x&Token=2336412f37",
        "{home}/?Action=ConfirmSubscription&TopicArn={topic}&Token=other",
        "{home}/?Action=ConfirmSubscription&TopicArn={topic}&Token=2336412f37&More=1",
        "{home}/?Action=ConfirmSubscription&TopicArn={topic}",
        "",
    ],
)
async def test_a_confirmation_leads_to_sns_and_confirms_our_topic_or_is_refused(url: str) -> None:
    async with topic() as (peer, sns):
        asked = read_post(sns_topic.confirmation(NOW, url.format(home=peer.url, topic=sns_topic.TOPIC)))
        with pytest.raises(BadSignature, match="leads elsewhere"):
            await sns.confirm(asked)
        assert peer.received == []


@pytest.mark.parametrize("answer", [Answer(403, b"<ErrorResponse/>"), Answer(500), CutOff()])
async def test_a_confirmation_that_sns_does_not_take_is_unavailable(answer: Answer | CutOff) -> None:
    async with topic(answer) as (peer, sns):
        url = f"{peer.url}/?Action=ConfirmSubscription&TopicArn={sns_topic.TOPIC}&Token=2336412f37"
        with pytest.raises(Unavailable):
            await sns.confirm(read_post(sns_topic.confirmation(NOW, url)))
        assert len(peer.received) == 1
