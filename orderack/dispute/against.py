"""A pack held against a checkpoint: a chain that was written anew, head and all, does not run through the kept head."""

from pathlib import Path

from pydantic import AwareDatetime, TypeAdapter

from orderack.dispute import verifier
from orderack.domain.order import OrderRef, Text
from orderack.domain.value import Value
from orderack.ledger import checkpoint


class Against(Value):
    """What the comparison found."""

    taken_at: AwareDatetime
    signature: bool | None
    """Of the checkpoint; None: it bears none, or there is no secret to check it with."""
    rows: int = 0
    """So many rows of the pack's chain are the very ones that the checkpoint saw; those behind them came later."""
    problem: Text = ""

    @property
    def words(self) -> str:
        if self.problem:
            return f"Against the checkpoint of {self.taken_at:%d %b %Y, %H:%M:%S %Z}: {self.problem}."
        signed = {True: "its signature holds", False: "", None: "its signature was not checked"}[self.signature]
        seen = (
            f"the first {self.rows} rows of the chain are the very ones it saw ({signed}); it vouches for no later row"
        )
        return f"Against the checkpoint of {self.taken_at:%d %b %Y, %H:%M:%S %Z}: {seen}."


class _Row(Value):
    hash: Text


class _Chain(Value):
    order: OrderRef
    rows: tuple[_Row, ...]


_CHAIN: TypeAdapter[_Chain] = TypeAdapter(_Chain)


def against(pack: Path, file: Path, secret: str) -> Against:
    """Compare a pack that was verified. Raises InvalidInput for a checkpoint that is none, and verifier.Unreadable."""
    checked = checkpoint.check(file, secret)
    try:
        chain = _CHAIN.validate_json(verifier.read_pack(str(pack)).get(verifier.CHAIN, b""), extra="ignore")
    except ValueError:
        raise verifier.Unreadable("its chain cannot be read") from None
    wanted = (chain.order.store, chain.order.number)
    kept = next((head for head in checkpoint.read(file) if (head.store, head.number) == wanted), None)
    found = Against(taken_at=checked.header.taken_at, signature=checked.signature)
    problem = "its signature does not hold" if checked.signature is False else _problem(chain, kept)
    return found.model_copy(update={"problem": problem} if problem or kept is None else {"rows": kept.length})


def _problem(chain: _Chain, kept: checkpoint.Head | None) -> str:
    if kept is None or kept.length == 0:
        return "it knew nothing of this order yet, or is another store's, so it proves nothing of this pack"
    if kept.length > len(chain.rows):
        return (
            f"it saw a chain of {kept.length} rows, the pack has {len(chain.rows)}: it is older, or its end was cut off"
        )
    if chain.rows[kept.length - 1].hash != kept.head:
        return "the pack's chain is not the one it saw: it was written anew"
    return ""
