"""Wrong input, wrong words, nobody there: an exit code, one clear sentence, never a traceback."""

import pytest

from orderack.cli import main
from orderack.cli.main import run
from tests.cli.conftest import Terminal


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("submit missing.json", "missing.json: cannot be read"),
        ("submit .", "cannot be read"),
        ("submit text.json", "is not valid JSON"),
        ("submit typo.json", "colour"),
        ("submit elsewhere.json", "store: has no row in the policy"),
        ("submit fax.json", "source: has no row in the policy"),
        ("status 1001", "is not an order's reference"),
        ("status /1001", "is not an order's reference"),
        ("receipt", "is incomplete"),
        ("receipt text.json", "Invalid JSON"),
        ("receipt --order demo/1 --erp sandbox --document SO --line 1=perhaps", "verdict: is not a value we know"),
        ("receipt --order demo/1 --erp sandbox --document SO --line 1", "has no verdict"),
        ("receipt text.json --order demo/1", "use the file or the options"),
        ("change demo/1", "needs --order"),
        ("change demo/1 --line 1", "--quantity: does not stand once"),
        ("change demo/1 --line 1 --quantity many", "is not a quantity"),
        ("change demo/1 --line 1 --quantity NaN", "is not a quantity"),
        ("review amend demo/1 --order missing.json", "cannot be read"),
        ("review amend demo/1", "--order: is missing"),
        ("review ask demo/1", "--question"),
        ("settle demo/1 sent", "is not a send's key"),
        ("settle demo/1/1/received/1/email perhaps", "perhaps"),
        ("answer demo/1 q-1", "Missing argument"),
        ("answer demo q-1 Yes", "is not an order's reference"),
        ("answer demo/1 q-1 " + "x" * 2_001, "text: "),
        ("claim everything demo/1", "everything"),
        ("find  ", "Missing argument"),
        ("nosuch", "No such command"),
        ("status", "Missing argument"),
        ("watch --every 0", "--every"),
    ],
)
def test_what_is_wrong_is_named_before_anybody_is_asked(
    arguments: str, words: str, bare: Terminal, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _, _, order = bare.order(number="1")
    bare.file("text.json", "Dear Sirs")
    bare.file("typo.json", order.model_dump_json().replace('"currency"', '"colour"'))
    bare.file("elsewhere.json", order.model_copy(update={"store": "elsewhere"}).model_dump_json())
    bare.file("fax.json", order.model_copy(update={"source": "fax"}).model_dump_json())
    monkeypatch.chdir(bare.folder)
    for name in ("USER", "ORDERACK_POLICY_DIR"):
        monkeypatch.setenv(name, bare.environment[name])
    assert run(arguments.split()) == 2
    out, err = capsys.readouterr()
    assert (out, "Traceback" in err, "ada@example.com" in err) == ("", False, False)
    assert words in err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("status demo/never-came", "no order demo/never-came"),
        ("timeline demo/never-came", "no order demo/never-came"),
        ("timeline demo/never-came --all", "the ledger has no order"),
        ("cancel demo/never-came", "is not open"),
        ("accept demo/never-came", "no order demo/never-came"),
        ("answer demo/never-came q-1 Yes", "is not open"),
        ("change demo/never-came --instructions x", "no order demo/never-came"),
        ("find nobody@example.com", "no order has that"),
        ("find demo/never-came", "no order has that"),
    ],
)
async def test_an_order_that_never_came_is_answered_with_no(arguments: str, words: str, terminal: Terminal) -> None:
    ended = await terminal(*arguments.split())
    assert (ended.code, ended.out) == (1, "")
    assert words in ended.err


def test_without_a_name_for_who_asks_nothing_is_asked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("USER", raising=False)
    assert run(["cancel", "demo/1"]) == 2
    assert "--by" in capsys.readouterr().err


def test_a_bug_of_ours_ends_with_a_code_of_its_own(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(**_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(main, "app", lambda *_, **__: broken())
    assert run(["status", "demo/1"]) == main.BUG
    assert "ZeroDivisionError" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", ["status demo/1", "watch --once", "cancel demo/1", "temporal check", "submit -"])
async def test_a_server_that_is_not_there_is_named_with_the_remedy(arguments: str, bare: Terminal) -> None:
    _, _, order = bare.order()
    ended = await bare(*arguments.split(), stdin=order.model_dump_json())
    assert (ended.code, ended.out) == (3, "")
    assert "127.0.0.1:9" in ended.err
    assert "TEMPORAL_ADDRESS" in ended.err


async def test_a_ledger_that_is_not_there_is_said_and_never_made(bare: Terminal) -> None:
    ended = await bare("find", "1001", "--json")
    assert (ended.code, ended.json["kind"]) == (3, "unavailable")
    assert "ORDERACK_DATABASE_URL" in ended.json["error"]
    assert not list(bare.folder.rglob("*.db"))


async def test_a_database_url_that_is_none_is_a_setting_to_mend(bare: Terminal) -> None:
    ended = await bare("find", "1001", ORDERACK_DATABASE_URL="nonsense")
    assert (ended.code, "ORDERACK_DATABASE_URL" in ended.err) == (2, True)


async def test_a_request_that_got_no_answer_names_the_id_under_which_to_repeat_it(idle: Terminal) -> None:
    ref, file, _ = idle.order()
    assert (await idle("submit", file)).code == 3
    ended = await idle("cancel", ref, "--id", "mine")
    assert (ended.code, "--id mine" in ended.err) == (3, True)


async def test_errors_are_json_where_json_was_asked_for(bare: Terminal) -> None:
    ended = await bare("submit", "missing.json", "--json")
    assert (ended.code, ended.err) == (2, "")
    assert ended.json["error"].startswith("missing.json: cannot be read")
    assert ended.json["problems"][0]["remedy"]
