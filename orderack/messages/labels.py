"""The small words of the layout, one file per language (policy/messages/<lang>/labels.yaml)."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import AfterValidator, ConfigDict, Field, ValidationError

from orderack.domain.difference import Changed
from orderack.domain.order import PaymentStatus
from orderack.domain.value import Value
from orderack.errors import Misconfigured
from orderack.messages.formats import PluralForm
from orderack.policy.yaml_loader import LOADER

LABELS = "labels.yaml"

Word = Annotated[str, Field(min_length=1, max_length=300)]


def _has_other(forms: Mapping[PluralForm, str]) -> Mapping[PluralForm, str]:
    if "other" not in forms:
        raise ValueError("needs the plural form `other`")
    return forms


Plural = Annotated[Mapping[PluralForm, Word], AfterValidator(_has_other)]


class Labels(Value):
    """Every label; a missing or unknown one is refused, so that no language shows less than another."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    colon: Word
    """Between a label and its value (French puts a space before it)."""
    order_number: Word
    revision: Word
    source: Word
    document: Word
    store: Word
    payment: Word
    payment_terms: Word
    payment_method: Word
    delivery_date: Word
    pickup_date: Word
    date_open: Word
    window: Word
    pickup: Word
    pickup_time: Word
    address: Word
    items_heading: Word
    changes_heading: Word
    attention_heading: Word
    instructions_heading: Word
    next_heading: Word
    contact_heading: Word
    question_heading: Word
    asked_heading: Word
    answer_heading: Word
    reason: Word
    owner: Word
    waiting_for: Word
    next_update: Word
    due: Word
    discount: Word
    shipping: Word
    tax: Word
    tax_included: Word
    """The same where the prices contain it."""
    fees: Word
    credit: Word
    total: Word
    sku: Word
    model: Word
    stock: Word
    line_instructions: Word
    design: Word
    dietary: Word
    note: Word
    before: Word
    after: Word
    none: Word
    email: Word
    phone: Word
    hours: Word
    view_order: Word
    open_sheet: Word = "Open the sheet"
    """On the button of a message to the team: it leads to the revision's sheet on the board."""
    affirm_ask: Word
    """Asks the buyer to confirm having the message; what confirms it is a button on the order's page."""
    affirm_button: Word
    affirm_chat: Annotated[str, Field(max_length=20)] = ""
    """The same on a chat's button, where 20 characters are shown; empty: `affirm_button`, which may be cut there."""
    affirm_sms: Word
    """Before the link in an SMS. Two segments hold everything, so it is short and in the GSM alphabet."""
    affirm_reply: Word
    """The same where an answer by SMS counts: it names the word to answer with (`orderack.domain.replies`)."""
    repeat: Word = "You may have had this message already; it was not certain that it reached you."
    """Above a message that is said again because nobody knows whether it arrived."""
    repeat_sms: Word = "Possible repeat:"
    """The same before an SMS's words: short, and in the GSM alphabet."""
    footer: Word
    """Why the recipient gets this message; `{number}` and `{store}` are filled in."""
    stock_all: Word
    stock_some: Word
    stock_backorder: Word
    stock_reject: Word
    stock_hold: Word
    stock_substitute: Word
    stock_price: Word
    expected: Word
    notice: Word
    """How one line that is not simply in stock is put on top: `{item}`, `{stock}`."""
    items: Plural
    backordered_items: Plural
    unavailable_items: Plural
    replaced_items: Plural
    open_items: Plural
    """Whole phrases, unlike `backordered_items`: they stand one after the other."""
    more: Plural
    payment_status: Mapping[PaymentStatus, Word]
    changed: Mapping[Changed, Word]
    sources: Mapping[str, Word]
    waiting: Mapping[str, Word]
    """Plain words for what an order can wait for; `other` where ours has none."""


def load_labels(file: Path) -> Labels:
    """One language's labels. Raises Misconfigured, naming the file and each label that is missing or wrong."""
    try:
        labels = Labels.model_validate(yaml.load(file.read_text(encoding="utf-8"), Loader=LOADER))  # noqa: S506  # a safe loader
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_input=False))
        raise Misconfigured(f"{_name(file)}: {wrong}") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise Misconfigured(f"{_name(file)}: {type(error).__name__}: cannot be read as YAML") from None
    gaps = [f"payment_status.{s}" for s in PaymentStatus if s not in labels.payment_status]
    gaps += [f"changed.{c}" for c in Changed if c not in labels.changed]
    gaps += [f"{table}.other" for table in ("sources", "waiting") if "other" not in getattr(labels, table)]
    if gaps:
        raise Misconfigured(f"{_name(file)}: missing {', '.join(gaps)}")
    return labels


def fill(pattern: str, **values: str) -> str:
    """Put values into a label's `{names}`, once: a value that looks like a name is not filled again."""
    parts = pattern.split("{")
    filled = [parts[0]]
    for part in parts[1:]:
        name, brace, rest = part.partition("}")
        filled.append(values[name] + rest if brace and name in values else "{" + part)
    return "".join(filled)


def _name(file: Path) -> str:
    return f"messages/{file.parent.name}/{file.name}"
