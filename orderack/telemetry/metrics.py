"""Every figure of ours: its name, its unit, its labels (docs/operations/metrics.md).

What this process counts and times stands in `REGISTRY`; `ASKED` is what the gateway asks the ledger for when somebody
scrapes. A label's values are few and known (stores of the policy, channels, kinds of message): never an order's
number, never a customer. Counters begin at nothing with each process: what a process counted and nobody had scraped
when it was killed is lost, while the ledger, and so every figure asked of it, is not.
"""

import re
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)

OTHER = "other"

QUICK = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30)
"""Seconds: a call's."""
PROMISED = (
    0.1,
    0.25,
    0.5,
    1,
    2,
    5,
    10,
    15,
    30,
    45,
    60,
    120,
    300,
    600,
    900,
    1_200,
    3_600,
    7_200,
    14_400,
    43_200,
    86_400,
)
"""Seconds: with the promised clocks (60 s, 15 min, 2 h, 4 h, a day) among the bounds, so that a share kept is exact."""

GIVEN_UP = "given_up"
"""A send whose provider was out of reach for too long."""
_WORD = re.compile(r"[a-z][a-z_]{0,39}\Z")


class Few:
    """The first so many texts as they are, and `other` for all that come later: nobody's inventions fill up memory."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._known: set[str] = set()

    def __call__(self, text: str) -> str:
        if text not in self._known:
            if len(self._known) >= self._most:
                return OTHER
            self._known.add(text)
        return text


store_label = Few(100)
"""Whoever may start workflows may name stores that no policy has."""
source_label = Few(300)


def word_label(text: str) -> str:
    """A word of ours as a label; what is behind a colon is for people, and anything else is `other`."""
    word = text.partition(":")[0]
    return word if _WORD.match(word) else OTHER


# -- orders, counted where the ledger's row is committed ----------------------------------------------------------

ACKNOWLEDGEMENT = Histogram(
    "orderack_acknowledgement_seconds",
    "From the order's trigger to the first acceptance of each acknowledgement by a provider",
    ("kind", "store"),
    buckets=PROMISED,
    registry=REGISTRY,
)
SERVICE_LEVELS = Counter(
    "orderack_service_levels_total",
    "Promised clocks that were met or breached, when the ledger heard of it",
    ("clock", "outcome", "store"),
    registry=REGISTRY,
)
EVENTS = Counter(
    "orderack_order_events_total",
    "Entries of orders' timelines, each once",
    ("event", "store"),
    registry=REGISTRY,
)
SHADOW_EVENTS = Counter(
    "orderack_shadow_events_total",
    "Entries of shadow orders' timelines, each once: nothing of them went out, and none is in the other figures",
    ("event", "store"),
    registry=REGISTRY,
)
SENDS = Counter(
    "orderack_sends_total",
    "Sends by how they ended: accepted, rejected, unknown; given_up after the provider was out of reach for too long",
    ("channel", "outcome"),
    registry=REGISTRY,
)
ERP_RECEIPT = Histogram(
    "orderack_erp_receipt_seconds",
    "From submission to the ERP's receipt, by the order's own clock",
    ("erp",),
    buckets=PROMISED,
    registry=REGISTRY,
)
ERP_RECEIPTS = Counter(
    "orderack_erp_receipts_total",
    "Receipts that reached us, each once, by the worst verdict on any of their lines",
    ("erp", "verdict"),
    registry=REGISTRY,
)
INBOX_RECEIVED = Counter(
    "orderack_inbox_received_total",
    "Inbound events that were recorded, each once",
    ("kind",),
    registry=REGISTRY,
)
INBOX_ANNOUNCED = Counter(
    "orderack_inbox_announced_total",
    "Inbound events by what became of them (refused and unreadable ones wait for a person)",
    ("kind", "outcome"),
    registry=REGISTRY,
)
DUPLICATES = Counter(
    "orderack_duplicates_total",
    "What came again and was taken for what it is: an inbound event by its kind, a timeline entry, a send, evidence",
    ("what",),
    registry=REGISTRY,
)
ENDPOINT_POSTS = Counter(
    "orderack_endpoint_posts_total",
    "Events posted to endpoints that listen: delivered, failed (tried again), dead (given up)",
    ("endpoint", "outcome"),
    registry=REGISTRY,
)

# -- work, counted where it is done --------------------------------------------------------------------------------

PROVIDER = Histogram(
    "orderack_provider_seconds",
    "One attempt at a provider, by how it ended; its count is the number of attempts",
    ("channel", "result"),
    buckets=QUICK,
    registry=REGISTRY,
)
FALLBACKS = Counter(
    "orderack_fallbacks_total",
    "Sends begun by a channel that was not the first choice",
    ("channel",),
    registry=REGISTRY,
)
TURN_WAITS = Counter(
    "orderack_turn_waits_total",
    "Times that a send was put off: `rate` the channel's turns, `places` this worker's own sends by it",
    ("channel", "why"),
    registry=REGISTRY,
)
ERP_CALL = Histogram(
    "orderack_erp_call_seconds",
    "One call to an ERP, by what was asked and how it ended",
    ("erp", "call", "result"),
    buckets=QUICK,
    registry=REGISTRY,
)
RETRIES = Counter(
    "orderack_activity_retries_total",
    "Attempts at activities after the first",
    ("activity",),
    registry=REGISTRY,
)
CLOCK_SKEW = Gauge(
    "orderack_clock_skew_seconds",
    "This machine's clock less the Temporal server's, at the last activity (a task's way here is part of it)",
    registry=REGISTRY,
)
SIGNATURE_FAILURES = Counter(
    "orderack_signature_failures_total",
    "Requests whose signature did not hold, by whom they claim to be from",
    ("source",),
    registry=REGISTRY,
)
HTTP = Histogram(
    "orderack_http_request_seconds",
    "Requests to the gateway, until the answer's end",
    ("method", "route", "status"),
    buckets=QUICK,
    registry=REGISTRY,
)
JOBS = Counter(
    "orderack_background_jobs_total",
    "Rounds of the gateway's background jobs: done, waits (something is out of reach), failed",
    ("job_name", "outcome"),
    registry=REGISTRY,
)
LEDGER = Histogram(
    "orderack_ledger_seconds",
    "Transactions of the ledger, with the wait for their turn and connection",
    ("mode",),
    buckets=QUICK,
    registry=REGISTRY,
)
LEDGER_ERRORS = Counter(
    "orderack_ledger_errors_total",
    "Times that the ledger's database did not answer",
    ("reason",),
    registry=REGISTRY,
)
SEALS = Counter(
    "orderack_codec_failures_total",
    "Sealed payloads that could not be opened: no_key, or altered",
    ("reason",),
    registry=REGISTRY,
)
INFO = Gauge(
    "orderack_info",
    "1, by what this process is: `gateway`, or `worker` with its task queues",
    ("role", "queues", "version"),
    registry=REGISTRY,
)


# -- asked of the ledger by the gateway ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Figure:
    """A gauge whose readings are asked for. Every gateway says the same, so take the highest and never the sum."""

    name: str
    help: str
    labels: tuple[str, ...] = ()


LEDGER_UP = Figure("orderack_ledger_up", "Whether the ledger answered this question: 1 or 0")
ORDERS = Figure("orderack_orders", "Open orders by their stage", ("store", "stage"))
REVIEW_AGE = Figure("orderack_review_oldest_seconds", "Age of the oldest review that nobody has decided", ("store",))
HANDOFF_AGE = Figure("orderack_handoff_oldest_seconds", "Age of the oldest handoff that no team accepted", ("store",))
ERP_WAITING = Figure("orderack_erp_waiting", "Orders that wait for their ERP's receipt", ("erp",))
ERP_WAIT_AGE = Figure("orderack_erp_wait_oldest_seconds", "How long the first of them has waited", ("erp",))
IN_DOUBT = Figure("orderack_sends_in_doubt", "Sends of which nobody knows whether they went out", ("channel",))
IN_DOUBT_AGE = Figure(
    "orderack_sends_in_doubt_oldest_seconds", "How long the oldest of them that waits for a person has been in doubt"
)
TURN_WAIT = Figure("orderack_turn_wait_seconds", "How far ahead the turns of a channel are given away", ("channel",))
MARKED_DOWN = Figure(
    "orderack_marked_down",
    "1 for each channel (its name) and ERP (`erp/` and its name) that is marked down by its own errors",
    ("name",),
)
INBOX = Figure("orderack_inbox", "Recorded events that no order has heard of", ("kind",))
INBOX_AGE = Figure("orderack_inbox_oldest_seconds", "Age of the oldest of them", ("kind",))
OUTBOX = Figure("orderack_outbox", "Events that an endpoint is still to be told, or that were given up", ("state",))
OUTBOX_AGE = Figure("orderack_outbox_oldest_seconds", "Age of the oldest event that an endpoint is still to be told")
EXCEPTIONS = Figure("orderack_exceptions", "Orders that are absent somewhere, and are somebody's to see to", ("kind",))
EXCEPTIONS_AGE = Figure("orderack_exceptions_oldest_seconds", "How long the oldest of them has been open", ("kind",))
SWEEP_AGE = Figure("orderack_sweep_age_seconds", "Time since a sweep last got through all of it", ("what",))
TEMPORAL_UP = Figure("orderack_temporal_up", "Whether Temporal answered this question: 1 or 0")
ESCALATIONS = Figure("orderack_escalations", "Open orders that are escalated, as Temporal's visibility lists them")
HOST_UP = Figure("orderack_host_up", "Whether the disk that holds ORDERACK_HOME could be looked at: 1 or 0")
DISK_FREE = Figure("orderack_disk_free_bytes", "Room on the disk that holds ORDERACK_HOME")
DISK_SIZE = Figure("orderack_disk_size_bytes", "That disk's size")

OF_LEDGER: tuple[Figure, ...] = (
    *(LEDGER_UP, ORDERS, REVIEW_AGE, HANDOFF_AGE, ERP_WAITING, ERP_WAIT_AGE, IN_DOUBT, IN_DOUBT_AGE),
    *(TURN_WAIT, MARKED_DOWN, INBOX, INBOX_AGE, OUTBOX, OUTBOX_AGE, EXCEPTIONS, EXCEPTIONS_AGE, SWEEP_AGE),
)
"""The first of each says whether the others could be found."""
OF_TEMPORAL: tuple[Figure, ...] = (TEMPORAL_UP, ESCALATIONS)
OF_HOST: tuple[Figure, ...] = (HOST_UP, DISK_FREE, DISK_SIZE)
ASKED: tuple[Figure, ...] = OF_LEDGER + OF_TEMPORAL + OF_HOST
