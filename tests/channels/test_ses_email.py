"""Amazon SES against the channel's conformance suite, botocore's own service model and AWS's event examples."""

import base64
import json
import sys
from datetime import datetime, timedelta
from functools import cache
from typing import ClassVar
from urllib.parse import urlencode

import botocore.auth
import botocore.session
import pytest
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.validate import ParamValidator
from pydantic import JsonValue

from orderack import channels
from orderack.channels._ses_events import VENDOR_EVENT, key_in, tags_of
from orderack.channels.ses_email import NOT_NOW, OURS_TO_MEND, SesEmail, SesSettings
from orderack.domain.acknowledgement import Reason
from orderack.domain.evidence import EvidenceEvent, Grade
from orderack.errors import BadSignature, Misconfigured, Refused, Unavailable
from orderack.ports import RawRequest
from tests import sns_topic
from tests.conformance.channel import (
    NOW,
    WEBHOOK_KEY,
    WEBHOOK_URL,
    HttpChannelConformance,
    Statuses,
    WebhookConformance,
)
from tests.conformance.openapi import assert_described, spec
from tests.conformance.peer import Answer, json_answer, running_peer
from tests.payloads import payload

SECRET = "test-only/0123456789+abcdefghij0123456789"
MESSAGE_ID = "0107018f0000a1b2-7c191be4-9aed-4b9a-8ef2-d12dd0099a07-000000"
PERSON = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Thunderbird/128.1"
ACCOUNT = {
    "SendingEnabled": True,
    "ProductionAccessEnabled": True,
    "EnforcementStatus": "HEALTHY",
    "SendQuota": {"Max24HourSend": 50000.0, "MaxSendRate": 14.0, "SentLast24Hours": 12.0},
}
DESTINATIONS = {
    "EventDestinations": [
        {"Name": "other", "Enabled": True, "MatchingEventTypes": ["SEND"], "CloudWatchDestination": {}},
        {
            "Name": "orderack",
            "Enabled": True,
            "MatchingEventTypes": ["SEND", "DELIVERY"],
            "SnsDestination": {"TopicArn": sns_topic.TOPIC},
        },
    ]
}


def error(status: int, code: str, sentence: str = "ada@example.com is wrong") -> Answer:
    """SES's error, whose sentence repeats the address."""
    named = {"x-amzn-ErrorType": f"{code}:http://internal.amazon.com/coral/com.amazonaws.services.ses/"}
    return json_answer(status, {"message": sentence}, named)


def settings(base_url: str | None, **more: str | None) -> SesSettings:
    return SesSettings.model_validate(
        {
            "access_key_id": "AKIATESTONLY00000000",
            "secret_access_key": SECRET,
            "region": "eu-central-1",
            "sender": "orders@shop.example.com",
            "sender_name": "The Shop",
            "configuration_set": "orders",
            "sns_topic_arn": sns_topic.TOPIC,
            "base_url": base_url,
            "sns_base_url": sns_topic.HOME,
            **more,
        }
    )


@cache
def model() -> botocore.model.ServiceModel:
    """The service model that the installed botocore carries."""
    return botocore.session.get_session().get_service_model("sesv2")


