"""Shopify's metafields and tags against the conformance suite and Shopify's own schema of 2026-07."""

import json
from collections.abc import Mapping
from datetime import timedelta
from functools import cache
from urllib.parse import parse_qs

import pytest
from graphql import (
    DocumentNode,
    GraphQLSchema,
    OperationDefinitionNode,
    build_client_schema,
    extend_schema,
    get_operation_ast,
    parse,
    validate,
)
from graphql.execution.values import get_variable_values
from pydantic import JsonValue

from orderack.channels.shopify_note import ShopifyNote, ShopifyNoteSettings
from orderack.clients.http import LONGEST_WAIT
from orderack.clients.shopify import VALUE_BYTES, WHO, WRITE
from orderack.domain.acknowledgement import Audience, Kind, Reason
from orderack.domain.order import Order
from orderack.errors import InDoubt, Misconfigured, Refused, Unavailable, Unsupported
from orderack.ports import Message, RawRequest
from tests.conformance.channel import NOW, WEBHOOK_URL, HttpChannelConformance
from tests.conformance.openapi import spec
from tests.conformance.orders import ORDER, known_as
from tests.conformance.peer import Answer, Received, json_answer

CLIENT, SECRET, TOKEN = "0123456789abcdef", "shpss_fedcba9876543210", "shpat_test_only_00000001"
BEYOND_2_53 = "820982911946154508"
"""Shopify's own sample; a double would make it …500."""
METAFIELD = "gid://shopify/Metafield/1069229044"

DOCUMENTED = """
extend type Mutation { metafieldsSet(metafields: [MetafieldsSetInput!]!): MetafieldsSetPayload }
input MetafieldsSetInput {
  ownerId: ID! namespace: String key: String! value: String! type: String compareDigest: String
}
type Metafield { id: ID! namespace: String! key: String! type: String! value: String! }
type MetafieldsSetPayload { metafields: [Metafield!] userErrors: [MetafieldsSetUserError!]! }
type MetafieldsSetUserError { code: String elementIndex: Int field: [String!] message: String! }
"""
"""The pruned introspection beside the checkout lacks metafieldsSet; this much of it is on shopify.dev's own pages."""


@cache
def schema() -> GraphQLSchema:
    """Shopify's, with what the pruning took away. Taken as valid: Shopify deprecates a field of an interface's."""
    path = spec("x").parents[1] / "commerce/shopify/admin-graphql-2026-07-orders-introspection.json"
    introspection = json.loads(path.read_text())
    pruned = build_client_schema(introspection.get("data", introspection), assume_valid=True)
    return extend_schema(pruned, parse(DOCUMENTED), assume_valid=True)


def operation(document: DocumentNode) -> OperationDefinitionNode:
    found = get_operation_ast(document)
    assert found
    return found


def written(data: JsonValue = None, **others: JsonValue) -> dict[str, JsonValue]:
    done: dict[str, JsonValue] = {
        "metafieldsSet": {"metafields": [{"id": METAFIELD}], "userErrors": []},
        "tagsAdd": {"userErrors": []},
    }
    return {"data": done if data is None else data, **others}


def failed(code: str, cost: JsonValue = None) -> Answer:
    """An error inside a 200."""
    error: JsonValue = {"message": "No.", "extensions": {"code": code}}
    return json_answer(200, {"data": None, "errors": [error], "extensions": {"cost": cost} if cost else {}})


def refused(code: str | None, *field: str) -> Answer:
    """A user error inside a 200."""
    error: JsonValue = {"field": list(field), "message": "No.", "code": code}
    return json_answer(200, written({"metafieldsSet": {"metafields": [], "userErrors": [error]}, "tagsAdd": None}))


