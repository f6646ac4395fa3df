"""The SMTP mailbox and the pages: what came in can be read, and can do no harm."""

import asyncio
import smtplib
import time
from email.message import EmailMessage

import aiosmtplib
import pytest

from orderack.embedded.sandbox import Action, Fault, Sandbox, Target
from orderack.embedded.sandbox.record import Outbox

KEY = "shop/A-1/1/confirmation/1/smtp_email"
HOSTILE = (
    '<script>alert(1)</script><img src="http://tracker.invalid/pixel.gif" onerror="alert(2)">'
    '<a href="javascript:alert(3)">x</a><a href="http://127.0.0.1:8090/o/token?a=1&amp;b=2">Your order</a>'
)


def mail(
    to: str = "ada@example.com", subject: str = "Order A-1", html: str | None = "<p>Thank you, Åda</p>"
) -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "orders@shop.example", to, subject
    message["Message-ID"], message["X-Orderack-Key"] = "<a-1@shop.example>", KEY
    message.set_content("Thank you, Åda <b>&</b> all")
    if html is not None:
        message.add_alternative(html, subtype="html")
    return message


async def send(sandbox: Sandbox, message: EmailMessage, patience: float = 5) -> str:
    _, answer = await aiosmtplib.send(message, hostname="127.0.0.1", port=sandbox.smtp_port, timeout=patience)
    return answer


async def test_a_mail_sent_by_smtp_is_in_the_list_and_in_the_log(sandbox, http):
    assert (await send(sandbox, mail())).startswith("2.0.0 Ok")
    (entry,) = sandbox.state.log.entries(Target.SMTP)
    assert (entry.recipient, entry.key, entry.provider_id) == ("ada@example.com", KEY, "<a-1@shop.example>")
    page = (await http.get("/mailbox")).text
    for shown in ("ada@example.com", "Order A-1", KEY):
        assert shown in page
    (found,) = (await http.get("/mailbox", params={"format": "json"})).json()["messages"]
    assert (found["subject"], found["text"].strip()) == ("Order A-1", "Thank you, Åda <b>&</b> all")
    assert found["html"].strip() == "<p>Thank you, Åda</p>"


async def test_the_standard_librarys_client_is_served_too(sandbox):
    def talk():
        with smtplib.SMTP("127.0.0.1", sandbox.smtp_port, timeout=5) as client:
            return client.send_message(mail(html=None))

    assert await asyncio.to_thread(talk) == {}
    assert sandbox.state.outbox.find()[0].html is None


async def test_hostile_html_is_shown_only_in_a_frame_that_runs_and_loads_nothing(sandbox, http):
    await send(sandbox, mail(subject="<script>alert(0)</script>", html=HOSTILE))
    page = await http.get("/mailbox/1")
    assert "<script" not in page.text
    assert "onerror" not in page.text
    assert "&lt;script&gt;alert(0)&lt;/script&gt;" in page.text
    only_new_tabs = "allow-popups allow-popups-to-escape-sandbox"
    assert f'<iframe class="paper" sandbox="{only_new_tabs}" title' in page.text
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    frame = await http.get("/mailbox/1/html")
    policy = frame.headers["Content-Security-Policy"].split("; ")
    assert {"default-src 'none'", "img-src data:", f"sandbox {only_new_tabs}"} <= set(policy)
    assert not any(rule.startswith("script-src") for rule in policy)
    assert HOSTILE in frame.text
    assert "<script" not in (await http.get("/mailbox")).text


async def test_links_out_of_a_message_are_listed_and_only_web_addresses_are(sandbox, http):
    await send(sandbox, mail(html=HOSTILE))
    page = (await http.get("/mailbox/1")).text
    assert 'href="http://127.0.0.1:8090/o/token?a=1&amp;b=2"' in page
    assert "javascript:" not in page


async def test_a_link_in_a_text_message_can_be_followed(sandbox, http):
    text = "Order A-1: http://127.0.0.1:8090/o/t?a=1&b=2 <javascript:alert(1)>"
    sandbox.state.outbox.put(Target.TWILIO, recipient="+15005550010", provider_id="SM1", text=text)
    page = (await http.get("/mailbox/1")).text
    assert page.count("<li><a href") == 1
    assert 'href="http://127.0.0.1:8090/o/t?a=1&amp;b=2" rel="noreferrer noopener"' in page


async def test_a_filter_that_is_hostile_is_shown_as_text(http):
    page = (await http.get("/mailbox", params={"q": '"><script>alert(1)</script>', "channel": "nonsense"})).text
    assert "<script" not in page


