"""The talk at the phone desk: one question after the other, back and forth, until the order is right."""

from collections.abc import Callable, Sequence

import typer

from orderack.cli.phone_questions import Answers, Desk, Question, script
from orderack.domain.order import Order

Ask = Callable[[str], str]
"""Shows a prompt; what was typed."""
Know = Callable[[str, str], Desk]
"""(store, phone) → the desk with what is known of that caller."""
HELP = "< goes back, ! cancels, ? shows what was said, Enter takes what stands in [brackets]"


class Cancelled(Exception):
    """The caller wants nothing."""


class Dialogue:
    """Keeps what was said. `say` shows a line."""

    def __init__(self, desk: Desk, ask: Ask, say: Callable[[str], None], know: Know) -> None:
        self.desk = desk
        self.said: dict[str, str] = {}
        self._ask, self._say, self._know = ask, say, know

    def go(self) -> None:
        """Ask what has not been said. Raises Cancelled."""
        while (question := self._next()) is not None:
            self._answer(question)

    def _next(self) -> Question | None:
        return next((one for one in script(self.desk, self.said) if one.name not in self.said), None)

    def _answer(self, question: Question) -> None:
        typed = self._ask(f"{question.ask}{f' [{question.default}]' if question.default else ''}: ").strip()
        if typed == "!":
            raise Cancelled
        if typed == "<":
            self.back()
        elif typed == "?":
            self._show()
        else:
            self._keep(question, typed or question.default)

    def _keep(self, question: Question, text: str) -> None:
        if not text and not question.optional:
            self._say(f"  This is needed. ({HELP})")
            return
        try:
            self.said[question.name] = question.check(text) if text else ""
        except ValueError as wrong:
            self._say(f"  {str(wrong)[:1].upper()}{str(wrong)[1:]}.")
            return
        if question.name == "phone":
            self.desk = self._know(self.said["store"], self.said["phone"])

    def back(self) -> None:
        """Take back the latest answer."""
        if self.said:
            del self.said[next(reversed(self.said))]

    def _show(self) -> None:
        self._say(f"  ({HELP})")
        for name, text in self.said.items():
            self._say(f"  {name}: {text or '–'}")

    def correct(self) -> None:
        """Ask again for one of them. Raises Cancelled."""
        names = list(self.said)
        typed = self._ask(f"Which ({', '.join(names)}): ").strip()
        if typed == "!":
            raise Cancelled
        question = next((one for one in script(self.desk, self.said) if one.name == typed), None)
        if question is None:
            self._say("  That was not asked; type the word as it stands there.")
            return
        before = self.said.copy()
        del self.said[typed]
        self._answer(question)
        if typed in self.said:
            self.said = _in_order(self.desk, self.said)
        else:
            self.said = before
        self.go()

    def agreed(self, order: Order, sentences: Sequence[str]) -> bool:
        """Read it back; whether the caller says yes. No: one answer is corrected. Raises Cancelled."""
        self._say("")
        for sentence in sentences:
            self._say(sentence)
        while True:
            typed = self._ask(f"Send order {order.number}? (yes, no, !): ").strip().casefold()
            if typed in ("y", "yes"):
                return True
            if typed == "!":
                raise Cancelled
            if typed in ("n", "no"):
                self.correct()
                return False


def _in_order(desk: Desk, said: Answers) -> dict[str, str]:
    """As the questions stand; what is asked no more (the address of what is fetched now) is dropped."""
    return {one.name: said[one.name] for one in script(desk, said) if one.name in said}


def from_answers(desk: Desk, given: Answers, know: Know) -> tuple[Desk, dict[str, str]]:
    """A script's answers, checked as a person's are. Raises ValueError naming the question and the remedy."""
    said: dict[str, str] = {}
    while (question := next((one for one in script(desk, said) if one.name not in said), None)) is not None:
        text = given.get(question.name, "") or question.default
        if not text and not question.optional:
            raise ValueError(f"{question.name}: is missing")
        try:
            said[question.name] = question.check(text) if text else ""
        except ValueError as wrong:
            raise ValueError(f"{question.name}: {wrong}") from None
        if question.name == "phone":
            desk = know(said["store"], said["phone"])
    if unknown := sorted(set(given) - set(said)):
        raise ValueError(f"{unknown[0]}: is asked nowhere; it may be misspelled")
    return desk, said


def typed(prompt: str) -> str:
    """A line from the terminal. Raises typer.Abort at its end (Ctrl-D)."""
    try:
        return input(prompt)
    except EOFError:
        raise typer.Abort from None
