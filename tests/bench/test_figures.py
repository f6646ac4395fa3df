"""The benches' arithmetic, and what their command does with wrong input and with missed aims."""

import asyncio
import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from rich.console import Console

from tests.bench import __main__ as command
from tests.bench import cost, latency, page, scale, throughput
from tests.bench.figures import Report, Result, at_least, at_most, figure, quantile, ratio, show, within
from tests.bench.rig import waiting
from tests.bench.rig.lanes import FLOOR, ORDER, PLAIN, PRODUCT
from tests.bench.rig.load import Lane, Round, Stuck, drive
from tests.bench.rig.stage import order_of
from tests.bench.rig.tally import Tally

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def a_report(*results: Result, quick: bool = False) -> Report:
    return Report(quick=quick, cores=2, memory_gib=24, results=results)


def test_a_quantile_is_a_value_that_was_measured() -> None:
    hundred = [float(n) for n in range(100, 0, -1)]
    assert [quantile(hundred, share) for share in (0.01, 0.5, 0.95, 0.99, 1)] == [1, 50, 95, 99, 100]
    assert quantile([7.0], 0.5) == 7
    with pytest.raises(ValueError, match="no value"):
        quantile([], 0.5)


def test_a_ratio_is_the_median_of_rounds_that_were_run_side_by_side() -> None:
    # the third round ran on a busy machine: both were slow, and it changes nothing
    found = ratio([8.0, 9.0, 2.0], [10.0, 10.0, 2.5])
    assert found.value == pytest.approx(0.8)
    assert found.rounds == pytest.approx((0.8, 0.9, 0.8))
    for ours, beside in ([1.0], [1.0, 2.0]), ([], []), ([1.0], [0.0]):
        with pytest.raises(ValueError, match="do not pair"):
            ratio(ours, beside)


def test_the_share_in_time_counts_those_that_never_came_as_late() -> None:
    assert within([1.0, 59.9, 60.1], limit=60, expected=4) == 50


def test_an_aim_is_met_at_its_very_value_and_missed_beyond_it() -> None:
    assert at_least("a", 0.85, 0.85).met
    assert not at_least("a", 0.849, 0.85).met
    assert at_most("a", 40.0, 40.0).met
    assert not at_most("a", 40.1, 40.0).met
    assert figure("a", 3).met is None
    assert not Result(bench="b", title="", lines=(figure("a", 3), at_most("c", 2, 1))).ok


def test_a_table_names_what_was_missed() -> None:
    console = Console(record=True, width=100, file=io.StringIO())
    show(console, Result(bench="b", title="t", lines=(at_least("too slow", 1, 2), at_most("cheap", 1, 2))))
    text = console.export_text()
    assert "too slow │ 1.00     │ ≥ 2 │ NO" in text
    assert "≤ 2 │ yes" in text


def a_round(rate: float, **cpu: float) -> Round:
    return Round(rate, cpu)


def test_throughput_holds_its_aim_against_both_floors() -> None:
    rounds = {PRODUCT: [a_round(8, worker=30)], PLAIN: [a_round(10)], ORDER: [a_round(17)], FLOOR: [a_round(20)]}
    found = {line.what.partition(" (")[0]: line for line in throughput.lines(rounds, {PRODUCT: {"signals": 3}})}
    assert found["workflow alone / bare floor"].met is True
    assert found["orderack / plain Temporal"].met is False
    assert found["orderack / bare floor"].measured == "0.40"
    assert found[f"CPU an order, {PRODUCT}"].measured == "30 ms: worker 30"


async def test_a_lane_is_kept_full_and_one_in_which_nothing_moves_is_said_to_be_stuck(tmp_path: Path) -> None:
    tally, most = Tally(tmp_path), 0

    async def hand_in(run: str, place: int) -> None:
        nonlocal most
        most = max(most, place + 1 - tally.count("handed_off"))
        await asyncio.sleep(0.01)
        for what in ("handed_off", "delivered", "delivered"):
            tally.add(what)

    lane = Lane("l", hand_in, lambda what, run: tally.count(what), {})
    found = await drive(lane, "R", under_way=4, measured=0.1)
    assert found.per_second > 0
    assert most == 4

    async def lost(run: str, place: int) -> None:
        return None

    with pytest.raises(Stuck, match="l: 0 orders of 2"):
        await drive(Lane("l", lost, lambda what, run: 0, {}), "R", under_way=2, measured=0.0, patience=0.05)


def test_latency_counts_from_the_trigger_to_the_first_acceptance_of_received() -> None:
    orders = [order_of("T", place, NOON) for place in range(2)]
    entries = [
        latency.Accepted(at=NOON + timedelta(seconds=after), key=f"demo/T-0/1/{kind}/1/sendgrid_email")
        for after, kind in ((3, "received"), (2, "received"), (1, "confirmation"))
    ]
    told = latency.first_told([*entries, latency.Accepted(at=NOON)])
    assert latency.seconds(orders, told) == [2.0]
    lines = list(latency.lines([0.1], [1.0], latency.seconds(orders, told), 2, 0, 1))
    assert [line.met for line in lines if line.met is not None] == [True, True, False]  # one of two was never told


def test_a_tick_over_all_orders_is_reckoned_from_its_cost() -> None:
    ticks = scale.Ticks(late=[0.5, 2.0], worker_ms=10, server_ms=20, seconds=2)
    found = {line.what: line.measured for line in scale.tick_lines(ticks, ticks, 7_200)}
    assert found["two-hourly updates of 7,200 orders that came spread out, of one core"] == "3.0 %"
    assert found["updates of one moment, a second"] == "1/s"


