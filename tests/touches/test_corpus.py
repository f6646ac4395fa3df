"""The corpus: what real machines and real people look like, and what is to be said of each."""

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from pydantic import Field, TypeAdapter

from orderack.domain.evidence import Grade
from orderack.domain.value import Value
from orderack.touches import Reason, Touch, What, classify

DELIVERED = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)


class Seen(Value):
    """One touch as the corpus writes it."""

    what: What = What.PIXEL
    agent: str = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
    method: str = "GET"
    address: str = "203.0.113.7"
    headers: Mapping[str, str] = Field(default_factory=dict)
    after: float = 3_600

    @property
    def touch(self) -> Touch:
        return Touch(
            send_key="demo/1/1/confirmation/1/sendgrid_email",
            what=self.what,
            method=self.method,
            address=self.address,
            user_agent=self.agent,
            headers=self.headers,
            at=DELIVERED + timedelta(seconds=self.after),
        )


class Case(Seen):
    name: str
    others: tuple[Seen, ...] = ()
    expect: tuple[Reason, ...]


_CASES: TypeAdapter[tuple[Case, ...]] = TypeAdapter(tuple[Case, ...])
CASES = _CASES.validate_python(yaml.safe_load((Path(__file__).parent / "corpus.yaml").read_text()))


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_the_verdict_and_its_reasons(case: Case) -> None:
    verdict = classify(case.touch, [other.touch for other in case.others], DELIVERED)
    assert set(verdict.reasons) == set(case.expect)
    assert verdict.machine == bool(case.expect)
    assert verdict.grade is (Grade.M if case.expect else Grade.E3P)


def test_the_corpus_is_as_large_as_it_should_be_and_shows_every_reason_and_people_too() -> None:
    assert len(CASES) >= 80
    assert len({case.name for case in CASES}) == len(CASES)
    shown = Counter(reason for case in CASES for reason in case.expect)
    assert set(shown) == set(Reason)
    assert sum(not case.expect for case in CASES) >= 30


def test_reasons_come_in_one_order_and_their_names_are_frozen() -> None:
    first = next(case for case in CASES if case.name == "Safe Links asks without a name")
    assert classify(first.touch, (), DELIVERED).reasons == (
        Reason.SAFE_LINKS,
        Reason.HEAD_REQUEST,
        Reason.NO_USER_AGENT,
        Reason.TOO_SOON,
        Reason.CLOUD_NETWORK,
    )
    assert {str(reason) for reason in Reason} >= {
        *("apple_mail_preload", "google_image_proxy", "yahoo_image_proxy", "safe_links", "proofpoint", "mimecast"),
        *("barracuda", "cisco", "mail_scanner", "preview_bot", "crawler", "http_client", "headless_browser"),
        *("head_request", "no_user_agent", "prefetch_header", "all_links_at_once", "honeypot", "too_soon"),
        "cloud_network",
    }