class TestShopifyNote(HttpChannelConformance):
    name = "shopify_note"
    recipient = "ops"
    audience = Audience.INTERNAL
    secrets = (SECRET, TOKEN)
    required = (
        "ORDERACK_SHOPIFY_NOTE_BASE_URL",
        "ORDERACK_SHOPIFY_NOTE_CLIENT_ID",
        "ORDERACK_SHOPIFY_NOTE_CLIENT_SECRET",
    )
    nowhere = "https://nowhere.invalid"

    login = (json_answer(200, {"access_token": TOKEN, "scope": "write_orders", "expires_in": 86399}),)
    relogins = True
    accepted = json_answer(200, written())
    provider_id = METAFIELD
    healthy = (json_answer(200, {"data": {"shop": {"name": "Fjordlight"}}}),)
    refusals = (
        (refused("INVALID", "metafields", "0", "ownerId"), Reason.BAD_RECIPIENT),
        (refused(None, "metafields", "0", "value"), Reason.CONTENT),
        (refused("INVALID_VALUE", "metafields", "0", "value"), Reason.CONTENT),
        (refused("TOO_LONG", "metafields", "0", "value"), Reason.TOO_LONG),
        (refused("INVALID_TYPE", "metafields", "0", "type"), Reason.OTHER),
        (refused("A_WORD_OF_TOMORROW"), Reason.OTHER),
        (refused(None), Reason.OTHER),
        (failed("MAX_COST_EXCEEDED"), Reason.OTHER),
        (failed("undefinedField"), Reason.OTHER),
        (failed(""), Reason.OTHER),
        (Answer(400, b"{}"), Reason.OTHER),
        (Answer(422, b'{"errors": "no"}'), Reason.OTHER),
    )
    ours_to_mend = (
        *(failed(code) for code in ("ACCESS_DENIED", "SHOP_INACTIVE")),
        refused("APP_NOT_AUTHORIZED", "metafields", "0", "namespace"),
        *(Answer(status, b'{"errors": "no"}') for status in (401, 402, 403, 404, 423)),
    )
    not_now = (failed("THROTTLED"),)
    in_doubt = (
        failed("INTERNAL_SERVER_ERROR"),
        refused("INTERNAL_ERROR"),
        json_answer(200, {"data": None}),
        json_answer(200, written({"metafieldsSet": None, "tagsAdd": None})),
        json_answer(200, written({"metafieldsSet": {"metafields": [], "userErrors": []}})),
        json_answer(200, {"errors": "[API] something"}),
        Answer(202, b""),
    )

    def make(self, base_url: str) -> ShopifyNote:
        return ShopifyNote(self.settings(base_url=base_url), clock=lambda: NOW)

    def settings(self, **changes: str) -> ShopifyNoteSettings:
        given = {"base_url": "https://fjordlight.myshopify.com", "client_id": CLIENT, "client_secret": SECRET}
        return ShopifyNoteSettings.model_validate(given | changes)

    def message(self, **content: str | None) -> Message:
        return super().message(**content).model_copy(update={"order": known_as("shopify", BEYOND_2_53)})

    def test_both_documents_are_valid_in_shopifys_schema_and_what_is_left_of_it_alone_knows_the_rest(self) -> None:
        for document in (WRITE, WHO):
            assert validate(schema(), parse(document)) == []
        without = "\n".join(line for line in WRITE.splitlines() if "metafieldsSet" not in line)
        assert validate(schema(), parse(without.replace(", $metafields: [MetafieldsSetInput!]!", ""))) == []
        assert validate(schema(), parse(WRITE.replace("tagsAdd(id: $order", "tagsAdd(order: $order")))

    async def test_the_variables_are_what_shopifys_schema_takes(self) -> None:
        posted = json.loads((await self.sent()).body)
        definitions = operation(parse(posted["query"])).variable_definitions
        assert not isinstance(get_variable_values(schema(), definitions, posted["variables"]), list)
        assert isinstance(get_variable_values(schema(), definitions, posted["variables"] | {"tags": 7}), list)

    async def test_it_signs_in_as_the_app_and_the_token_goes_in_shopifys_own_header(self) -> None:
        async with self.provider() as (peer, channel):
            peer.will(*self.login, self.accepted)
            await channel.send(self.message())
            await channel.send(self.message())
            signing_in, first, second = peer.received
        assert signing_in.target == "/admin/oauth/access_token"
        assert parse_qs(signing_in.body.decode()) == {
            "grant_type": ["client_credentials"],
            "client_id": [CLIENT],
            "client_secret": [SECRET],
        }
        for request in (first, second):
            assert request.target == "/admin/api/2026-07/graphql.json"
            assert request.headers["x-shopify-access-token"] == TOKEN
            assert "authorization" not in request.headers

    def variables(self, request: Received) -> Mapping[str, JsonValue]:
        found: Mapping[str, JsonValue] = json.loads(request.body)["variables"]
        return found

    async def test_the_record_holds_the_message_under_the_sends_own_name_and_the_orders_whole_id(self) -> None:
        message = self.message()
        variables = self.variables(await self.sent())
        gid = f"gid://shopify/Order/{BEYOND_2_53}"
        assert variables["order"] == gid
        assert variables["tags"] == ["orderack-confirmation"]
        assert isinstance(variables["metafields"], list)
        (metafield,) = variables["metafields"]
        assert isinstance(metafield, dict)
        value = metafield.pop("value")
        assert metafield == {"ownerId": gid, "namespace": "orderack", "key": "r1_confirmation_1", "type": "json"}
        assert isinstance(value, str)
        assert json.loads(value) == {
            "key": message.key_text,
            "kind": "confirmation",
            "revision": 1,
            "n": 1,
            "subject": message.content.subject,
            "text": message.content.text,
            "link": message.content.link,
        }

    async def test_no_two_sends_of_an_order_share_a_metafield_and_its_name_is_one_shopify_takes(self) -> None:
        names = set()
        sends = [(revision, kind, n) for revision in (1, 1_000_000) for kind in Kind for n in (1, 2, 1_000_000)]
        for revision, kind, n in sends[:: len(sends) // 12]:
            key = self.message().key.model_copy(update={"revision": revision, "kind": kind, "n": n})
            request = await self.sent(self.message().model_copy(update={"key": key, "kind": kind}))
            metafields = self.variables(request)["metafields"]
            assert isinstance(metafields, list)
            assert isinstance(metafields[0], dict)
            name = str(metafields[0]["key"])
            assert 3 <= len(name) <= 64
            assert name.replace("_", "").isalnum()
            names.add(name)
        assert len(names) == len(sends[:: len(sends) // 12])

    @pytest.mark.parametrize(
        ("cost", "wait"),
        [
            ((752, 666, 50), timedelta(seconds=1.72)),
            ((20, 0, 100), timedelta(seconds=0.2)),
            ((20, 30, 100), timedelta(0)),
            ((1e9, 0, 1), LONGEST_WAIT),
        ],
    )
    async def test_a_throttle_inside_a_200_waits_until_the_bucket_holds_enough(
        self, cost: tuple[float, float, float], wait: timedelta
    ) -> None:
        requested, available, rate = cost
        status: JsonValue = {"maximumAvailable": 1000.0, "currentlyAvailable": available, "restoreRate": rate}
        error = await self.failure(
            failed("THROTTLED", {"requestedQueryCost": requested, "actualQueryCost": None, "throttleStatus": status})
        )
        assert isinstance(error, Unavailable)
        assert error.retry_after == wait

    async def test_a_record_that_could_not_be_tagged_is_written_and_says_so(self) -> None:
        async with self.provider() as (peer, channel):
            done = written()
            assert isinstance(done["data"], dict)
            done["data"]["tagsAdd"] = {"userErrors": [{"field": ["tags"]}]}
            peer.will(*self.login, json_answer(200, done))
            assert (await channel.send(self.message())).detail == "written, and not tagged"
            peer.will(self.accepted)
            assert (await channel.send(self.message())).detail == ""

    @pytest.mark.parametrize(
        ("order", "reason"),
        [
            (ORDER, Reason.NO_RECIPIENT),
            (known_as("woocommerce", "723"), Reason.NO_RECIPIENT),
            (known_as("shopify", "gid://shopify/Customer/7"), Reason.BAD_RECIPIENT),
            (known_as("shopify", "#1001"), Reason.BAD_RECIPIENT),
        ],
    )
    async def test_an_order_that_this_shop_does_not_know_is_refused_before_anything_is_sent(
        self, order: Order, reason: Reason
    ) -> None:
        async with self.channel() as channel:
            with pytest.raises(Refused) as caught:
                await channel.send(self.message().model_copy(update={"order": order}))
            assert caught.value.reason is reason
            with pytest.raises(Unsupported):
                await channel.send(self.message().model_copy(update={"order": None}))

    async def test_an_order_may_be_known_by_its_global_id_and_under_another_systems_name(self) -> None:
        async with self.provider() as (peer, _):
            peer.will(*self.login, self.accepted)
            channel = ShopifyNote(self.settings(base_url=peer.url, system="shop-north"))
            order = known_as("shop-north", "gid://shopify/Order/450789469")
            await channel.send(self.message().model_copy(update={"order": order}))
            assert self.variables(peer.received[-1])["order"] == "gid://shopify/Order/450789469"
            await channel.aclose()

    async def test_a_text_too_long_gives_way_to_the_short_one_and_is_never_cut(self) -> None:
        long = "ü" * (VALUE_BYTES // 2)
        request = await self.sent(self.message(text=long, chat="In short."))
        assert b"In short." in request.body
        async with self.channel() as channel:
            with pytest.raises(Unsupported):
                await channel.send(self.message(text=long, chat=None))

    @pytest.mark.parametrize(
        ("answer", "fate"),
        [
            (Answer(503, b"{}"), Unavailable),
            (json_answer(200, {"data": {"shop": None}}), Unavailable),
            (failed("THROTTLED"), Unavailable),
            (Answer(400, b"{}"), Misconfigured),
            (failed("ACCESS_DENIED"), Misconfigured),
        ],
    )
    async def test_a_check_that_says_nothing_is_no_check(self, answer: Answer, fate: type[Exception]) -> None:
        async with self.provider() as (peer, channel):
            peer.will(*self.login, answer)
            assert isinstance(channel, ShopifyNote)
            with pytest.raises(fate):
                await channel.check()

    async def test_an_unreadable_answer_to_a_send_is_in_doubt_and_the_same_set_again_settles_it(self) -> None:
        async with self.provider() as (peer, channel):
            peer.will(*self.login, Answer(200, b"<html>"), self.accepted)
            with pytest.raises(InDoubt):
                await channel.send(self.message())
            assert (await channel.send(self.message())).provider_id == METAFIELD
            assert peer.received[1].body == peer.received[2].body

    def test_nothing_is_read_from_a_request(self) -> None:
        with pytest.raises(Exception, match="has no webhook"):
            self.make("https://shop.example.com").events(RawRequest(url=WEBHOOK_URL, headers={}, body=b"{}"))