class TestSesEmail(HttpChannelConformance, WebhookConformance):
    name = "ses_email"
    recipient = "ada@example.com"
    secrets = (SECRET,)
    required = (
        "ORDERACK_SES_EMAIL_ACCESS_KEY_ID",
        "ORDERACK_SES_EMAIL_SECRET_ACCESS_KEY",
        "ORDERACK_SES_EMAIL_REGION",
        "ORDERACK_SES_EMAIL_SENDER",
        "ORDERACK_SES_EMAIL_CONFIGURATION_SET",
        "ORDERACK_SES_EMAIL_SNS_TOPIC_ARN",
    )
    window = timedelta(hours=1)  # SNS repeats a post with its first time
    malformed = (b"", b"{}", b'"x"', b"[]", b"<html>", b"[" * 5_000, b'{"Type": "Notification"}')

    accepted = json_answer(200, {"MessageId": MESSAGE_ID})
    provider_id = MESSAGE_ID
    healthy = (json_answer(200, ACCOUNT), json_answer(200, DESTINATIONS))
    refusals = (
        (error(400, "MessageRejected"), Reason.CONTENT),
        (error(400, "BadRequestException", "Illegal address"), Reason.BAD_RECIPIENT),
        (error(400, "BadRequestException", "Missing final '@domain'"), Reason.BAD_RECIPIENT),
        (error(400, "BadRequestException", "Domain name contains dot-dot"), Reason.BAD_RECIPIENT),
        (error(400, "BadRequestException", "Duplicate tag names"), Reason.OTHER),
        (error(400, "SomethingNewException"), Reason.OTHER),
        (json_answer(400, {"__type": "com.amazon.coral#MessageRejected"}), Reason.CONTENT),
        (Answer(400, b"not json"), Reason.OTHER),
        (Answer(413, b""), Reason.TOO_LONG),
    )
    ours_to_mend = (
        *(error(403 if code.endswith("ClientException") else 400, code) for code in OURS_TO_MEND),
        error(
            400, "MessageRejected", "Email address is not verified. The following identities failed: ada@example.com"
        ),
        error(403, "SomethingNewException"),
        Answer(404, b"<html>"),
        Answer(401, b""),
    )
    not_now = tuple(error(400, code) for code in sorted(NOT_NOW))
    in_doubt = (json_answer(200, {}), json_answer(200, {"MessageId": ""}), Answer(202, b"{}"), Answer(204))

    statuses: ClassVar[Statuses] = {
        "Send": (EvidenceEvent.ACCEPTED, Grade.E1),
        "DeliveryDelay": (EvidenceEvent.ACCEPTED, Grade.E1),
        "Delivery": (EvidenceEvent.DELIVERED, Grade.E2),
        "Bounce": (EvidenceEvent.BOUNCED, None),
        "Reject": (EvidenceEvent.BOUNCED, None),
        "Rendering Failure": (EvidenceEvent.BOUNCED, None),
        "Complaint": (EvidenceEvent.OPTED_OUT, None),
        "Open": (EvidenceEvent.DISPLAYED, Grade.E3P),
        "Click": (EvidenceEvent.DISPLAYED, Grade.E3P),
        "Subscription": (EvidenceEvent.UNKNOWN, None),
    }

    def make(self, base_url: str) -> SesEmail:
        made = SesEmail(settings(base_url), clock=lambda: NOW)
        made._sns._certificates[sns_topic.CERTIFICATE] = sns_topic.certificate(NOW)
        return made

    def callback(self, status: str, **more: JsonValue) -> RawRequest:
        event = json.loads(payload("ses_email/event.json")) | {"eventType": status}
        if status in ("Open", "Click"):
            event[status.lower()] = {"timestamp": "2026-11-21T09:29:30Z", "ipAddress": "", "userAgent": PERSON, **more}
        elif status in ("Bounce", "Complaint", "Delivery", "DeliveryDelay", "Subscription"):
            event[status[0].lower() + status[1:]] = {"timestamp": "2026-11-21T09:29:30.123Z", **more}
        return self.signed(sns_topic.post(json.dumps(event), NOW), NOW)

    def signed(self, body: bytes, at: datetime) -> RawRequest:
        """A post of SNS is signed again as of that time; anything else goes as it is."""
        try:
            fields = json.loads(body)
            body = sns_topic.post(fields["Message"], at, MessageId=fields["MessageId"], Type=fields["Type"])
        except (ValueError, TypeError, KeyError, RecursionError):
            pass
        return RawRequest(url=WEBHOOK_URL, headers={}, body=body)

    # -- sending ---------------------------------------------------------------------------------------------------

    async def test_the_request_is_what_botocores_service_model_describes(self) -> None:
        request = await self.sent()
        operation = model().operation_model("SendEmail")
        assert (request.method, request.target) == (operation.http["method"], operation.http["requestUri"])
        body = json.loads(request.body)
        report = ParamValidator().validate(body, operation.input_shape)
        assert not report.has_errors(), report.generate_report()
        assert unknown(body, operation.input_shape) == []
        assert unknown({"Content": {"Sample": {}}}, operation.input_shape) == ["Content.Sample"]

    async def test_the_request_is_what_the_converted_description_says(self) -> None:
        request = await self.sent()
        assert_described(
            "ses/sesv2.SendEmail.openapi3.apisguru.json", "https://email.eu-central-1.amazonaws.com", request
        )

    async def test_the_body_says_who_what_and_carries_our_key_and_nothing_personal_beside_it(self) -> None:
        body = json.loads((await self.sent()).body)
        content = self.message().content
        assert body == {
            "FromEmailAddress": "The Shop <orders@shop.example.com>",
            "Destination": {"ToAddresses": ["ada@example.com"]},
            "Content": {
                "Simple": {
                    "Subject": {"Data": "Your order A-1001", "Charset": "UTF-8"},
                    "Body": {
                        "Text": {"Data": content.text, "Charset": "UTF-8"},
                        "Html": {"Data": content.html, "Charset": "UTF-8"},
                    },
                }
            },
            "EmailTags": [{"Name": "orderack_key", "Value": tags_of(self.message().key_text)["orderack_key"]}],
            "ConfigurationSetName": "orders",
        }

    @pytest.mark.parametrize("token", [None, "test-only-session-token"])
    async def test_the_signature_is_the_one_that_botocore_makes(
        self, token: str | None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async with running_peer() as peer:
            channel = SesEmail(settings(peer.url, session_token=token), clock=lambda: NOW)
            peer.will(self.accepted)
            await channel.send(self.message())
            (request,) = peer.received
            await channel.aclose()
        monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda: NOW)
        headers = {"Content-Type": "application/json"}
        wanted = AWSRequest("POST", f"{peer.url}{request.target}", headers=headers, data=request.body)
        login = Credentials("AKIATESTONLY00000000", SECRET, token)
        botocore.auth.SigV4Auth(login, "ses", "eu-central-1").add_auth(wanted)
        assert request.headers["authorization"] == wanted.headers["Authorization"]
        assert request.headers["x-amz-date"] == "20261121T093000Z"
        assert request.headers.get("x-amz-security-token") == token

    @pytest.mark.parametrize("number", ["A-1001", "Ä/ü ✓", "x" * 200, "✓" * 200])
    def test_a_key_of_any_length_fits_the_tags_and_comes_back(self, number: str) -> None:
        message = self.message()
        ref = message.key.ref.model_copy(update={"number": number, "store": "s" * len(number)})
        key = str(message.key.model_copy(update={"ref": ref}))
        tags = tags_of(key)
        assert all(len(value) <= 256 and set(value) <= set(ALPHABET) for value in tags.values())
        assert key_in({**{name: (value,) for name, value in tags.items()}, "ses:from-domain": ("x",)}) == key

    @pytest.mark.parametrize("value", ["", "!", "Zm9v!", "_w", "é"])
    def test_a_tag_that_is_no_key_is_none(self, value: str) -> None:
        assert key_in({"orderack_key": (value,)}) is None

    @pytest.mark.parametrize(
        "recipient", ["ada@example.com, eve@example.com", "Ada <ada@example.com>", "ada", "a@b\r\nBcc: x@y.z"]
    )
    async def test_what_is_not_one_address_never_leaves(self, recipient: str) -> None:
        async with self.provider() as (peer, channel):
            with pytest.raises(Refused) as caught:
                await channel.send(self.message().model_copy(update={"recipient": recipient}))
            assert caught.value.reason is Reason.BAD_RECIPIENT
            assert peer.received == []

    @pytest.mark.parametrize(
        ("region", "endpoint"),
        [
            ("eu-central-1", "https://email.eu-central-1.amazonaws.com"),
            ("us-gov-west-1", "https://email.us-gov-west-1.amazonaws.com"),
        ],
    )
    def test_the_endpoint_is_the_regions(self, region: str, endpoint: str) -> None:
        assert settings(None, region=region).endpoint == endpoint

    # -- settings --------------------------------------------------------------------------------------------------

    def test_without_botocore_it_is_not_configured_and_says_what_to_install(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        given = settings("http://127.0.0.1:9").model_dump(mode="json", exclude_none=True)
        for name, value in (given | {"secret_access_key": SECRET}).items():
            monkeypatch.setenv(f"ORDERACK_SES_EMAIL_{name.upper()}", str(value))
        assert "ses_email" in channels.build(["ses_email"]).ready
        for name in [name for name in sys.modules if name.partition(".")[0] == "botocore"]:
            monkeypatch.delitem(sys.modules, name)
        monkeypatch.setattr(sys, "meta_path", [_Without(), *sys.meta_path])
        monkeypatch.setattr("orderack.clients.sigv4.find_spec", lambda name: None)
        (lack,) = channels.build(["ses_email"]).not_configured["ses_email"]
        assert lack == "not configured: install orderack[ses]"

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("region", "eu-central-1.evil.example/"),
            ("region", "Frankfurt"),
            ("access_key_id", "short"),
            ("configuration_set", "two words"),
            ("sns_topic_arn", "arn:aws:sqs:eu-central-1:123456789012:orders"),
            ("sns_topic_arn", "arn:aws:sns:evil.example/:123456789012:orders"),
            ("session_token", "line\nend"),
            ("session_token", "tökén"),
        ],
    )
    def test_a_setting_that_is_none_is_refused_and_not_shown(self, field: str, value: str) -> None:
        with pytest.raises(ValueError, match=r"validation error") as caught:
            settings("http://127.0.0.1:9", **{field: value})
        assert value not in str(caught.value)

    # -- checking --------------------------------------------------------------------------------------------------

    async def test_a_check_tells_the_quota_and_whether_it_is_sess_own_sandbox(self) -> None:
        async with self.provider() as (peer, channel):
            peer.will(json_answer(200, ACCOUNT | {"ProductionAccessEnabled": False}), json_answer(200, DESTINATIONS))
            assert await channel.check() == (
                "eu-central-1: SES's own sandbox, verified recipients only; 50000 a day, 14 a second"
            )
            assert [request.target for request in peer.received] == [
                model().operation_model("GetAccount").http["requestUri"],
                "/v2/email/configuration-sets/orders/event-destinations",
            ]

    @pytest.mark.parametrize(
        ("answers", "setting"),
        [
            ((json_answer(200, ACCOUNT | {"SendingEnabled": False}),), "REGION"),
            ((json_answer(200, ACCOUNT), json_answer(200, {"EventDestinations": []})), "SNS_TOPIC_ARN"),
            ((json_answer(200, ACCOUNT), error(404, "NotFoundException")), "CONFIGURATION_SET"),
            ((error(403, "AccessDeniedException"),), "ACCESS_KEY_ID"),
            ((error(403, "SignatureDoesNotMatch"),), "SECRET_ACCESS_KEY"),
        ],
    )
    async def test_a_check_names_what_is_wrong(self, answers: tuple[Answer, ...], setting: str) -> None:
        async with self.provider() as (peer, channel):
            peer.will(*answers)
            with pytest.raises(Misconfigured, match=f"ORDERACK_SES_EMAIL_{setting}"):
                await channel.check()

    # -- events ----------------------------------------------------------------------------------------------------

    async def test_every_example_that_aws_publishes_maps(self) -> None:
        examples = json.loads(spec("ses/event_examples.json").read_text())
        assert {example["eventType"] for example in examples.values()} == set(VENDOR_EVENT)
        async with self.channel() as channel:
            for name, example in examples.items():
                request = RawRequest(url=WEBHOOK_URL, headers={}, body=sns_topic.post(json.dumps(example), NOW))
                await channel.verify(request)
                (event,) = channel.events(request)
                wanted = {**self.statuses, "Subscription": (EvidenceEvent.OPTED_OUT, None)}
                assert (event.event, event.grade) == wanted[example["eventType"]], name
                assert event.provider_id == example["mail"]["messageId"]
                opted_out = event.event is EvidenceEvent.OPTED_OUT
                assert event.sender == (example["mail"]["destination"][0] if opted_out else None), name

    async def test_every_kind_of_event_in_the_service_model_is_mapped(self) -> None:
        words = {word.replace(" ", "").upper() for word in VENDOR_EVENT}
        assert words == {word.replace("_", "") for word in model().shape_for("EventType").enum}

    @pytest.mark.parametrize("kind", ["Permanent", "Transient", "Undetermined"])
    async def test_a_bounce_says_which_kind_it_is(self, kind: str) -> None:
        async with self.channel() as channel:
            (event,) = channel.events(self.callback("Bounce", bounceType=kind, bounceSubType="General"))
            assert (event.event, event.grade) == (EvidenceEvent.BOUNCED, None)
            assert event.basis == f"ses_email:Bounce:{kind}:General"

    async def test_a_complaint_names_who_complained_and_not_spam_is_none(self) -> None:
        async with self.channel() as channel:
            said = [{"emailAddress": "Ada@Example.com"}]
            (event,) = channel.events(self.callback("Complaint", complainedRecipients=said))
            assert (event.event, event.sender) == (EvidenceEvent.OPTED_OUT, "Ada@Example.com")
            (event,) = channel.events(self.callback("Complaint", complaintFeedbackType="not-spam"))
            assert (event.event, event.sender) == (EvidenceEvent.UNKNOWN, None)

    @pytest.mark.parametrize(
        ("agent", "ip", "reason"),
        [
            ("Mozilla/5.0", "203.0.113.9", "apple_mail_preload"),
            ("Mozilla/5.0 (Windows NT 5.1) Firefox/11.0 (via ggpht.com GoogleImageProxy)", "", "google_image_proxy"),
            ("Barracuda Sentinel (EE)", "203.0.113.9", "barracuda"),
            ("", "203.0.113.9", "no_user_agent"),
        ],
    )
    @pytest.mark.parametrize("status", ["Open", "Click"])
    async def test_what_a_machine_opened_or_followed_is_a_machine_touch_with_its_reasons(
        self, status: str, agent: str, ip: str, reason: str
    ) -> None:
        async with self.channel() as channel:
            (event,) = channel.events(self.callback(status, userAgent=agent, ipAddress=ip))
            assert (event.event, event.grade) == (EvidenceEvent.MACHINE_TOUCH, Grade.M)
            assert event.machine == (reason,)

    async def test_sess_own_test_message_is_kept_and_means_nothing(self) -> None:
        text = "Successfully validated SNS topic for Amazon SES event publishing."
        async with self.channel() as channel:
            (event,) = channel.events(RawRequest(url=WEBHOOK_URL, headers={}, body=sns_topic.post(text, NOW)))
            assert (event.event, event.grade, event.raw) == (EvidenceEvent.UNKNOWN, None, text)

    async def test_the_time_is_the_events_and_the_ids_are_the_posts_and_the_mails(self) -> None:
        async with self.channel() as channel:
            (event,) = channel.events(self.callback("Delivery"))
            assert event.occurred_at.isoformat() == "2026-11-21T09:29:30.123000+00:00"
            assert event.provider_id == MESSAGE_ID
            assert event.id == "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324:Delivery"

    def test_the_key_in_the_payload_is_the_suites(self) -> None:
        tags = json.loads(payload("ses_email/event.json"))["mail"]["tags"]
        assert base64.urlsafe_b64decode(tags["orderack_key"][0]).decode() == WEBHOOK_KEY

    async def test_a_post_is_good_for_an_hour(self) -> None:
        async with self.channel() as channel:
            body = self.callback("Delivery").body
            for minutes in (-59, 59):
                await channel.verify(self.signed(body, NOW + timedelta(minutes=minutes)))
            for minutes in (-61, 61):
                with pytest.raises(BadSignature):
                    await channel.verify(self.signed(body, NOW + timedelta(minutes=minutes)))

    # -- greeting --------------------------------------------------------------------------------------------------

    async def test_a_subscription_of_our_topic_is_confirmed_and_a_notification_is_no_greeting(self) -> None:
        async with running_peer() as peer:
            channel = SesEmail(settings(peer.url, sns_base_url=peer.url), clock=lambda: NOW)
            peer.will(Answer(200, sns_topic.pem(NOW)), Answer(200, b"<ConfirmSubscriptionResponse/>"))
            query = urlencode(
                {"Action": "ConfirmSubscription", "TopicArn": sns_topic.TOPIC, "Token": "2336412f37"}, safe=":"
            )
            where = f"{peer.url}{sns_topic.CERTIFICATE}"
            asked = sns_topic.confirmation(NOW, f"{peer.url}/?{query}", SigningCertURL=where)
            greeting = await channel.greet(RawRequest(url=WEBHOOK_URL, headers={}, body=asked))
            assert greeting is not None
            assert greeting.status == 200
            assert [request.target.partition("?")[0] for request in peer.received] == [sns_topic.CERTIFICATE, "/"]
            assert await channel.greet(self.callback("Delivery")) is None
            assert await channel.greet(RawRequest(url=WEBHOOK_URL, headers={}, body=b"nothing")) is None
            assert len(peer.received) == 2
            await channel.aclose()

    async def test_a_subscription_that_ends_is_heard_and_nothing_is_visited(self) -> None:
        async with self.provider() as (peer, channel):
            ended = sns_topic.confirmation(NOW, f"{sns_topic.HOME}/?x", Type="UnsubscribeConfirmation")
            assert await channel.greet(RawRequest(url=WEBHOOK_URL, headers={}, body=ended)) is not None
            assert peer.received == []

    async def test_a_subscription_that_is_not_proved_is_refused(self) -> None:
        async with self.channel() as channel:
            asked = json.loads(sns_topic.confirmation(NOW, f"{sns_topic.HOME}/?x")) | {"Token": "other"}
            with pytest.raises(BadSignature):
                await channel.greet(RawRequest(url=WEBHOOK_URL, headers={}, body=json.dumps(asked).encode()))

    async def test_while_the_certificate_cannot_be_fetched_it_is_unavailable(self) -> None:
        async with self.channel() as channel:
            channel._sns._certificates.clear()
            with pytest.raises(Unavailable):
                await channel.verify(self.callback("Delivery"))


ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"


def unknown(value: object, shape: botocore.model.Shape, path: str = "") -> list[str]:
    """Names that the service model does not have: botocore's validator lets them pass."""
    if shape.type_name == "structure" and isinstance(value, dict):
        members = shape.members
        strange = [f"{path}{name}" for name in value if name not in members]
        known = [unknown(value[name], members[name], f"{path}{name}.") for name in value if name in members]
        return strange + [name for found in known for name in found]
    if shape.type_name == "list" and isinstance(value, list):
        return [name for item in value for name in unknown(item, shape.member, path)]
    return []


class _Without:
    """An installation without botocore: whoever imports it finds nothing."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        if name.partition(".")[0] == "botocore":
            raise ModuleNotFoundError(name)
