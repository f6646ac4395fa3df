"""What the pages of documentation and the files of deploy/ say, read for comparing."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml
from prometheus_client import Counter, Gauge, Histogram

from orderack.telemetry import metrics

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/operations/metrics.md"
RUNBOOK = ROOT / "docs/operations/runbook.md"
DEPLOY = ROOT / "deploy"

_ROW = re.compile(r"^\| `(?P<name>[a-z_]+)` \| (?P<kind>counter|gauge|histogram) \| (?P<rest>.*) \|$", re.MULTILINE)
_PROCESS = re.compile(r"`(process_[a-z_]+)`")
SUFFIXES: Mapping[str, tuple[str, ...]] = {"counter": ("",), "gauge": ("",), "histogram": ("_bucket", "_count", "_sum")}
EVERYWHERE = frozenset({"instance", "job", "le"})
"""Labels that Prometheus adds, and a histogram's own."""
OF_SDK = frozenset(
    {"namespace", "service_name", "task_queue", "activity_type", "worker_type", "operation", "poller_type"}
)


@dataclass(frozen=True)
class Documented:
    """One row of the page."""

    name: str
    kind: str
    labels: frozenset[str]
    """None are told of the SDK's."""


def documented() -> Mapping[str, Documented]:
    """Every figure that the page has a row for."""
    found = {}
    for row in _ROW.finditer(PAGE.read_text()):
        ours = row["name"].startswith("orderack_")
        labels = frozenset(re.findall(r"`([a-z_]+)`", row["rest"].split(" | ")[0])) if ours else OF_SDK
        found[row["name"]] = Documented(row["name"], row["kind"], labels)
    return found


def samples() -> Mapping[str, frozenset[str]]:
    """Every name that an expression may use, with the labels it may use of it."""
    names = {
        f"{one.name}{suffix}": one.labels | EVERYWHERE for one in documented().values() for suffix in SUFFIXES[one.kind]
    }
    return names | dict.fromkeys(_PROCESS.findall(PAGE.read_text()), EVERYWHERE)


def catalogue() -> Mapping[str, Documented]:
    """Every figure of ours, as the code has it."""
    found = {}
    for collector in set(metrics.REGISTRY._collector_to_names):
        match collector:
            case Counter():
                name, kind = f"{collector._name}_total", "counter"
            case Histogram():
                name, kind = collector._name, "histogram"
            case Gauge():
                name, kind = collector._name, "gauge"
            case _:
                continue
        found[name] = Documented(name, kind, frozenset(collector._labelnames))
    asked = {one.name: Documented(one.name, "gauge", frozenset(one.labels)) for one in metrics.ASKED}
    return found | asked


def alerts() -> list[dict[str, object]]:
    """Every alert rule."""
    groups = yaml.safe_load((DEPLOY / "prometheus/alerts.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def boards() -> Mapping[str, dict[str, object]]:
    """Every dashboard by its file's name."""
    return {path.name: json.loads(path.read_text()) for path in sorted((DEPLOY / "grafana/dashboards").glob("*.json"))}
