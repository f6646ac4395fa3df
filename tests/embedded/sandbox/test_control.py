"""The sandbox's own door, and the sandbox as a command."""

import asyncio
import json
import os
import signal
import socket
import sys

import httpx
import pytest
import typer

from orderack.cli import sandbox_command
from orderack.embedded.sandbox import Sandbox, SandboxState
from orderack.embedded.sandbox.credentials import Credentials


async def test_faults_are_set_seen_firing_and_removed_over_http(sandbox, http):
    made = await http.post("/faults", json={"target": "slack", "action": "fail", "match": "A-1", "status": 500})
    assert (made.status_code, made.json()["fired"]) == (201, 0)
    headers = {"Authorization": f"Bearer {sandbox.state.credentials.slack_token}"}
    post = {"channel": "C0ALERTS00", "text": "A-1"}
    assert (await http.post("/slack/api/chat.postMessage", json=post, headers=headers)).status_code == 500
    (standing,) = (await http.get("/faults")).json()["faults"]
    assert (standing["seen"], standing["fired"]) == (1, 1)
    assert (await http.delete("/faults")).status_code == 204
    assert (await http.get("/faults")).json() == {"faults": []}


@pytest.mark.parametrize(
    ("method", "path", "body", "field"),
    [
        ("POST", "/faults", {"target": "slack", "action": "explode"}, "action"),
        ("POST", "/faults", {"target": "slack", "action": "fail", "mach": "x"}, "mach"),
        ("POST", "/faults", "{", "body"),
        ("PUT", "/stock/TEA", {"verdict": "partial"}, "body"),
        ("PATCH", "/behaviour", {"books_after": -1}, "books_after"),
        ("PUT", "/callback", {"base": "not a url"}, "base"),
    ],
)
async def test_a_bad_script_is_refused_and_names_the_field(http, method, path, body, field):
    content = body if isinstance(body, str) else json.dumps(body)
    response = await http.request(method, path, content=content)
    assert response.status_code == 422
    assert field in [problem["field"] for problem in response.json()["problems"]]


async def test_stock_and_behaviour_and_callback_are_set_over_http(sandbox, http):
    await http.put("/stock/TEA", json={"verdict": "backordered", "expected_on": "2026-04-01"})
    assert (await http.get("/stock")).json()["stock"]["TEA"]["verdict"] == "backordered"
    await http.delete("/stock")
    assert (await http.get("/stock")).json()["stock"] == {}
    changed = await http.patch("/behaviour", json={"books_after": 3})
    assert (changed.json()["books_after"], changed.json()["delivered_after"]) == (3, 0.02)
    await http.put("/callback", json={"base": "http://127.0.0.1:8090"})
    assert sandbox.state.callback("/receipts/sandbox") == "http://127.0.0.1:8090/receipts/sandbox"


async def test_the_log_is_filtered_and_tells_refused_requests_in_its_tally(sandbox, http):
    headers = {"Authorization": f"Bearer {sandbox.state.credentials.slack_token}"}
    for key in ("shop/A-1/1", "shop/A-2/1"):
        metadata = {"event_payload": {"orderack_key": key}}
        post = {"channel": "C0ALERTS00", "text": "x", "metadata": metadata}
        await http.post("/slack/api/chat.postMessage", json=post, headers=headers)
    await http.post("/sendgrid/v3/mail/send", json={})
    answer = (await http.get("/log", params={"key": "A-2", "target": "slack"})).json()
    assert [entry["key"] for entry in answer["accepted"]] == ["shop/A-2/1"]
    assert {(row["target"], row["outcome"], row["count"]) for row in answer["tally"]} == {
        ("slack", "accepted", 2),
        ("sendgrid", "401", 1),
    }
    assert (await http.get("/log", params={"target": "fax"})).status_code == 422


async def test_two_sandboxes_run_side_by_side_and_share_nothing():
    async with Sandbox.start() as one, Sandbox.start() as other:
        assert one.url != other.url
        assert one.smtp_port != other.smtp_port
        assert (
            one.environment()["ORDERACK_TWILIO_SMS_AUTH_TOKEN"] != other.environment()["ORDERACK_TWILIO_SMS_AUTH_TOKEN"]
        )


async def test_accounts_can_be_kept_over_a_restart():
    own = Credentials.make()
    async with Sandbox.start(state=SandboxState(credentials=own)) as sandbox:
        assert sandbox.environment()["ORDERACK_TWILIO_SMS_AUTH_TOKEN"] == own.twilio_auth_token


async def test_a_taken_port_is_an_error_and_leaves_nothing_open():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match="in use"):
            async with Sandbox.start(smtp_port=port):
                pass
        with pytest.raises(OSError, match="in use"):
            async with Sandbox.start(port=port):
                pass


COMMAND = "import typer; from orderack.cli.sandbox_command import sandbox; typer.run(sandbox)"


async def run(*arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        COMMAND,
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "NO_COLOR": "1"},
    )


async def test_the_command_prints_where_everything_is_and_ends_cleanly_on_ctrl_c():
    process = await run("--port", "0", "--smtp-port", "0", "--json")
    assert process.stdout is not None
    said = json.loads(await asyncio.wait_for(process.stdout.readline(), 20))
    async with httpx.AsyncClient(trust_env=False) as client:
        assert (await client.get(said["mailbox"])).status_code == 200
    assert said["environment"]["ORDERACK_ERP_SANDBOX_BASE_URL"] == f"{said['url']}/erp"
    process.send_signal(signal.SIGINT)
    _, stderr = await asyncio.wait_for(process.communicate(), 10)
    assert (process.returncode, stderr) == (0, b"")


async def test_the_command_prints_lines_that_a_shell_can_take_in():
    process = await run("--port", "0", "--smtp-port", "0", "--callback", "http://127.0.0.1:8090")
    assert process.stdout is not None
    lines = [(await asyncio.wait_for(process.stdout.readline(), 20)).decode() for _ in range(8)]
    assert [line for line in lines if not line.startswith(("#", "export ORDERACK_"))] == []
    assert "# webhooks  http://127.0.0.1:8090\n" in lines
    process.send_signal(signal.SIGTERM)
    await asyncio.wait_for(process.communicate(), 10)
    assert process.returncode == 0


def test_the_command_says_that_a_port_is_taken(capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(typer.Exit) as ended:
        sandbox_command.sandbox(port=taken.getsockname()[1], smtp_port=0)
    assert ended.value.exit_code == 1
    assert "choose another --port" in capsys.readouterr().err