def test_memory_an_order_is_what_the_worker_grew_by() -> None:
    grew = scale.Filled([order_of("N", place) for place in range(4)], 2, (0, 4 * 41 * 1024), (0, 0), (0, 8192))
    found = {line.what: line for line in scale.memory_lines(grew)}
    assert found["worker memory an open order"].met is False
    assert found["worker memory an open order"].measured == "41.0 KiB"
    assert found["server's database an open order"].measured == "2.0 KiB"


def test_what_was_told_is_read_on_from_where_the_last_look_ended(tmp_path: Path) -> None:
    log = tmp_path / "told"
    watch = waiting.Watch(log)
    assert watch.look("update") == {}
    log.write_text('["A", "update", 1.5]\n["A", "upd')
    assert watch.look("update") == {"A": 1.5}
    with log.open("a") as file:
        file.write('ate", 9.0]\n["B", "update", 2.0]\n')
    assert watch.look("update") == {"A": 1.5, "B": 2.0}


def test_a_million_orders_cost_what_their_mix_says() -> None:
    names = list(cost.MIX)
    found = {name: cost.Story(events=30, bytes=1024**3 // 1_000_000, actions=10) for name in names}
    first = {names[0]: 1.0}
    billed, stored = cost.per_order(found, first)
    assert (billed, stored) == (10 + cost.REPORTED[names[0]], 1024**3 // 1_000_000 + 415 * cost.REPORTED[names[0]])
    with pytest.raises(ValueError, match="add up to 1"):
        cost.per_order(found, {names[0]: 0.5})
    lines = {line.what: line.measured for line in cost.month_lines(found)}
    assert "x $50/M = $" in lines["a million: Actions"]


def test_the_page_takes_new_tables_and_keeps_its_words(tmp_path: Path) -> None:
    words = f"before\n\n{page.BEGIN}\n\nold\n\n{page.END}\n\nafter\n"
    result = Result(bench="b", title="t", lines=(at_most("a|b", 3, 2),), notes=("why",))
    once = page.with_tables(words, a_report(result))
    assert "| a\\|b | 3.0 | ≤ 2 | NO |" in once
    assert "old" not in once
    assert once.startswith("before\n")
    assert once.endswith("\n\nafter\n")
    assert page.with_tables(once, a_report(result)) == once
    with pytest.raises(ValueError, match="the page has no"):
        page.with_tables("no markers", a_report(result))


def test_the_page_in_the_documentation_has_its_markers() -> None:
    text = (Path(__file__).parents[2] / page.PAGE).read_text()
    assert page.with_tables(text, a_report(Result(bench="b", title="t", lines=()))) != text


def test_a_bench_that_was_run_again_replaces_only_itself(tmp_path: Path) -> None:
    file = tmp_path / "bench.json"
    old = tuple(Result(bench=name, title="old", lines=()) for name in ("cost", "scale"))
    file.write_text(a_report(*old).model_dump_json())
    fresh = a_report(Result(bench="cost", title="new", lines=()))
    assert [(r.bench, r.title) for r in command.merged(file, fresh).results] == [("scale", "old"), ("cost", "new")]
    assert command.merged(file, a_report(quick=True)).results == ()  # a quick run's figures are another thing
    file.write_text("{")
    assert command.merged(file, fresh) == fresh


@pytest.mark.parametrize("given", [["--only", "speed"], ["--only", ","], ["--json"], ["more"]])
def test_wrong_input_ends_with_2_and_says_what_there_is(given: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        command.arguments(given)
    assert ended.value.code == 2
    assert "usage: python -m tests.bench" in capsys.readouterr().err


def test_the_command_chooses_benches_once_each_and_in_the_order_asked_for() -> None:
    assert command.arguments(["--only", "cost, scale,cost"]).only == ("cost", "scale")
    assert command.arguments([]).only == tuple(command.BENCHES)


async def test_a_bench_that_breaks_off_is_a_missed_aim_and_the_next_is_run(monkeypatch: pytest.MonkeyPatch) -> None:
    async def breaks(quick: bool, progress: Console) -> Result:
        raise Stuck("orderack: 3 orders of 24 came through")

    async def fine(quick: bool, progress: Console) -> Result:
        return Result(bench="cost", title="t", lines=(at_most("a", 1, 2),))

    monkeypatch.setattr(command, "BENCHES", {"scale": breaks, "cost": fine})
    first, second = await command.measure(("scale", "cost"), True, Console(quiet=True))
    assert not first.ok
    assert first.lines[0].measured == "Stuck: orderack: 3 orders of 24 came through"
    assert second.ok


def test_a_missed_aim_ends_with_1_and_the_figures_are_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    async def slow(quick: bool, progress: Console) -> Result:
        assert quick
        return Result(bench="cost", title="t", lines=(at_least("rate", 1, 2),))

    class Ended(Exception):
        pass

    def ended(code: int) -> None:
        raise Ended(code)

    file = tmp_path / "build" / "bench.json"
    monkeypatch.setattr(command, "BENCHES", {"cost": slow})
    monkeypatch.setattr(command, "end", ended)
    monkeypatch.setattr(command, "quieten", lambda: None)  # the whole test session shares one runtime
    monkeypatch.setattr("sys.argv", ["bench", "--only", "cost", "--quick", "--json", str(file)])
    with pytest.raises(Ended) as code:
        command.main()
    assert code.value.args == (1,)
    assert json.loads(file.read_text())["results"][0]["lines"][0]["met"] is False
