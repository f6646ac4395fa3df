"""What the doctor found, as values: what `--json` prints and the page shows. Times in UTC, durations in seconds."""

from pydantic import AwareDatetime

from orderack.diagnostics.gap.sequence import Fires
from orderack.diagnostics.gap.verdict import Refusal, Verdict
from orderack.diagnostics.gap.waiting import Cause, Slow, Stamp
from orderack.domain.value import Value


class Range(Value):
    """A figure and its 95 % interval."""

    value: float
    low: float
    high: float


class Share(Value):
    """A cause, and its share of the orders, or of their delay where a path has two slow stages."""

    cause: Cause
    share: float


class Quantiles(Value):
    """How long something took, over so many orders."""

    orders: int
    minimum: float
    p5: float
    p25: float
    median: Range
    p75: float
    p95: float
    p99: float
    maximum: float
    mean: float


class Bucket(Value):
    """Delay from capture to receipt in one hour, or at one volume."""

    name: str
    orders: int
    p25: float
    median: float
    p75: float


class VariationFigures(Value):
    """Consistent or variable (R176-R178)."""

    spread: Range
    swing: Range
    explained: Range
    hour_p: float
    hour_effect: float
    volume_rho: Range
    volume_p: float
    volume_minutes: int
    variable: bool
    agree: float


class StageFigures(Value):
    """The delay taken apart by the integration's stamps."""

    stamp: Stamp
    orders: int
    first_share: Range
    first: Quantiles
    second: Quantiles
    second_variable: bool
    slow: Slow


class SequenceFigures(Value):
    """What the confirmation waits for (R142, R163)."""

    orders: int
    early: int
    early_share: Range
    rho: Range
    excess: Range
    keeps: Range
    skew: float
    median_lag: float
    fires: Fires


class OutageFigures(Value):
    """A time without receipts, left out of the test of the usual flow."""

    since: AwareDatetime
    until: AwareDatetime
    waiting: int


class BatchFigures(Value):
    """An import's rhythm."""

    minutes: float
    strength: float


class RulingFigures(Value):
    """A verdict on some orders, with what it rests on."""

    orders: int
    verdict: Verdict
    confidence: float
    """Share of the bootstrap's resamples that say the same."""
    parts: tuple[Share, ...]
    refusal: Refusal | None
    orders_missing: int
    wait_cause: tuple[Share, ...]
    """What the delay itself says, whatever the confirmation fires on."""
    delay: Quantiles | None
    lag: Quantiles | None
    """Receipt to confirmation; negative: the buyer was told first."""
    variation: VariationFigures | None
    stages: StageFigures | None
    sequence: SequenceFigures | None
    batch: BatchFigures | None
    outages: tuple[OutageFigures, ...]
    hours: tuple[Bucket, ...]
    volumes: tuple[Bucket, ...]


class ChannelFigures(Value):
    """One channel by itself (R179)."""

    channel: str
    ruling: RulingFigures


class Column(Value):
    """What a column was taken for, and why."""

    log: str
    meaning: str
    column: str
    how: str


class Unread(Value):
    """A row that was not used."""

    line: int
    why: str


class Joint(Value):
    """How many order numbers one way of writing them joined."""

    writing: str
    orders: int


class LogFigures(Value):
    """What became of one log's rows."""

    log: str
    file: str
    rows: int
    orders: int
    repeated: int
    unreadable: int
    unreadable_rows: tuple[Unread, ...]
    """The first of them; all are in the lists (`--lists`)."""
    joined: tuple[Joint, ...]
    ambiguous: int
    others: int
    naive: int
    guessed: bool
    """Times without a zone were read in UTC, for nobody named one."""
    zone: str
    times: str
    resolution: float
    notes: tuple[str, ...]
    """What was assumed to read it at all."""


class EarlyOrder(Value):
    order: str
    channel: str
    captured: AwareDatetime
    confirmed: AwareDatetime
    receipt: AwareDatetime
    seconds: float
    """From the confirmation to the receipt."""


class MissingOrder(Value):
    order: str
    channel: str
    captured: AwareDatetime
    confirmed: AwareDatetime | None
    line: int


class OversoldLine(Value):
    order: str
    sku: str
    captured: AwareDatetime
    quantity: float
    stock: float
    in_gap: float
    short: float


class UnseenItem(Value):
    sku: str
    peak: float
    peak_at: AwareDatetime


class SignalFigures(Value):
    """S3's three signals. Lists hold the first; `--lists` writes all."""

    confirmed_before_receipt: int
    confirmed_before_receipt_orders: tuple[EarlyOrder, ...]
    not_in_erp: int
    not_in_erp_orders: tuple[MissingOrder, ...]
    too_recent: int
    before_erp_log: int
    oversold: int | None
    """None: it cannot be said (`oversold_why`)."""
    oversold_lines: tuple[OversoldLine, ...]
    oversold_why: str
    unseen_unit: str
    unseen_lost: float
    """Of orders that are not in the ERP at all; the figures below are of those that reach it."""
    unseen_mean: float
    unseen_peak: float
    unseen_peak_at: AwareDatetime | None
    unseen_share_of_a_day: float
    unseen_items: tuple[UnseenItem, ...]


class Diagnosis(Value):
    """All of it."""

    verdict: Verdict
    sentence: str
    why: tuple[str, ...]
    next: tuple[str, ...]
    notes: tuple[str, ...]
    """What was assumed, set aside or left out."""
    joined_orders: int
    orders_needed: int
    time_zone: str
    ruling: RulingFigures
    channels: tuple[ChannelFigures, ...]
    logs: tuple[LogFigures, ...]
    mapping: tuple[Column, ...]
    signals: SignalFigures
