"""Fields that hold less than an order may say: what is shortened is seen to be, and said beside it in full."""


class Fitting:
    """Shortens for one document. `told`: what to put where there is room for it, in the order it came up."""

    def __init__(self) -> None:
        self._told: dict[str, None] = {}

    def fit(self, field: str, text: str | None, limit: int) -> str:
        """The text on one line, at most `limit` characters; a shortened one ends in `…` and is told in full."""
        plain = " ".join((text or "").split())
        if len(plain) <= limit:
            return plain
        self.tell(f"{field}: {plain}")
        return plain[: limit - 1].rstrip() + "…"

    def tell(self, sentence: str) -> None:
        self._told[sentence] = None

    @property
    def told(self) -> tuple[str, ...]:
        return tuple(self._told)
