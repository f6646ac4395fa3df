"""What every source must do. A new source inherits `SourceConformance` and brings its system's payloads; one that posts
nothing inherits `AnySource`.

`SampleConformance` beside it holds a source against every sample body that its vendor, or a shop of it, has published.
"""

import json
import os
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import ClassVar, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orderack import sources
from orderack.domain.intake import parse_order
from orderack.domain.money import add_up
from orderack.errors import BadSignature, InvalidInput, OrderAckError
from orderack.ports import Connection, Delivery, RawRequest, Skipped, Snapshot, Source
from orderack.registry import build_sources, prefix_of

NOW = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
SPECS = Path(__file__).resolve().parents[2].parent / "shared" / "specs" / "commerce"


class AnySource(ABC):
    """Holds for every source, also for one that posts nothing and is looked into."""

    name: ClassVar[str]
    secrets: ClassVar[Sequence[str]]
    """Every secret that `make` gives it: none may be seen in an error."""
    required: ClassVar[Sequence[str]]
    """Settings fields without which it cannot be built, in lower case."""
    pushes: ClassVar[bool] = False

    def connection(self) -> Connection:
        return Connection(store="shop", system=self.name, source="shop", country="DE", time_zone="Europe/Berlin")

    @abstractmethod
    def make(self, base_url: str = "http://127.0.0.1:9") -> Source:
        """The source with invented settings, its clock standing at NOW."""

    @asynccontextmanager
    async def made(self, base_url: str = "http://127.0.0.1:9") -> AsyncIterator[Source]:
        source = self.make(base_url)
        try:
            yield source
        finally:
            await source.aclose()

    def test_the_name_is_the_files_and_the_registration_says_what_is_needed(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        spec = sources.load()[self.name]
        assert spec.adapter.name == self.name
        assert spec.description
        assert spec.obtain
        assert spec.trigger
        assert spec.traps
        assert bool(spec.webhook) == self.pushes == spec.adapter.traits.pushes
        prefix = prefix_of("SOURCE", "shop", self.name)
        for variable in spec.variables_of(prefix):
            assert variable.description
            monkeypatch.delenv(variable.name, raising=False)
        lacking = build_sources(sources.load(), [self.connection()]).not_configured
        wanted = {f"{prefix}{field.upper()} is missing" for field in self.required}
        assert set(lacking.get(f"shop/{self.name}", ())) == wanted

    async def test_no_delivery_ends_in_a_traceback(self) -> None:
        async with self.made() as source:
            for body in HOSTILE:
                await _reads(source, Delivery(id="1", body=body.decode("utf-8", "replace")), self.secrets)


class SourceConformance(AnySource):
    """Holds for every source that posts."""

    pushes: ClassVar[bool] = True
    binds_body: ClassVar[bool] = True
    """Its proof is over the body's bytes. False: it is a secret that goes with them (the body is a hint only)."""
    body: ClassVar[bytes]
    """One order as the system posts it, of invented people; or the hint that it posts."""

    @abstractmethod
    def signed(self, body: bytes, at: datetime = NOW) -> RawRequest:
        """The request as the system sends it, signed by other code than the adapter's."""

    async def test_what_the_system_signed_is_believed_and_one_changed_byte_is_not(self) -> None:
        async with self.made() as source:
            request = self.signed(self.body)
            await source.verify(request)
            if self.binds_body:
                with pytest.raises(BadSignature):
                    await source.verify(request.model_copy(update={"body": request.body + b" "}))
            with pytest.raises(BadSignature):
                await source.verify(request.model_copy(update={"headers": {}, "url": "https://shop.example/intake"}))

    async def test_the_same_request_twice_is_the_same_deliveries(self) -> None:
        async with self.made() as source:
            first, again = source.deliveries(self.signed(self.body)), source.deliveries(self.signed(self.body))
            assert [one.id for one in first] == [one.id for one in again]
            assert first
            assert all(Delivery.model_validate_json(one.model_dump_json()) == one for one in first)

    async def test_no_body_ends_in_a_traceback(self) -> None:
        async with self.made() as source:
            for body in HOSTILE:
                await _survives(source, self.signed(body), self.secrets)


HOSTILE = (
    b"",
    b"{",
    b"null",
    b"[]",
    b"{}",
    b"1e999",
    b'"text"',
    b"[" * 10_000,
    b'{"id":' + b"9" * 5_000 + b"}",
    b"\xff\xfe\x00",
    b'{"id": "\\ud800"}',
    json.dumps({"id": True, "orders": 3, "order": [], "data": {"id": {}}, "total": "NaN"}).encode(),
)
"""Bodies that are none."""


async def _survives(source: Source, request: RawRequest, secrets: Sequence[str]) -> None:
    said, deliveries = "", list[Delivery]()
    try:
        await source.verify(request)
        deliveries = list(source.deliveries(request))
    except OrderAckError as error:
        said = str(error)
    assert not any(secret in said for secret in secrets)
    for delivery in deliveries:
        await _reads(source, delivery, secrets)


async def _reads(source: Source, delivery: Delivery, secrets: Sequence[str]) -> None:
    said = ""
    try:
        await source.read(delivery)
    except OrderAckError as error:
        said = str(error)
    assert not any(secret in said for secret in secrets)


class Sample(NamedTuple):
    """One order in a file of samples, as the system would deliver it."""

    name: str
    delivery: Delivery
    total: Decimal | None
    """What the vendor's own body says that the buyer pays, read by other code than the adapter's. None: it says not."""


class SampleConformance(ABC):
    """Every sample of `folder` in the folder of vendors' descriptions: an order, or a named reason why it is none."""

    folder: ClassVar[str]
    refused: ClassVar[Mapping[str, str]] = {}
    """Sample's name → a part of the reason that is given: each must be justified in its own right."""
    skipped: ClassVar[Mapping[str, str]] = {}
    """Sample's name → a part of why there is nothing in it for us."""
    off: ClassVar[Mapping[str, str]] = {}
    """Sample's name → why its own sums don't add up, which is then a person's to see (`totals_mismatch`)."""

    @abstractmethod
    def source(self) -> Source:
        """One that reads them."""

    @abstractmethod
    def samples(self, path: Path) -> Sequence[Sample] | str:
        """The orders in this file; or, in a few words, why it holds none (a customer, a request to the vendor …)."""

    def own(self) -> Sequence[Sample]:
        """Of ours, for the test alone: where what was published holds no order."""
        return ()

    async def results(self, files: Sequence[Path] | None = None) -> AsyncIterator[tuple[str, str, str]]:
        """(sample, what became of it, detail) for each; the table of docs/samples.md is made of these."""
        source = self.source()
        for path in files or sorted((SPECS / self.folder / "samples").rglob("*")):
            if not path.is_file():
                continue
            found = self.samples(path)
            if isinstance(found, str):
                yield path.name, "no order", found
                continue
            for sample in found:
                yield (sample.name, *await self._result(source, sample))
        await source.aclose()

    async def _result(self, source: Source, sample: Sample) -> tuple[str, str]:
        try:
            readings = await source.read(sample.delivery)
        except InvalidInput as refused:
            return "refused", str(refused)
        snapshots = [reading for reading in readings if isinstance(reading, Snapshot)]
        if not snapshots:
            why = "; ".join(one.why for one in readings if isinstance(one, Skipped))
            return "skipped", why or "a hint: it does not say all, so the order is fetched"
        (snapshot,) = snapshots
        order = snapshot.order
        assert not isinstance(parse_order(order.model_dump_json()), tuple), sample.name
        if sample.total is not None:
            assert order.totals.total == sample.total, f"{sample.name}: {order.totals.total} is not {sample.total}"
        short = order.totals.total - add_up(order)
        return ("order", "adds up") if not short else ("order", f"{short} short")

    async def test_every_sample_is_an_order_or_has_a_named_reason_why_not(self) -> None:
        if not SPECS.is_dir():
            pytest.skip("the vendors' samples are not beside this checkout")
        count = 0
        source = self.source()
        every = [(sample.name, *await self._result(source, sample)) for sample in self.own()]
        await source.aclose()
        every += [result async for result in self.results()]
        for name, became, detail in every:
            count += became == "order"
            if became == "refused":
                assert name in self.refused, f"{name} is refused: {detail}"
                assert self.refused[name] in detail
            elif became == "skipped":
                assert name in self.skipped, f"{name} is skipped: {detail}"
                assert self.skipped[name] in detail
            elif became == "order":
                assert (detail == "adds up") == (name not in self.off), f"{name}: {detail}"
        assert count, "no sample became an order"


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=20,
)
"""JSON of any shape."""

EXAMPLES = int(os.environ.get("ORDERACK_FUZZ_EXAMPLES", "0"))

quickly = settings(
    max_examples=EXAMPLES or 20,
    derandomize=not EXAMPLES,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
"""Few and always the same; or as many as ORDERACK_FUZZ_EXAMPLES asks for, and new ones."""

__all__ = ["NOW", "SPECS", "Sample", "SampleConformance", "SourceConformance", "anything", "given", "quickly"]
