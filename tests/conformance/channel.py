"""What every channel must do. A new channel inherits one of these classes and brings its vendor's payloads.

`ChannelConformance` asks what holds without a provider, `HttpChannelConformance` adds a provider on a real socket,
`WebhookConformance` adds what the provider posts back.
"""

import logging
import traceback
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import ClassVar
from urllib.parse import quote_plus

import pytest
from pydantic import ValidationError

from orderack import channels
from orderack.channels import load
from orderack.clients import http
from orderack.domain.acknowledgement import Audience, Kind, Reason, SendKey
from orderack.domain.evidence import EvidenceEvent, Grade
from orderack.domain.order import OrderRef
from orderack.errors import BadSignature, InDoubt, InvalidInput, Misconfigured, Refused, Unavailable, Unsupported
from orderack.ports import Channel, Checks, Idempotency, Medium, Message, RawRequest, Rendered
from tests.conformance.peer import Answer, CutOff, Peer, Received, Silence, closed_port, running_peer

NOW = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
BODY = "Order A-1001 is with us. Ada Example, 1 Analytical Way."
WEBHOOK_URL = "https://acks.example.com/webhooks/some?orderack_key=shop%2FA-1001%2F1%2Fconfirmation%2F1%2Fsome"
WEBHOOK_KEY = "shop/A-1001/1/confirmation/1/some"


Statuses = Mapping[str, tuple[EvidenceEvent, Grade | None]]
"""The vendor's word → what it means to us, and its grade."""


def a_message(channel: str, recipient: str, **content: str | None) -> Message:
    """A confirmation of revision 1 to this recipient."""
    shapes = {"subject": "Your order A-1001", "text": BODY, "html": f"<p>{BODY}</p>", "sms": BODY}
    shapes["link"] = "https://acks.example.com/o/abc"
    return Message(
        key=SendKey(
            ref=OrderRef(store="shop", number="A-1001"), revision=1, kind=Kind.CONFIRMATION, n=1, channel=channel
        ),
        recipient=recipient,
        kind=Kind.CONFIRMATION,
        language="en",
        content=Rendered.model_validate(shapes | content),
        status_url="https://acks.example.com/webhooks/some",
    )


def told(error: BaseException) -> str:
    """Everything an error would show anyone: text, repr and the whole printed traceback."""
    return "\n".join([str(error), repr(error), *traceback.format_exception(error)])


