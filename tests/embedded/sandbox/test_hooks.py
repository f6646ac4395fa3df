"""An endpoint of another system: what it takes, what it refuses, and how it fails."""

import base64
import json
import time

import httpx
import pytest

from orderack.embedded.sandbox import Action, Fault, Target, signatures

SECRET = "whsec_" + base64.b64encode(b"a secret of 24 bytes ...").decode()
EVENT = json.dumps({"type": "order.confirmed", "data": {"order": "demo/A-1"}}).encode()


def signed(event_id: str = "evt_1", body: bytes = EVENT, secret: str = SECRET, age: int = 0) -> dict[str, str]:
    return dict(signatures.standard_webhooks(secret, event_id, int(time.time()) - age, body))


@pytest.fixture
async def crm(http: httpx.AsyncClient) -> str:
    assert (await http.put("/hooks/crm", json={"secret": SECRET})).status_code == 204
    return "/hooks/crm"


async def test_a_signed_event_is_taken_and_shown_and_a_repeat_is_marked(sandbox, http, crm):
    for _ in range(2):
        assert (await http.post(crm, content=EVENT, headers=signed())).status_code == 204
    shown = (await http.get("/hooks", params={"format": "json"})).json()
    assert [(one["endpoint"], one["id"], one["type"], one["repeated"]) for one in shown["events"]] == [
        ("crm", "evt_1", "order.confirmed", False),
        ("crm", "evt_1", "order.confirmed", True),
    ]
    page = (await http.get("/hooks")).text
    assert "order.confirmed (again) <time" in page
    assert "order.confirmed <time" in page
    assert 'href="/hooks"' in (await http.get("/mailbox")).text


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (EVENT + b" ", signed()),
        (EVENT, signed(secret="whsec_" + base64.b64encode(b"another one of 24 bytes.").decode())),
        (EVENT, signed(age=301)),
        (EVENT, signed() | {"webhook-id": "evt_2"}),
        (EVENT, {}),
        (EVENT, signed() | {"webhook-timestamp": "soon"}),
    ],
)
async def test_what_is_not_signed_for_it_is_refused_and_counted(http, crm, body, headers):
    assert (await http.post(crm, content=body, headers=headers)).status_code == 401
    assert (await http.get("/hooks?format=json")).json() == {"events": [], "refused": {"crm": 1}}


async def test_one_of_several_signatures_is_enough(http, crm):
    headers = signed()
    headers["webhook-signature"] = "v1,AAAA " + headers["webhook-signature"]
    assert (await http.post(crm, content=EVENT, headers=headers)).status_code == 204


async def test_an_endpoint_fails_twice_as_told_and_then_takes_it(sandbox, http, crm):
    sandbox.state.faults.add(
        Fault(target=Target.HOOKS, action=Action.FAIL, status=500, times=2, match="order.confirmed")
    )
    answers = [(await http.post(crm, content=EVENT, headers=signed())).status_code for _ in range(3)]
    assert answers == [500, 500, 204]
    assert [event.repeated for event in sandbox.state.hooks.events()] == [False]


async def test_an_endpoint_hangs_and_one_hangs_up_after_it_took_the_event(sandbox, http, crm):
    sandbox.state.faults.add(Fault(target=Target.HOOKS, action=Action.HANG))
    with pytest.raises(httpx.ReadTimeout):
        await http.post(crm, content=EVENT, headers=signed(), timeout=0.2)
    assert sandbox.state.hooks.events() == ()
    sandbox.state.faults.add(Fault(target=Target.HOOKS, action=Action.CUT_OFF_AFTER_ACCEPT))
    with pytest.raises(httpx.RemoteProtocolError):
        await http.post(crm, content=EVENT, headers=signed())
    assert len(sandbox.state.hooks.events()) == 1


async def test_an_endpoint_that_nobody_made_is_not_found_and_a_bad_secret_is_refused(http):
    assert (await http.post("/hooks/unknown", content=EVENT, headers=signed())).status_code == 404
    assert (await http.put("/hooks/crm", json={"secret": "not base64!"})).status_code == 422
