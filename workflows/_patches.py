"""Changes of what an order does, which those under way must not meet halfway (docs/adr: the replay gate)."""

from temporalio import workflow


def patched(name: str) -> bool:
    """Whether this order takes the new way: one that passed here before the change, never.

    Outside of a workflow (a rule that is looked at by itself) there is only the new way.
    """
    return not workflow.in_workflow() or workflow.patched(name)
