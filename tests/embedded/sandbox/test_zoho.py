"""Zoho CRM in the sandbox: the adapter, set up by the sandbox's settings alone, gets along with it."""

import pytest

from orderack.channels.zoho_task import ZohoTask, ZohoTaskSettings
from orderack.domain.acknowledgement import Reason
from orderack.embedded.sandbox import Action, Fault, Target
from orderack.embedded.sandbox.vendors.zoho import OWNER
from orderack.errors import InDoubt, Misconfigured, Refused, Unavailable
from tests.channels.test_zoho_task import ORDER
from tests.conformance.channel import a_message

TASK = a_message("zoho_task", "ops").model_copy(update={"order": ORDER})


@pytest.fixture
async def channel(sandbox, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for name, value in sandbox.environment().items():
        monkeypatch.setenv(name, value)
    made = ZohoTask(ZohoTaskSettings())
    yield made
    await made.aclose()


@pytest.fixture
async def auth(sandbox, http):
    own = sandbox.environment()
    form = {name: own[f"ORDERACK_ZOHO_TASK_{name.upper()}"] for name in ("client_id", "client_secret", "refresh_token")}
    answer = await http.post("/zoho/oauth/v2/token", data={"grant_type": "refresh_token", **form})
    return {"Authorization": f"Zoho-oauthtoken {answer.json()['access_token']}"}


async def test_a_task_is_made_once_however_often_it_is_sent_and_starts_no_rule(channel, sandbox):
    first, again = [await channel.send(TASK) for _ in range(2)]
    assert first.provider_id == again.provider_id
    assert again.detail == "it was there already"
    entries = sandbox.state.log.entries(Target.ZOHO, key=TASK.key_text)
    assert [(entry.key, entry.repeated) for entry in entries] == [(TASK.key_text, False), (TASK.key_text, True)]
    (posted,) = sandbox.state.outbox.find("A-1001", Target.ZOHO)
    assert (posted.recipient, posted.subject) == (OWNER, "Your order A-1001")
    assert "Workflow rules ran" not in posted.text


async def test_orders_whose_numbers_differ_in_case_have_a_task_each(channel, sandbox):
    ref = TASK.key.ref
    for number in ("A-1", "a-1"):
        key = TASK.key.model_copy(update={"ref": ref.model_copy(update={"number": number})})
        await channel.send(TASK.model_copy(update={"key": key}))
    assert len(sandbox.state.outbox.find("", Target.ZOHO)) == 2


async def test_a_lost_answer_is_in_doubt_and_the_second_one_settles_it(channel, sandbox):
    sandbox.state.faults.add(Fault(target=Target.ZOHO, action=Action.CUT_OFF_AFTER_ACCEPT))
    with pytest.raises(InDoubt):
        await channel.send(TASK)
    await channel.send(TASK)
    assert len(sandbox.state.outbox.find("", Target.ZOHO)) == 1
    assert sandbox.state.faults.unfired() == ()


@pytest.mark.parametrize(
    ("fault", "fate"),
    [
        ({"action": Action.REFUSE}, Refused),
        ({"action": Action.THROTTLE, "retry_after": 7}, Unavailable),
        ({"action": Action.FAIL}, InDoubt),
        ({"action": Action.NONSENSE}, InDoubt),
        ({"action": Action.REFUSE, "code": "NO_PERMISSION"}, Misconfigured),
        ({"action": Action.REFUSE, "code": "RECORD_LOCKED"}, Unavailable),
    ],
)
async def test_every_fault_has_its_fate(channel, sandbox, fault, fate):
    sandbox.state.faults.add(Fault(target=Target.ZOHO, **fault))
    with pytest.raises(fate) as caught:
        await channel.send(TASK)
    if isinstance(caught.value, Refused):
        assert caught.value.reason is Reason.CONTENT
    if fault["action"] is Action.THROTTLE:
        assert caught.value.retry_after.total_seconds() == 7


async def test_an_access_token_that_was_ended_is_renewed(channel, sandbox):
    await channel.send(TASK)
    next(vendor for vendor in sandbox.vendors if vendor.target is Target.ZOHO).expire()
    assert (await channel.send(TASK)).detail == "it was there already"


async def test_a_stranger_is_turned_away_inside_a_200(channel, sandbox, monkeypatch):
    assert await channel.check() == "signed in to Zoho CRM of Fjordlight"
    monkeypatch.setenv("ORDERACK_ZOHO_TASK_REFRESH_TOKEN", "1000.of.someone-else")
    stranger = ZohoTask(ZohoTaskSettings())
    with pytest.raises(Misconfigured, match=r"invalid_code.*ORDERACK_ZOHO_TASK_REFRESH_TOKEN"):
        await stranger.send(TASK)
    await stranger.aclose()
    assert sandbox.state.log.entries() == ()


@pytest.mark.parametrize(
    ("change", "code", "field"),
    [
        ({"Subject": ""}, "MANDATORY_NOT_FOUND", "Subject"),
        ({"Subject": "x" * 256}, "INVALID_DATA", "Subject"),
        ({"Due_Date": "soon"}, "INVALID_DATA", "Due_Date"),
        ({"Owner": "ada"}, "INVALID_DATA", "Owner"),
        ({"What_Id": {"id": "4150868000001234567"}}, "DEPENDENT_FIELD_MISSING", "$se_module"),
    ],
)
async def test_a_task_that_zoho_would_not_take_is_refused_inside_a_202(http, auth, change, code, field):
    answer = await http.post("/zoho/crm/v8/Tasks", json={"data": [{"Subject": "x"} | change]}, headers=auth)
    (record,) = answer.json()["data"]
    assert (answer.status_code, record["code"], record["details"]["api_name"]) == (202, code, field)


async def test_rules_run_on_a_record_that_does_not_hold_them_back(sandbox, http, auth):
    await http.post("/zoho/crm/v8/Tasks", json={"data": [{"Subject": "x"}]}, headers=auth)
    assert "Workflow rules ran" in sandbox.state.outbox.find("", Target.ZOHO)[0].text
