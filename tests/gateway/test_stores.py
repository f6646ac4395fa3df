"""The gateway's stores are those of the policy as it is now."""

import os
import shutil
from dataclasses import replace
from pathlib import Path

import httpx
import yaml

from orderack.gateway.app import create_app
from orderack.gateway.stores import CurrentStores
from orderack.policy.load import CurrentPolicy
from tests.gateway.conftest import OTHER_KEY, Gateway

POLICY = Path(__file__).parents[2] / "policy" / "policy.yaml"


async def test_a_store_that_is_added_to_the_policy_is_known_to_the_next_request(
    gateway: Gateway, tmp_path: Path
) -> None:
    file = Path(shutil.copy(POLICY, tmp_path / "policy.yaml"))
    stores = CurrentStores(CurrentPolicy(tmp_path))
    assert list(stores) == ["demo"]
    transport = httpx.ASGITransport(create_app(replace(gateway.parts, stores=stores)))
    async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as http:
        before = await http.get("/orders/other/1", headers={"x-api-key": OTHER_KEY})
        add_a_store(file)
        after = await http.get("/orders/other/1", headers={"x-api-key": OTHER_KEY})
    assert [answer.json()["error"] for answer in (before, after)] == ["store_unknown", "order_unknown"]
    assert (len(stores), stores["other"].display_name) == (2, "Other")


def add_a_store(file: Path) -> None:
    document = yaml.safe_load(file.read_text())
    document["stores"]["other"] = document["stores"]["demo"] | {"profile": {"display_name": "Other"}}
    file.write_text(yaml.dump(document, Dumper=_Plain))
    os.utime(file, (1, 1))  # another time, whatever the clock's grain


class _Plain(yaml.SafeDumper):
    def ignore_aliases(self, data: object) -> bool:
        return True
