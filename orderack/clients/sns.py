"""Amazon SNS over HTTPS: a topic's posts, proved by the X.509 certificate that they name.

A post says itself where its certificate and its confirmation lie. Both are asked for at SNS in the topic's own region
and nowhere else: from the post only a path is taken, of the one form that SNS uses (SSRF). Signature versions 1 (SHA-1)
and 2 (SHA-256), as in "Verifying the signatures of Amazon SNS messages" (AWS documentation).
"""

import base64
import re
from datetime import timedelta
from types import MappingProxyType
from typing import Annotated
from urllib.parse import parse_qsl, urlencode

import httpx
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.x509 import Certificate, load_pem_x509_certificate
from pydantic import AwareDatetime, BaseModel, Field, StringConstraints, TypeAdapter, ValidationError

from orderack.clients.http import BaseUrl, Clock, Http, utc_now
from orderack.clients.wire import MOST_UNPROVED, not_an_event, read
from orderack.errors import BadSignature, InvalidInput, Unavailable

WINDOW = timedelta(hours=1)
"""Our own choice. SNS repeats a post with its first time for about a minute, unless the subscription says longer."""
NOTIFICATION = "Notification"
SUBSCRIPTION = "SubscriptionConfirmation"
UNSUBSCRIPTION = "UnsubscribeConfirmation"

SIGNED = MappingProxyType(
    {
        NOTIFICATION: ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
        SUBSCRIPTION: ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
        UNSUBSCRIPTION: ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
    }
)
"""What each kind of post signs, in this order; a field that is not there is left out."""
HASHES = MappingProxyType({"1": hashes.SHA1, "2": hashes.SHA256})
CERTIFICATE = re.compile(r"/SimpleNotificationService-[A-Za-z0-9]{1,100}\.pem")

_ARN = re.compile(r"arn:(aws[a-z-]*):sns:([a-z]{2}(?:-[a-z]+)+-\d{1,2}):\d{12}:[A-Za-z0-9_-]{1,256}(?:\.fifo)?")
TopicArn = Annotated[str, StringConstraints(pattern=f"^{_ARN.pattern}$")]


class SnsPost(BaseModel):
    """One post of a topic, as its JSON has it."""

    Type: str = Field(max_length=100)
    MessageId: str = Field(min_length=1, max_length=100)
    TopicArn: str = Field(max_length=500)
    Message: str
    Timestamp: str = Field(max_length=40)
    SignatureVersion: str = Field(max_length=10)
    Signature: str = Field(max_length=2_000)
    SigningCertURL: str = Field(max_length=2_000)
    Subject: str | None = None
    Token: str | None = Field(default=None, max_length=2_000)
    SubscribeURL: str | None = Field(default=None, max_length=4_000)

    def signed(self) -> bytes:
        """The text that the signature covers."""
        lines = ((name, getattr(self, name)) for name in SIGNED[self.Type])
        return "".join(f"{name}\n{value}\n" for name, value in lines if value is not None).encode("utf-8", "replace")


_POST = TypeAdapter(SnsPost)
_TIME: TypeAdapter[AwareDatetime] = TypeAdapter(AwareDatetime)


def region_of(topic_arn: str) -> str:
    """The region in a topic's ARN. Raises ValueError when it is none."""
    found = _ARN.fullmatch(topic_arn)
    if found is None:
        raise ValueError("not a topic's ARN (arn:aws:sns:REGION:ACCOUNT:NAME)")
    return found[2]


def home_of(topic_arn: str) -> str:
    """Where SNS answers for this topic."""
    return f"https://sns.{region_of(topic_arn)}.amazonaws.com{'.cn' if topic_arn.startswith('arn:aws-cn:') else ''}"


def read_post(body: bytes) -> SnsPost:
    """Raises InvalidInput for what is no post of SNS."""
    if len(body) > MOST_UNPROVED:
        raise not_an_event("body", "too large for a post of Amazon SNS", "send what Amazon SNS sends")
    return read(_POST, body)


class Sns:
    """One topic. Certificates are kept once they are fetched: their names change with them."""

    def __init__(self, topic_arn: str, base_url: BaseUrl | None = None, clock: Clock = utc_now) -> None:
        """`base_url`: a stand-in for SNS; None: SNS itself, in the topic's region."""
        self._topic_arn = topic_arn
        self._home = base_url or home_of(topic_arn)
        self._http = Http("Amazon SNS", self._home, repeatable=True, clock=clock)
        self._certificates: dict[str, Certificate] = {}

    async def verify(self, body: bytes) -> SnsPost:
        """The post, proved. Raises BadSignature, or Unavailable while its certificate cannot be fetched."""
        try:
            post = read_post(body)
        except InvalidInput:
            raise BadSignature("not a post of Amazon SNS") from None
        if post.TopicArn != self._topic_arn or post.Type not in SIGNED or post.SignatureVersion not in HASHES:
            raise BadSignature("a post of another topic, or of a kind that SNS does not document")
        await self._prove(post)
        try:
            age = self._http.clock() - _TIME.validate_python(post.Timestamp)
        except (ValidationError, OverflowError):
            raise BadSignature("the post's timestamp is none") from None
        if abs(age) > WINDOW:
            raise BadSignature("the post is too old or from the future")
        return post

    async def _prove(self, post: SnsPost) -> None:
        certificate = await self._certificate(post.SigningCertURL)
        now, key = self._http.clock(), certificate.public_key()
        if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
            raise BadSignature("the certificate is not valid now")
        if not isinstance(key, RSAPublicKey):
            raise BadSignature("the certificate's key is not RSA")
        try:
            signature = base64.b64decode(post.Signature, validate=True)
            if base64.b64encode(signature).decode() != post.Signature:  # base64 spells the same bytes in several ways
                raise BadSignature("the signature is not written as SNS writes it")
            key.verify(signature, post.signed(), padding.PKCS1v15(), HASHES[post.SignatureVersion]())
        except (ValueError, InvalidSignature):
            raise BadSignature("the SNS signature does not fit") from None

    async def _certificate(self, url: str) -> Certificate:
        path = url.removeprefix(self._home)
        if not url.startswith(self._home) or CERTIFICATE.fullmatch(path) is None:
            raise BadSignature("the certificate lies where SNS has none")
        if path not in self._certificates:
            answer = await self._http.send("GET", path)
            self._certificates[path] = _certificate(answer)
        return self._certificates[path]

    async def confirm(self, post: SnsPost) -> None:
        """Confirm the subscription that a proved post asks for: doing so twice is harmless.

        Raises BadSignature when it would lead elsewhere, Unavailable when SNS does not confirm.
        """
        query = {"Action": "ConfirmSubscription", "TopicArn": self._topic_arn, "Token": post.Token or ""}
        where, _, asked = (post.SubscribeURL or "").partition("?")
        if where.rstrip("/") != self._home or sorted(parse_qsl(asked)) != sorted(query.items()):
            raise BadSignature("the confirmation leads elsewhere than to SNS")
        answer = await self._http.send("GET", f"/?{urlencode(query)}")
        if not answer.is_success:
            raise Unavailable(f"Amazon SNS answered {answer.status_code} to the confirmation of the subscription")

    async def aclose(self) -> None:
        """Close the connection pool."""
        await self._http.aclose()


def _certificate(answer: httpx.Response) -> Certificate:
    if not answer.is_success:
        raise BadSignature("SNS has no such certificate")
    try:
        return load_pem_x509_certificate(answer.content)
    except ValueError:
        raise Unavailable("Amazon SNS answered with something that is no certificate") from None
