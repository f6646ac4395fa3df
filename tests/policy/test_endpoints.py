"""Lint of the endpoints that are told what happens."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from orderack.policy.endpoints import variable
from orderack.policy.model import Policy
from tests.policy.test_lint import findings, the_finding

Load = Callable[..., Policy]
SOUND = {"url": "https://crm.example/hook", "events": ["order.confirmed", "*"], "stores": ["demo"]}


def endpoints(**named: dict[str, Any]) -> Callable[[dict[str, Any]], object]:
    return lambda document: document.update(endpoints=named)


@pytest.mark.parametrize(
    "url",
    ["https://crm.example/hook", "https://10.0.0.7:8443/", "http://127.0.0.1:9/", "http://localhost/", "http://[::1]/"],
)
def test_a_sound_endpoint_has_no_findings(url: str, load: Load) -> None:
    assert findings(load(endpoints(crm=SOUND | {"url": url}))) == ()


@pytest.mark.parametrize(
    ("change", "field", "problem", "remedy"),
    [
        ({"events": ["order.confirm"]}, "events", "order.confirm", "did you mean order.confirmed?"),
        ({"events": ["xyzzy"]}, "events", "xyzzy", "order.closed"),
        ({"stores": ["dmeo"]}, "stores", "dmeo", "did you mean demo?"),
        ({"stores": ["xyzzy"]}, "stores", "xyzzy", "demo"),
        ({"url": "http://crm.example/"}, "url", "unencrypted", "https"),
        ({"url": "http://10.0.0.7/"}, "url", "unencrypted", "https"),
        ({"url": "https://ada:word@crm.example/"}, "url", "login", "signature"),
        ({"url": "https://:443/"}, "url", "not a URL", "host"),
        ({"url": "https://crm.example:port/"}, "url", "not a URL", "host"),
        ({"url": "https://[::1/"}, "url", "not a URL", "host"),
    ],
)
def test_what_cannot_work_is_named_with_its_remedy(
    change: dict[str, Any], field: str, problem: str, remedy: str, load: Load
) -> None:
    finding = the_finding(load(endpoints(crm=SOUND | change)))
    assert finding.field == f"endpoints.crm.{field}"
    assert problem in finding.problem
    assert remedy in finding.remedy
    assert "word" not in finding.problem + finding.remedy.replace("password", "")


def test_two_endpoints_never_share_one_secret_by_accident(load: Load) -> None:
    finding = the_finding(load(endpoints(**{"crm-eu": SOUND, "crm_eu": copy.deepcopy(SOUND)})))
    assert "ORDERACK_ENDPOINT_CRM_EU_SECRET" in finding.problem


def test_the_variable_is_the_name_in_capitals() -> None:
    assert variable("crm-eu.2") == "ORDERACK_ENDPOINT_CRM_EU_2_SECRET"