class ChannelConformance(ABC):
    """Holds for every channel, with or without a provider."""

    name: ClassVar[str]
    recipient: ClassVar[str]
    audience: ClassVar[Audience] = Audience.BUYER
    secrets: ClassVar[Sequence[str]] = ()
    required: ClassVar[Sequence[str]] = ()
    """Environment variables without which it is not configured."""

    @abstractmethod
    def make(self, base_url: str) -> Channel:
        """The channel with invented settings, its clock standing at NOW."""

    @asynccontextmanager
    async def channel(self, base_url: str = "http://127.0.0.1:9") -> AsyncIterator[Channel]:
        made = self.make(base_url)
        try:
            yield made
        finally:
            await made.aclose()

    def message(self, **content: str | None) -> Message:
        return a_message(self.name, self.recipient, **content)

    def test_the_name_is_the_files_and_the_registration_speaks_for_the_adapter(self) -> None:
        spec = load()[self.name]
        assert spec.adapter.name == self.name
        assert type(self.make("http://127.0.0.1:9")) is spec.adapter
        assert spec.description
        assert spec.obtain
        assert all(variable.description for variable in spec.variables)

    def test_without_settings_it_is_not_configured_and_says_which_are_missing(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for variable in load()[self.name].variables:
            monkeypatch.delenv(variable.name, raising=False)
        built = channels.build([self.name])
        if not self.required:
            assert self.name in built.ready
            return
        assert set(built.not_configured[self.name]) == {f"{variable} is missing" for variable in self.required}
        with pytest.raises(Misconfigured, match=self.required[0]):
            built[self.name]

    async def test_its_representation_shows_no_secret(self) -> None:
        async with self.channel() as channel:
            shown = repr(channel) + repr(vars(channel) if hasattr(channel, "__dict__") else "")
            assert not [secret for secret in self.secrets if secret in shown]

    async def test_what_it_does_not_promise_to_look_up_is_unsupported(self) -> None:
        async with self.channel() as channel:
            if channel.traits.idempotency in (Idempotency.ECHO, Idempotency.NONE):
                with pytest.raises(Unsupported):
                    await channel.lookup(self.message(), NOW)

    async def test_a_message_over_the_declared_length_is_unsupported(self) -> None:
        async with self.channel() as channel:
            if (limit := channel.traits.max_length) is None:
                assert channel.traits.medium in (Medium.EMAIL, Medium.PAGE, Medium.RECORD), (
                    "others have a limit worth knowing"
                )
                return
            with pytest.raises(Unsupported):
                await channel.send(self.message(sms=None, chat=None, text="x" * (limit + 1)))

    async def test_its_audience_is_kept_apart(self) -> None:
        async with self.channel() as channel:
            assert channel.traits.audience is self.audience

    async def test_an_unsigned_request_is_refused(self) -> None:
        async with self.channel() as channel:
            with pytest.raises(BadSignature):
                await channel.verify(RawRequest(url=WEBHOOK_URL, headers={}, body=b"{}"))


class HttpChannelConformance(ChannelConformance):
    """Holds for every channel with a provider behind HTTP. The provider is a real server on this machine."""

    accepted: ClassVar[Answer]
    provider_id: ClassVar[str | None]
    login: ClassVar[Sequence[Answer]] = ()
    """What the vendor answers while the adapter signs in: before its first request only."""
    prelude: ClassVar[Sequence[Answer]] = ()
    """What it answers to the requests that every send makes before the one that sends."""
    relogins: ClassVar[bool] = False
    """A 401 makes the adapter sign in anew, once, and send again: the token may have been revoked."""
    found: ClassVar[Sequence[Answer]] = ()
    """What it answers to a look-up of a message that it has."""
    missing: ClassVar[Sequence[Answer]] = ()
    """The same of one that it has not."""
    healthy: ClassVar[Sequence[Answer]] = ()
    """What it answers to `check` when all is well, where the channel can be checked."""
    refusals: ClassVar[Sequence[tuple[Answer, Reason]]]
    ours_to_mend: ClassVar[Sequence[Answer]]
    not_now: ClassVar[Sequence[Answer]] = ()
    """Besides 429."""
    in_doubt: ClassVar[Sequence[Answer]] = ()
    """Besides 5xx."""
    throttled_body: ClassVar[bytes] = b"{}"
    nowhere: ClassVar[str] = "http://nowhere.invalid"
    """A base URL whose name does not resolve."""

    @asynccontextmanager
    async def provider(self) -> AsyncIterator[tuple[Peer, Channel]]:
        async with running_peer() as peer, self.channel(peer.url) as channel:
            yield peer, channel

    async def sent(self, message: Message | None = None) -> Received:
        """The request that one accepted send makes."""
        async with self.provider() as (peer, channel):
            peer.will(*self.login, *self.prelude, self.accepted)
            await channel.send(message or self.message())
            assert len(peer.received) == len(self.login) + len(self.prelude) + 1
            return peer.received[-1]

    async def failure(self, answer: Answer | CutOff | Silence) -> Exception:
        """The error of one send answered like this; a second request would be a hidden retry."""
        script = [*self.login, *self.prelude, answer]
        if self.relogins and isinstance(answer, Answer) and answer.status == 401:
            script += [*self.login, answer]
        async with self.provider() as (peer, channel):
            peer.will(*script)
            with pytest.raises(Exception) as caught:  # noqa: PT011 - the tests look at its type
                await channel.send(self.message())
            assert len(peer.received) == len(script), "it must not repeat by itself"
            return caught.value

    async def test_an_accepted_send_returns_the_providers_id(self) -> None:
        async with self.provider() as (peer, channel):
            peer.will(*self.login, *self.prelude, self.accepted)
            assert (await channel.send(self.message())).provider_id == self.provider_id

    async def test_what_fails_before_the_send_itself_is_unavailable_for_nothing_was_sent(self) -> None:
        before = (*self.login, *self.prelude)
        for place in range(len(before)):
            for broken in (CutOff(), Answer(503, b"{}"), Answer(429, b"{}")):
                async with self.provider() as (peer, channel):
                    peer.will(*before[:place], broken)
                    with pytest.raises(Unavailable):
                        await channel.send(self.message())
                    assert len(peer.received) == place + 1

    async def test_a_look_up_finds_what_the_vendor_has_and_nothing_else(self) -> None:
        if not self.found:
            assert type(self.make("http://127.0.0.1:9")).traits.idempotency is not Idempotency.LOOKUP
            return
        async with self.provider() as (peer, channel):
            peer.will(*self.login, *self.found, *self.missing)
            found = await channel.lookup(self.message(), NOW)
            assert found is not None
            assert found.provider_id
            assert await channel.lookup(self.message(), NOW) is None
        for broken in (CutOff(), Answer(503, b"{}")):
            async with self.provider() as (peer, channel):
                peer.will(*self.login, broken)
                with pytest.raises((Unavailable, InDoubt)):
                    await channel.lookup(self.message(), NOW)

    async def test_a_check_says_what_is_right_and_names_the_setting_that_is_wrong(self) -> None:
        if not isinstance(self.make("http://127.0.0.1:9"), Checks):
            assert not self.healthy
            return
        assert self.healthy, "say what the vendor answers to a check"
        async with self.provider() as (peer, channel):
            peer.will(*self.login, *self.healthy)
            assert isinstance(channel, Checks)
            said = await channel.check()
            assert said
            assert not [secret for secret in self.secrets if secret in said]
            assert all(request.method in ("GET", "HEAD", "POST") for request in peer.received)
        async with self.provider() as (peer, channel):
            peer.will(Answer(401, b"{}"))
            assert isinstance(channel, Checks)
            with pytest.raises(Misconfigured, match=f"ORDERACK_{self.name.upper()}_"):
                await channel.check()
        async with self.channel(f"http://127.0.0.1:{await closed_port()}") as channel:
            assert isinstance(channel, Checks)
            with pytest.raises(Unavailable):
                await channel.check()

    async def test_the_same_key_twice_is_the_same_request_byte_for_byte(self) -> None:
        async with self.provider() as (peer, channel):
            peer.will(*self.login, *self.prelude, self.accepted, *self.prelude, self.accepted)
            await channel.send(self.message())
            await channel.send(self.message())
            requests = peer.received[len(self.login) :]
            half = len(requests) // 2
            assert [request.raw for request in requests[:half]] == [request.raw for request in requests[half:]]

    async def test_every_documented_refusal_has_our_reason_and_keeps_the_vendors_code(self) -> None:
        for answer, reason in self.refusals:
            error = await self.failure(answer)
            assert isinstance(error, Refused), answer
            assert error.reason is reason, answer
            assert error.code, answer

    async def test_what_is_ours_to_mend_is_misconfigured_and_names_a_setting(self) -> None:
        for answer in self.ours_to_mend:
            error = await self.failure(answer)
            assert isinstance(error, Misconfigured), answer
            assert f"ORDERACK_{self.name.upper()}_" in str(error), answer

    async def test_a_redirect_is_not_followed(self) -> None:
        assert isinstance(await self.failure(Answer(302, headers={"Location": "http://127.0.0.1:9/"})), Misconfigured)

    @pytest.mark.parametrize(
        ("headers", "wait"),
        [
            ({"Retry-After": "7"}, timedelta(seconds=7)),
            ({"Retry-After": "0"}, timedelta(0)),
            ({"Retry-After": format_datetime(NOW + timedelta(seconds=90), usegmt=True)}, timedelta(seconds=90)),
            ({"Retry-After": format_datetime(NOW - timedelta(days=1), usegmt=True)}, timedelta(0)),
            ({"X-RateLimit-Reset": str(int(NOW.timestamp()) + 40)}, timedelta(seconds=40)),
            ({"Retry-After": "999999999999"}, http.LONGEST_WAIT),
            ({"Retry-After": "soon"}, None),
            ({}, None),
        ],
    )
    async def test_throttling_is_unavailable_until_the_time_it_names(
        self, headers: Mapping[str, str], wait: timedelta | None
    ) -> None:
        error = await self.failure(Answer(429, self.throttled_body, headers))
        assert isinstance(error, Unavailable)
        assert error.retry_after == wait

    async def test_what_the_vendor_says_it_cannot_do_now_is_unavailable(self) -> None:
        for answer in self.not_now:
            assert isinstance(await self.failure(answer), Unavailable), answer

    async def test_a_provider_that_is_down_is_unavailable_for_nothing_was_sent(self) -> None:
        async with self.channel(f"http://127.0.0.1:{await closed_port()}") as channel:
            with pytest.raises(Unavailable):
                await channel.send(self.message())

    async def test_a_name_that_does_not_resolve_is_unavailable(self) -> None:
        async with self.channel(self.nowhere) as channel:
            with pytest.raises(Unavailable):
                await channel.send(self.message())

    @pytest.mark.parametrize(
        "url",
        ["mailto:nobody", "nothing at all", "http://x:port", "http://", "https://me:pw@x.example", "http://x/?a=1"],
    )
    def test_a_base_url_that_is_none_is_refused_with_the_settings(self, url: str) -> None:
        with pytest.raises(ValidationError) as caught:
            self.make(url)
        assert url not in str(caught.value)

    async def test_cut_off_after_sending_is_in_doubt(self) -> None:
        assert isinstance(await self.failure(CutOff()), InDoubt)

    async def test_silence_after_sending_is_in_doubt(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(http, "TOTAL_SECONDS", 0.3)
        assert isinstance(await self.failure(Silence()), InDoubt)

    @pytest.mark.parametrize("status", [408, 500, 502, 503, 504])
    async def test_a_breakdown_after_sending_is_in_doubt(self, status: int) -> None:
        assert isinstance(await self.failure(Answer(status, b"{}")), InDoubt)

    @pytest.mark.parametrize("body", [b"", b"<html>It works!</html>", b"[]", b"null", b'{"ok": 1', b"\xff\xfe"])
    async def test_a_200_that_says_nothing_is_in_doubt(self, body: bytes) -> None:
        assert isinstance(await self.failure(Answer(200, body)), InDoubt)

    async def test_what_the_vendor_itself_calls_unclear_is_in_doubt(self) -> None:
        for answer in self.in_doubt:
            assert isinstance(await self.failure(answer), InDoubt), answer

    async def test_no_error_and_no_log_shows_a_secret_or_the_buyers_data(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        shown = ""
        echoing = Answer(400, f'{{"message": "no {self.recipient}", "detail": "{BODY}"}}'.encode())
        for answer in (echoing, replace(echoing, status=401), replace(echoing, status=503), CutOff(), self.accepted):
            async with self.provider() as (peer, channel):
                peer.will(*self.login, *self.prelude, answer)
                try:
                    await channel.send(self.message())
                except (Refused, Misconfigured, InDoubt, Unavailable) as error:
                    shown += told(error)
        shown += caplog.text
        hidden = (*self.secrets, self.recipient, quote_plus(self.recipient), "Analytical")
        assert not [word for word in hidden if word in shown]


class WebhookConformance(ChannelConformance):
    """Holds for every channel whose provider posts events to us."""

    statuses: ClassVar[Statuses]
    """Every word the vendor documents."""
    key: ClassVar[str | None] = WEBHOOK_KEY
    signs_body: ClassVar[bool] = True
    """Whether the vendor's proof covers the body. Where not, it vouches for the sender only."""
    has_window: ClassVar[bool] = True
    """Whether the vendor's signature carries a time. Where not, only the event's id catches a replay."""
    window: ClassVar[timedelta] = timedelta(minutes=10)
    """How far that time may lie from ours at most."""
    malformed: ClassVar[Sequence[bytes]]
    """Bodies that are not the vendor's."""

    @abstractmethod
    def callback(self, status: str) -> RawRequest:
        """A request with this one status, signed at NOW by other code than the adapter's."""

    @abstractmethod
    def signed(self, body: bytes, at: datetime) -> RawRequest:
        """A request with this body, signed at that time."""

    async def test_every_vendor_status_has_our_meaning_and_grade(self) -> None:
        async with self.channel() as channel:
            for status, (meaning, grade) in self.statuses.items():
                request = self.callback(status)
                await channel.verify(request)
                (event,) = channel.events(request)
                assert (event.event, event.grade) == (meaning, grade), status
                assert event.basis.startswith(f"{self.name}:"), status
                assert event.key == (self.key if meaning is not EvidenceEvent.UNKNOWN else event.key), status
                assert event.raw, status

    async def test_no_event_claims_more_than_the_channels_ceiling(self) -> None:
        async with self.channel() as channel:
            ceiling = channel.traits.evidence_ceiling.rank
            grades = [event.grade for status in self.statuses for event in channel.events(self.callback(status))]
            assert max(grade.rank for grade in grades if grade) <= ceiling

    async def test_a_word_the_vendor_invents_tomorrow_is_unknown_and_kept_raw(self) -> None:
        async with self.channel() as channel:
            (event,) = channel.events(self.callback("levitated"))
            assert event.event is EvidenceEvent.UNKNOWN
            assert event.grade is None
            assert "levitated" in event.raw

    async def test_the_same_callback_twice_has_the_same_event_id(self) -> None:
        async with self.channel() as channel:
            status = next(iter(self.statuses))
            (first,), (second,) = channel.events(self.callback(status)), channel.events(self.callback(status))
            assert first.id == second.id

    async def test_two_statuses_of_one_message_have_two_event_ids(self) -> None:
        async with self.channel() as channel:
            ids = [event.id for status in self.statuses for event in channel.events(self.callback(status))]
            assert len(set(ids)) == len(self.statuses)

    async def test_one_changed_byte_breaks_the_signature(self) -> None:
        async with self.channel() as channel:
            request = self.callback(next(iter(self.statuses)))
            await channel.verify(request)
            if not self.signs_body:
                return
            for changed in (request.body + b"x", request.body[:-1], bytes([request.body[0] ^ 1]) + request.body[1:]):
                with pytest.raises(BadSignature):
                    await channel.verify(request.model_copy(update={"body": changed}))

    async def test_a_truncated_missing_or_garbled_signature_is_refused(self) -> None:
        async with self.channel() as channel:
            request = self.callback(next(iter(self.statuses)))
            for name, value in request.headers.items():
                for wrong in ("", value[:-4], value[1:], "\udcff", "é" * 20, "v0=", "=" * 8, value[::-1]):
                    headers = {**request.headers, name: wrong}
                    with pytest.raises(BadSignature):
                        await channel.verify(request.model_copy(update={"headers": headers}))

    async def test_a_body_that_is_not_utf_8_is_refused_and_not_an_error(self) -> None:
        async with self.channel() as channel:
            request = self.callback(next(iter(self.statuses)))
            if not self.signs_body:
                return
            with pytest.raises(BadSignature):
                await channel.verify(request.model_copy(update={"body": b"\xff\xfe\x00"}))

    async def test_an_old_or_early_signature_is_refused(self) -> None:
        async with self.channel() as channel:
            body = self.callback(next(iter(self.statuses))).body
            for at in (NOW - timedelta(minutes=4), NOW + timedelta(minutes=4)):
                await channel.verify(self.signed(body, at))
            beyond = self.window + timedelta(minutes=1)
            for at in (NOW - beyond, NOW + beyond, NOW - timedelta(days=900)):
                if self.has_window:
                    with pytest.raises(BadSignature):
                        await channel.verify(self.signed(body, at))

    async def test_a_body_that_is_not_the_vendors_names_the_problem(self) -> None:
        async with self.channel() as channel:
            for body in self.malformed:
                with pytest.raises(InvalidInput) as caught:
                    channel.events(self.signed(body, NOW))
                assert all(problem.field and problem.remedy for problem in caught.value.problems), body
