"""The boards: as Grafana wants them, as far as a file shows it, and about figures that exist."""

from itertools import combinations

import pytest
import yaml

from tests.telemetry.pages import DEPLOY, ROOT, boards, samples
from tests.telemetry.promql import grouped_by, matchers_in, names_in

BOARDS = boards()
KINDS = {"row", "timeseries", "stat", "bargauge"}


def cells(panel: dict[str, dict[str, int]]) -> set[tuple[int, int]]:
    at = panel["gridPos"]
    return {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}


@pytest.mark.parametrize("name", BOARDS)
def test_a_board_is_whole(name: str) -> None:
    board = BOARDS[name]
    assert board["schemaVersion"] >= 36
    assert name == f"{board['uid']}.json"
    assert board["title"]
    assert board["id"] is None if "id" in board else True
    ids = [panel["id"] for panel in board["panels"]]
    assert len(ids) == len(set(ids)) > 10
    variables = {one["name"]: one for one in board["templating"]["list"]}
    assert variables["datasource"]["type"] == "datasource"
    assert variables["datasource"]["query"] == "prometheus"


@pytest.mark.parametrize("name", BOARDS)
def test_no_panel_lies_over_another_or_beside_the_board(name: str) -> None:
    panels = BOARDS[name]["panels"]
    for panel in panels:
        assert panel["type"] in KINDS
        assert panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24
    for one, other in combinations(panels, 2):
        assert not cells(one) & cells(other), (one["title"], other["title"])


@pytest.mark.parametrize("name", BOARDS)
def test_every_panel_asks_its_datasource_for_figures_and_labels_that_exist(name: str) -> None:
    known = samples()
    for panel in (one for one in BOARDS[name]["panels"] if one["type"] != "row"):
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        assert panel["description"]
        refs = [target["refId"] for target in panel["targets"]]
        assert len(refs) == len(set(refs)) > 0
        for target in panel["targets"]:
            used = names_in(target["expr"])
            assert used, target["expr"]
            assert used <= known.keys(), target["expr"]
            for figure, label in matchers_in(target["expr"]):
                assert label in known[figure], (figure, label)
            assert grouped_by(target["expr"]) <= frozenset().union(*(known[figure] for figure in used))
    for variable in BOARDS[name]["templating"]["list"]:
        if variable["type"] == "query":
            assert names_in(variable["definition"].partition(",")[0]) <= known.keys()


def test_what_every_gateway_says_is_never_added_up_over_gateways() -> None:
    asked = {"orderack_orders", "orderack_sends_in_doubt", "orderack_inbox", "orderack_outbox", "orderack_erp_waiting"}
    for board in BOARDS.values():
        for panel in board["panels"]:
            for target in panel.get("targets", []):
                if names_in(target["expr"]) & asked:
                    assert "max" in target["expr"], target["expr"]


def test_the_boards_are_provisioned_where_compose_mounts_them() -> None:
    provider = yaml.safe_load((DEPLOY / "grafana/provisioning/dashboards/orderack.yml").read_text())["providers"][0]
    source = yaml.safe_load((DEPLOY / "grafana/provisioning/datasources/prometheus.yml").read_text())["datasources"][0]
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    mounted = dict(volume.split(":")[:2] for volume in services["grafana"]["volumes"])
    assert mounted["./deploy/grafana/dashboards"] == provider["options"]["path"]
    assert mounted["./deploy/grafana/provisioning"] == "/etc/grafana/provisioning"
    assert source["url"].removeprefix("http://").partition(":")[0] in services
    assert mounted.keys() <= {"./deploy/grafana/dashboards", "./deploy/grafana/provisioning", "grafana-data"}
