"""The Slack look-alike against Slack's description."""

import json

import pytest

from orderack.embedded.sandbox import Action, Fault, Sandbox, Target

POST = "/slack/api/chat.postMessage"
KEY = "shop/A-1/1/alert/1/slack"
GOOD = {
    "channel": "C0ALERTS00",
    "text": "Order A-1 is late",
    "blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": "Order *A-1* is late"}}],
    "metadata": {"event_type": "order", "event_payload": {"orderack_key": KEY}},
}


@pytest.fixture
def slack(description):
    return description("slack/slack_openapi3.chat.patched.json", "https://slack.com", "/slack")


def auth(sandbox: Sandbox) -> dict[str, str]:
    return {"Authorization": f"Bearer {sandbox.state.credentials.slack_token}"}


async def test_a_post_as_json_is_accepted_as_slack_describes(sandbox, http, slack):
    response = await http.post(POST, json=GOOD, headers=auth(sandbox))
    assert response.json()["ok"] is True
    assert slack.accepts(response.request)
    slack.check(response)
    (entry,) = sandbox.state.log.entries()
    assert entry.key == KEY
    assert entry.provider_id == f"C0ALERTS00/{response.json()['ts']}"


async def test_a_post_as_a_form_carries_its_blocks_as_text(sandbox, http, slack):
    form = {name: value if isinstance(value, str) else json.dumps(value) for name, value in GOOD.items()}
    response = await http.post(POST, data=form, headers=auth(sandbox))
    assert response.json()["message"]["blocks"] == GOOD["blocks"]
    slack.check(response)
    assert "Order *A-1* is late" in sandbox.state.outbox.find()[0].text


async def test_every_message_has_its_own_timestamp(sandbox, http):
    answers = [(await http.post(POST, json=GOOD, headers=auth(sandbox))).json()["ts"] for _ in range(5)]
    assert answers == sorted(set(answers))


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"channel": ""}, "channel_not_found"),
        ({"text": "", "blocks": []}, "no_text"),
        ({"blocks": [{"text": "no type"}]}, "invalid_blocks"),
        ({"blocks": [{"type": "divider"}] * 51}, "invalid_blocks"),
        ({"blocks": "not JSON"}, "invalid_arguments"),
    ],
)
async def test_a_bad_post_is_http_200_and_not_ok(sandbox, http, change, error):
    response = await http.post(POST, json=GOOD | change, headers=auth(sandbox))
    assert (response.status_code, response.json()) == (200, {"ok": False, "error": error})
    assert sandbox.state.log.entries() == ()


async def test_a_stranger_is_told_so(sandbox, http, slack):
    nobody = await http.post(POST, json=GOOD)
    wrong = await http.post(POST, json=GOOD, headers={"Authorization": "Bearer xoxb-wrong"})
    assert [nobody.json()["error"], wrong.json()["error"]] == ["not_authed", "invalid_auth"]


async def test_throttling_is_a_429_with_retry_after(sandbox, http):
    sandbox.state.faults.add(Fault(target=Target.SLACK, action=Action.THROTTLE, retry_after=3))
    response = await http.post(POST, json=GOOD, headers=auth(sandbox))
    assert (response.status_code, response.headers["Retry-After"]) == (429, "3")
    assert response.json() == {"ok": False, "error": "ratelimited"}
