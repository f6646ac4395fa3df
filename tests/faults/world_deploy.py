"""A deploy of a changed workflow with orders open: the gate says no; deployed anyway, nothing is lost or said wrong.

The change is made from outside: a copy of `workflows/` on the worker's path, in which the first step is taken another
way than open orders remember.
"""

import asyncio
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from temporalio.client import WorkflowExecutionStatus

import workflows
from orderack.contracts.ids import order_workflow_id
from orderack.domain.acknowledgement import Kind
from orderack.domain.order import OrderRef
from orderack.embedded.demo.driver import told
from tests.faults.fault import Fault, Outcome
from tests.faults.rig import Rig, Setup
from tests.faults.world_stage import Shop, checked, confirmed, exported, outcome, replace, until, usual

WORLD = Setup(settings={"ORDERACK_SEND_LEASE_SECONDS": "6"})
ROOT = Path(__file__).parents[2]

_WAS = "assessment = await _calls.assess_here(request)"
CHANGED = "assessment = await _calls.assess_patiently(request)"
HEALED = (
    'assessment = await (_calls.assess_patiently if workflow.patched("assess-patiently") '
    "else _calls.assess_here)(request)"
)


def build(folder: Path, line: str) -> Mapping[str, str]:
    """A copy of the workflows with that line instead; the environment in which it is imported."""
    shutil.copytree(Path(workflows.__file__).parent, folder / "workflows", ignore=shutil.ignore_patterns("__pycache__"))
    file = folder / "workflows" / "_effects.py"
    text = file.read_text()
    assert text.count(_WAS) == 1, "the step that is to be changed is not there any more"
    file.write_text(text.replace(_WAS, line))
    return {"PYTHONPATH": f"{folder}{os.pathsep}{ROOT}", "PYTHONSAFEPATH": "1", "PYTHONDONTWRITEBYTECODE": "1"}


async def replays(run: Path, environment: Mapping[str, str]) -> bool:
    """The gate: whether that build takes every exported order up. It is the checker, run with the build on its path."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "tests.faults.world_gate", str(run)),
        env={**os.environ, **environment},
        stdout=asyncio.subprocess.DEVNULL,
    )
    return await process.wait() == 0


async def deployed(rig: Rig) -> Outcome:
    """Ask the gate, deploy in spite of it, let the ERP answer, deploy the build that is patched."""
    shop = Shop(rig)
    orders = shop.orders(6 if rig.short else 20)
    for order in orders:
        await rig.driver.fault("erp", "fail", order.number, times=None)
    await shop.trade(orders, 0.1)
    refs = [order.ref for order in orders]
    for ref in refs:
        await rig.driver.until(ref, lambda s: any(m.kind is Kind.RECEIVED for m in told(s)), "say received", 120)
    await exported(rig, "deploy-before", shop, settled=False)
    changed, healed = build(rig.folder / "changed", CHANGED), build(rig.folder / "healed", HEALED)
    before = rig.folder / "exported-deploy-before"
    wrong = [] if not await replays(before, changed) else ["the gate lets the changed build pass"]
    wrong += [] if await replays(before, healed) else ["the gate refuses the build that is patched"]
    await _deploy(rig, changed)
    await rig.healthy()
    for order in orders:
        await rig.driver.erp_books(order)
    await until(lambda: _fails(rig, refs), "the changed build to fail the open orders")
    wrong += await _hurt(rig, refs)
    at = asyncio.get_running_loop().time()
    await _deploy(rig, healed)
    await confirmed(rig, refs, 240)
    recovery = asyncio.get_running_loop().time() - at
    await _deploy(rig, {})
    verdict = await checked(rig, "deploy", shop)
    failed = sum(life.failed_tasks for life in verdict.run.lives or ())
    return outcome(verdict, refs, failed, recovery=recovery, wrong=wrong, note=f"{failed} workflow tasks failed")


async def _deploy(rig: Rig, environment: Mapping[str, str]) -> None:
    for name in ("PYTHONPATH", "PYTHONSAFEPATH", "PYTHONDONTWRITEBYTECODE"):
        rig.stack.environment.pop(name, None)
    rig.stack.environment.update(environment)
    came_up = rig.starts("worker")
    await replace(rig.stack, "worker", usual(rig.stack, "worker"))
    await until(lambda: _is_up(rig, came_up), "the worker to come up")


async def _is_up(rig: Rig, before: int) -> bool:
    return rig.starts("worker") > before


async def _fails(rig: Rig, refs: Sequence[OrderRef]) -> bool:
    """Whether the server has every order's task down as failed."""
    for ref in refs:
        described = await rig.client.get_workflow_handle(order_workflow_id(ref)).describe()
        if described.raw_description.pending_workflow_task.attempt < 2:
            return False
    return True


async def _hurt(rig: Rig, refs: Sequence[OrderRef]) -> list[str]:
    """What went wrong while nobody could work on them: an order that ended, or a word that went out."""
    wrong = []
    for ref in refs:
        described = await rig.client.get_workflow_handle(order_workflow_id(ref)).describe()
        if described.status is not WorkflowExecutionStatus.RUNNING:
            wrong.append(f"{ref} is {described.status}")
    sent = [entry.key or "" for entry in await rig.accepted()]
    return [*wrong, *(f"{key} was sent" for key in sent for ref in refs if key.startswith(f"{ref}/1/confirmation/"))]


FAULTS = (
    Fault(
        "world_deploy",
        "a changed workflow is deployed with orders open, against the gate's no; then the patched one",
        deployed,
        WORLD,
        spoils=True,
    ),
)