async def test_all_channels_are_one_list_newest_first_and_can_be_filtered(sandbox, http):
    outbox = sandbox.state.outbox
    outbox.put(Target.TWILIO, recipient="+15005550010", provider_id="SM1", text="Order A-1", key="shop/A-1/1")
    outbox.put(Target.SENDGRID, recipient="ada@example.com", provider_id="X1", subject="Order A-2", key="shop/A-2/1")
    outbox.put(Target.SLACK, recipient="C0ALERTS00", provider_id="C/1", text="late", key="shop/A-2/1")

    async def ids(**query: str) -> list[int]:
        answer = await http.get("/mailbox", params={"format": "json", **query})
        return [message["id"] for message in answer.json()["messages"]]

    assert await ids() == [3, 2, 1]
    assert await ids(q="A-2") == [3, 2]
    assert await ids(q="ADA@") == [2]
    assert await ids(channel="twilio") == [1]
    assert await ids(q="A-2", channel="slack") == [3]


@pytest.mark.parametrize("target", Target)
async def test_whoever_took_a_message_it_can_be_read(sandbox, http, target):
    sandbox.state.outbox.put(target, recipient="somebody", provider_id="1", text="Order 1001 is confirmed")
    for path in ("/mailbox", "/mailbox/1"):
        page = await http.get(path)
        assert (page.status_code, "Order 1001 is confirmed" in page.text) == (200, True)


async def test_a_message_that_is_gone_is_a_404(http):
    assert [(await http.get(path)).status_code for path in ("/mailbox/9", "/mailbox/9/html")] == [404, 404]


async def test_every_recipient_gets_an_entry_and_a_broken_charset_is_still_shown(sandbox):
    raw = (
        b"From: orders@shop.example\r\nTo: ada@example.com, bob@example.com\r\nSubject: =?x-no?q?=ff?=\r\n"
        b"Content-Type: text/plain; charset=x-no-such\r\n\r\nCaf\xe9\r\n"
    )

    def talk():
        with smtplib.SMTP("127.0.0.1", sandbox.smtp_port, timeout=5) as client:
            client.sendmail("orders@shop.example", ["ada@example.com", "bob@example.com"], raw)

    await asyncio.to_thread(talk)
    assert {message.recipient for message in sandbox.state.outbox.find()} == {"ada@example.com", "bob@example.com"}
    assert sandbox.state.outbox.find()[0].text.startswith("Caf")


def test_the_outbox_is_bounded_and_keeps_the_latest():
    outbox = Outbox(size=2)
    for number in range(4):
        outbox.put(Target.SMTP, recipient=f"{number}@example.com", provider_id="x")
    assert [message.id for message in outbox.find()] == [4, 3]
    assert outbox.get(1) is None


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ({"action": Action.REFUSE}, 550),
        ({"action": Action.REFUSE, "code": "552"}, 552),
        ({"action": Action.THROTTLE, "retry_after": 5}, 450),
        ({"action": Action.FAIL}, 451),
    ],
)
async def test_smtp_says_no_in_its_own_codes_and_keeps_nothing(sandbox, fault, code):
    sandbox.state.faults.add(Fault(target=Target.SMTP, match="ada@example.com", **fault))
    with pytest.raises(aiosmtplib.SMTPResponseException) as refused:
        await send(sandbox, mail())
    assert refused.value.code == code
    assert sandbox.state.outbox.find() == ()
    await send(sandbox, mail())


@pytest.mark.parametrize(("action", "kept"), [(Action.CUT_OFF_BEFORE, 0), (Action.CUT_OFF_AFTER_ACCEPT, 1)])
async def test_smtp_cuts_off_and_the_log_knows_whether_it_accepted(sandbox, action, kept):
    sandbox.state.faults.add(Fault(target=Target.SMTP, action=action))
    with pytest.raises(aiosmtplib.SMTPServerDisconnected):
        await send(sandbox, mail())
    assert len(sandbox.state.log.entries(Target.SMTP)) == kept
    assert sandbox.state.faults.unfired() == ()


async def test_smtp_hangs_until_the_client_gives_up_and_slow_is_late(sandbox):
    sandbox.state.faults.add(Fault(target=Target.SMTP, action=Action.HANG))
    with pytest.raises(aiosmtplib.SMTPTimeoutError):
        await send(sandbox, mail(), patience=0.2)
    assert sandbox.state.log.entries() == ()
    sandbox.state.faults.add(Fault(target=Target.SMTP, action=Action.SLOW, seconds=0.2))
    began = time.monotonic()
    await send(sandbox, mail())
    assert time.monotonic() - began >= 0.2


async def test_smtp_nonsense_is_no_answer_that_a_client_understands(sandbox):
    sandbox.state.faults.add(Fault(target=Target.SMTP, action=Action.NONSENSE))
    with pytest.raises(aiosmtplib.SMTPException):
        await send(sandbox, mail())
    assert len(sandbox.state.log.entries(Target.SMTP)) == 1
