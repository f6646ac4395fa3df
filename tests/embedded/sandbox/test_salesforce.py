"""Salesforce in the sandbox: both adapters, set up by the sandbox's settings alone, get along with it."""

import pytest

from orderack.channels.salesforce_email import SalesforceEmail, SalesforceEmailSettings
from orderack.channels.salesforce_task import SalesforceTask, SalesforceTaskSettings
from orderack.domain.acknowledgement import Reason
from orderack.embedded.sandbox import Action, Fault, Target
from orderack.embedded.sandbox.vendors.salesforce import KEY_FIELD, OWNER
from orderack.errors import InDoubt, Misconfigured, Refused, Unavailable
from tests.channels.test_salesforce_task import ORDER
from tests.conformance.channel import a_message

TASK = a_message("salesforce_task", "ops").model_copy(update={"order": ORDER})
MAIL = a_message("salesforce_email", "ada@example.com")


@pytest.fixture
def own(sandbox, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for name, value in sandbox.environment().items():
        monkeypatch.setenv(name, value)


@pytest.fixture
async def tasks(own):
    made = SalesforceTask(SalesforceTaskSettings())
    yield made
    await made.aclose()


@pytest.fixture
async def mails(own):
    made = SalesforceEmail(SalesforceEmailSettings())
    yield made
    await made.aclose()


def account(sandbox):
    return next(vendor for vendor in sandbox.vendors if vendor.target is Target.SALESFORCE)


async def test_a_task_is_made_once_however_often_it_is_sent(tasks, sandbox):
    first, again = [await tasks.send(TASK) for _ in range(2)]
    assert first.provider_id == again.provider_id
    assert again.detail == "it was there already"
    entries = sandbox.state.log.entries(Target.SALESFORCE, key=TASK.key_text)
    assert [entry.repeated for entry in entries] == [False, True]
    (posted,) = sandbox.state.outbox.find("A-1001", Target.SALESFORCE)
    assert (posted.recipient, posted.subject) == (OWNER, "Your order A-1001")


async def test_a_lost_answer_to_a_task_is_in_doubt_and_the_second_one_settles_it(tasks, sandbox):
    sandbox.state.faults.add(Fault(target=Target.SALESFORCE, action=Action.CUT_OFF_AFTER_ACCEPT))
    with pytest.raises(InDoubt):
        await tasks.send(TASK)
    await tasks.send(TASK)
    assert len(sandbox.state.outbox.find("", Target.SALESFORCE)) == 1
    assert sandbox.state.faults.unfired() == ()


async def test_a_mail_is_sent_and_a_lost_answer_stays_in_doubt(mails, sandbox):
    await mails.send(MAIL)
    (posted,) = sandbox.state.outbox.find("A-1001", Target.SALESFORCE)
    assert (posted.recipient, posted.html) == ("ada@example.com", MAIL.content.html)
    sandbox.state.faults.add(Fault(target=Target.SALESFORCE, action=Action.CUT_OFF_AFTER_ACCEPT))
    with pytest.raises(InDoubt):
        await mails.send(MAIL)


@pytest.mark.parametrize(
    ("fault", "fate"),
    [
        ({"action": Action.REFUSE}, Refused),
        ({"action": Action.THROTTLE, "retry_after": 7}, Unavailable),
        ({"action": Action.FAIL}, InDoubt),
        ({"action": Action.NONSENSE}, InDoubt),
        ({"action": Action.REFUSE, "code": "INVALID_FIELD"}, Misconfigured),
        ({"action": Action.REFUSE, "code": "UNABLE_TO_LOCK_ROW"}, Unavailable),
    ],
)
async def test_every_fault_has_its_fate(tasks, mails, sandbox, fault, fate):
    for channel, message in ((tasks, TASK), (mails, MAIL)):
        sandbox.state.faults.add(Fault(target=Target.SALESFORCE, **fault))
        with pytest.raises(fate) as caught:
            await channel.send(message)
        if isinstance(caught.value, Refused):
            assert caught.value.reason is Reason.BAD_RECIPIENT
        if fault["action"] is Action.THROTTLE:
            assert caught.value.retry_after.total_seconds() == 3_600
    assert sandbox.state.faults.unfired() == ()


async def test_a_session_that_an_administrator_ended_is_renewed(tasks, sandbox):
    await tasks.send(TASK)
    account(sandbox).expire()
    await tasks.send(TASK)
    assert len(sandbox.state.log.entries(Target.SALESFORCE)) == 2


async def test_a_stranger_is_turned_away_and_a_field_that_is_not_there_is_ours_to_mend(tasks, sandbox, monkeypatch):
    assert "signed in" in await tasks.check()
    monkeypatch.setenv("ORDERACK_SALESFORCE_TASK_EXTERNAL_ID_FIELD", "Other__c")
    lost = SalesforceTask(SalesforceTaskSettings())
    with pytest.raises(Misconfigured, match="field names"):
        await lost.send(TASK)
    monkeypatch.setenv("ORDERACK_SALESFORCE_TASK_CLIENT_SECRET", "of someone else")
    stranger = SalesforceTask(SalesforceTaskSettings())
    with pytest.raises(Misconfigured, match=r"invalid_client.*ORDERACK_SALESFORCE_TASK_CLIENT_SECRET"):
        await stranger.send(TASK)
    await lost.aclose()
    await stranger.aclose()
    assert sandbox.state.log.entries() == ()


async def test_a_sender_who_is_not_the_organizations_is_ours_to_mend(own, sandbox, monkeypatch):
    monkeypatch.setenv("ORDERACK_SALESFORCE_EMAIL_SENDER", "eve@example.com")
    channel = SalesforceEmail(SalesforceEmailSettings())
    with pytest.raises(Misconfigured):
        await channel.send(MAIL)
    await channel.aclose()
    assert sandbox.state.log.entries() == ()


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"Colour": "red"}, "INVALID_FIELD"),
        ({"Subject": "x" * 256}, "STRING_TOO_LONG"),
        ({"Subject": 7}, "JSON_PARSER_ERROR"),
        ({"WhatId": "not an id"}, "MALFORMED_ID"),
        ({"ActivityDate": "soon"}, "JSON_PARSER_ERROR"),
    ],
)
async def test_a_task_that_salesforce_would_not_take_is_refused_in_its_words(sandbox, http, change, code):
    env = sandbox.environment()
    form = {
        "grant_type": "client_credentials",
        "client_id": env["ORDERACK_SALESFORCE_TASK_CLIENT_ID"],
        "client_secret": env["ORDERACK_SALESFORCE_TASK_CLIENT_SECRET"],
    }
    token = (await http.post("/salesforce/services/oauth2/token", data=form)).json()["access_token"]
    path = f"/salesforce/services/data/v65.0/sobjects/Task/{KEY_FIELD}/some%2Fkey"
    answer = await http.patch(path, json={"Subject": "x"} | change, headers={"Authorization": f"Bearer {token}"})
    assert (answer.status_code, answer.json()[0]["errorCode"]) == (400, code)
