"""docs/temporal-contract.md: its commands and its program work as printed."""

import asyncio
import os
import re
import sys
from pathlib import Path

from orderack.contracts import names
from orderack.contracts.journal import Stage
from orderack.contracts.search_attributes import NAMES
from orderack.contracts.updates import ReviewVerdict, SettleVerdict, SubmitReply, SubmitVerdict
from orderack.domain.acknowledgement import Kind
from orderack.domain.assessment import Route
from orderack.domain.evidence import EvidenceEvent, Grade
from orderack.domain.order import OrderRef
from orderack.domain.receipt import StockVerdict
from orderack.temporal.orders import Orders
from orderack.temporal.search_attributes import missing
from tests.temporal.server import DOCUMENTED, Temporal, binary, now, working
from tests.temporal.test_orders import until
from tests.workflows.orders import HIGH_VALUE, a_decision, an_assessment, an_order

PAGE = Path(__file__).parents[2] / "docs" / "temporal-contract.md"
FIRST, REVIEWED, TYPED = (OrderRef(store="demo", number=n) for n in ("A-1001", "A-1002", "A-1003"))

ANSWERS = {
    "--update-name submit": "verdict:accepted",
    "--name accept_handoff": "accepted:true",
    "--name change": "accepted:true",
    "--name decide_review": "accepted:true",
    "--name settle_send": "accepted:false",
    "--name ask": "accepted:true",
    "--name answer": "accepted:true",
    "--name cancel": "accepted:true",
}
"""What the command prints for each request."""


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)


async def run(program: list[str], where: Path, temporal: Temporal) -> str:
    environment = os.environ | {
        "PATH": f"{Path(binary()).parent}{os.pathsep}{os.environ['PATH']}",
        "TEMPORAL_ADDRESS": temporal.address,
        "TEMPORAL_NAMESPACE": DOCUMENTED,
    }
    process = await asyncio.create_subprocess_exec(
        *program,
        cwd=where,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0, output.decode()
    return output.decode()


async def test_the_commands_and_the_program_of_the_contract_page_work_as_printed(
    temporal: Temporal, tmp_path: Path
) -> None:
    client = await temporal.client(DOCUMENTED)
    orders = Orders(client)
    commands = blocks("sh")
    assert "search-attribute create" in commands[0]
    await run(["bash", "-euo", "pipefail", "-c", commands[0]], tmp_path, temporal)
    assert list(await missing(client)) == []

    async with working(temporal, DOCUMENTED) as world:
        review = a_decision(route=Route.REVIEW)
        script = world.script(REVIEWED.number)
        script.assess = lambda request: an_assessment(request.order, request.revision, review, (HIGH_VALUE,))
        await orders.submit(an_order(REVIEWED.number, now()))
        await until(lambda: orders.status(REVIEWED), lambda s: s.stage is Stage.REVIEW)

        said = {}
        for command in commands[1:]:
            if "accept_handoff" in command:
                await until(lambda: orders.status(FIRST), lambda s: s.stage is Stage.HANDED_OFF)
            said[command] = await run(["bash", "-euo", "pipefail", "-c", command], tmp_path, temporal)

        status = await orders.status(FIRST)
        assert status.erp_document_id == "SO-2041"
        assert status.revision == 2
        assert Grade.E3 in [told.grade for told in status.acknowledgements if told.kind is Kind.CONFIRMATION]
        assert (await orders.status(REVIEWED)).stage is Stage.CANCELLED
        for printed, answer in ANSWERS.items():
            assert answer in said[next(command for command in commands if printed in command)], printed
        await run([sys.executable, "-c", blocks("python")[0]], tmp_path, temporal)
        await until(lambda: orders.status(TYPED), lambda s: s.erp_document_id == "SO-2043")


def test_the_contract_page_names_everything_that_enters_temporal() -> None:
    page = PAGE.read_text()
    contract = [
        value for name, value in vars(names).items() if name.startswith(("WORKFLOW", "SIGNAL", "UPDATE", "QUERY"))
    ]
    for word in (*contract, *NAMES, *SubmitVerdict, *ReviewVerdict, *SettleVerdict, *StockVerdict, *EvidenceEvent):
        assert word in page, word


def test_the_answer_that_the_contract_page_prints_is_a_submit_reply() -> None:
    reply = SubmitReply.model_validate_json(blocks("json")[0], extra="forbid")
    assert reply.verdict is SubmitVerdict.ACCEPTED
