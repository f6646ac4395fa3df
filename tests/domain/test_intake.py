"""The door for orders, against everything that has ever been pushed through one."""

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from babel import numbers
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import AwareDatetime, BaseModel

from orderack.domain.intake import MAX_BYTES, MAX_LINES, MAX_PROBLEMS, TIMES, parse_order
from orderack.domain.money import MINOR_DIGITS, add_up
from orderack.domain.order import Order

GOOD = {
    "store": "demo",
    "number": "A-1",
    "source": "web",
    "trigger_at": "2026-11-12T10:00:00+01:00",
    "currency": "EUR",
    "lines": [{"line_id": "1", "sku": "TENT", "quantity": 2, "unit_price": "50.0000"}],
    "totals": {"total": "100.00"},
}


def read(**changes: object) -> Order | tuple:
    return parse_order(json.dumps({**GOOD, **changes}))


def fields(result: object) -> list[str]:
    assert isinstance(result, tuple), "the order was accepted"
    return [problem.field for problem in result]


def line(**changes: object) -> dict[str, object]:
    return {"line_id": "1", "sku": "TENT", "quantity": 1, "unit_price": "1.00", **changes}


def address(**changes: object) -> dict[str, object]:
    return {"street": "Main Road 1", "city": "Berlin", "country": "DE", **changes}


@pytest.mark.parametrize(
    "raw",
    [json.dumps(GOOD), json.dumps(GOOD).encode(), b"\xef\xbb\xbf" + json.dumps(GOOD).encode(), GOOD],
    ids=["text", "bytes", "bytes with a byte order mark", "mapping"],
)
def test_a_good_order_is_read_from_text_bytes_or_a_mapping(raw: object) -> None:
    order = parse_order(raw)
    assert isinstance(order, Order)
    assert order.totals.total == Decimal("100.00")


def test_json_numbers_become_exact_decimals() -> None:
    order = parse_order(json.dumps(GOOD).replace('"50.0000"', "0.1"))
    assert isinstance(order, Order)
    assert order.lines[0].unit_price == Decimal("0.1")


def test_a_float_in_a_mapping_is_the_decimal_its_sender_wrote_or_refused() -> None:
    order = parse_order({**GOOD, "lines": [line(unit_price=12.35)]})
    assert isinstance(order, Order)
    assert order.lines[0].unit_price == Decimal("12.35")
    assert fields(parse_order({**GOOD, "totals": {"total": 0.1 + 0.2}})) == ["totals.total"]
    assert fields(parse_order({**GOOD, "totals": {"total": float("inf")}})) == ["totals.total"]


@pytest.mark.parametrize(
    ("raw", "field"),
    [
        ("", "order"),
        ("{", "order"),
        ("[]", "order"),
        ('"order"', "order"),
        ("null", "order"),
        (b"\xff\xfe{}", "order"),
        (None, "order"),
        (17, "order"),
        ('{"totals": {"total": NaN}}', "order"),
        ('{"totals": {"total": -Infinity}}', "order"),
        ('{"number": "A", "number": "B"}', "number"),
        ('{"totals": {"total": 1e999999999999999999999}}', "order"),
        ('{"totals": {"total": ' + "9" * 5_000 + "}}", "order"),
        ('{"a":' * 100_000, "order"),
        ('{"a":' * 40 + "1" + "}" * 40, "order"),
        ('"\ud800"', "order"),
        (" " * (MAX_BYTES + 1), "order"),
    ],
)
def test_what_cannot_be_read_is_one_problem_with_a_remedy(raw: object, field: str) -> None:
    result = parse_order(raw)
    assert fields(result) == [field]
    assert result[0].problem
    assert result[0].remedy


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"store": ""}, "store"),
        ({"number": "   "}, "number"),
        ({"number": 12}, "number"),
        ({"number": True}, "number"),
        ({"number": "A-1\r\nBcc: x"}, "number"),
        ({"number": "A\u0000"}, "number"),
        ({"number": "A\u2028B"}, "number"),
        ({"nubmer": "A"}, "nubmer"),
        ({"customer": {"nmae": "x"}}, "customer.nmae"),
        ({"customer": {"name": "Ada\u202eelpmaxE"}}, "customer.name"),
        ({"customer": {"name": "Ada\ud800"}}, "customer.name"),
        ({"customer": {"relation": "friend"}}, "customer.relation"),
        ({"customer": []}, "customer"),
        ({"trigger_at": 1_700_000_000}, "trigger_at"),
        ({"trigger_at": "yesterday"}, "trigger_at"),
        ({"trigger_at": "2026-11-12T10:00:00"}, "trigger_at"),
        ({"currency": "eur"}, "currency"),
        ({"currency": "XXQ"}, "currency"),
        ({"totals": {}}, "totals.total"),
        ({"totals": {"total": "NaN"}}, "totals.total"),
        ({"totals": {"total": True}}, "totals.total"),
        ({"totals": {"total": "1e400"}}, "totals.total"),
        ({"totals": {"total": "-1"}}, "totals.total"),
        ({"totals": {"total": "100.001"}}, "totals.total"),
        ({"totals": {"total": "100.5"}, "currency": "JPY"}, "totals.total"),
        ({"totals": {"total": "100.0005"}, "currency": "KWD"}, "totals.total"),
        ({"totals": {"total": "100", "tax": "0.005"}}, "totals.tax"),
        ({"lines": "none"}, "lines"),
        ({"lines": [line(quantity=0)]}, "lines[0].quantity"),
        ({"lines": [line(quantity=-3)]}, "lines[0].quantity"),
        ({"lines": [line(quantity="1.00001")]}, "lines[0].quantity"),
        ({"lines": [line(unit_price="1.00001")]}, "lines[0].unit_price"),
        ({"lines": [line(), line()]}, "lines[1].line_id"),
        ({"lines": [line(line_id=str(n)) for n in range(MAX_LINES + 1)]}, "lines"),
        ({"delivery_address": address(country="de")}, "delivery_address.country"),
        ({"delivery_address": address(), "pickup": {"location": "Shop"}}, "pickup"),
        (
            {"delivery_window": {"start": "2026-11-13T10:00:00Z", "end": "2026-11-13T10:00:00Z"}},
            "delivery_window.end",
        ),
        ({"schema_version": 2}, "schema_version"),
        ({"schema_version": True}, "schema_version"),
        ({"contacts": {"language": "English!"}}, "contacts.language"),
        ({"billing_address": address(street="Main\r\nRoad")}, "billing_address.street"),
    ],
)
def test_a_bad_field_is_named_with_a_remedy(changes: dict[str, object], field: str) -> None:
    result = read(**changes)
    assert fields(result) == [field]
    assert result[0].remedy


@pytest.mark.parametrize(
    "name",
    [
        "O'Brien; DROP TABLE orders; --",
        "יוסי כהן",
        "مريم علي",
        "می‌خواهم",
        "Ürgüp Çelik 😀",
        "Wolfeschlegelsteinhausenbergerdorffwelchevoralternwarengewissenhaftsch",
        "<script>alert(1)</script>",
        "{{ 7 * 7 }}",
    ],
)
def test_a_strange_name_is_a_name(name: str) -> None:
    order = read(customer={"name": name})
    assert isinstance(order, Order)
    assert order.customer.name == name


def test_line_breaks_belong_into_instructions() -> None:
    order = read(instructions="Ring twice.\r\nThen wait.", lines=[line(design="Red\nBlue")])
    assert isinstance(order, Order)
    assert order.instructions == "Ring twice.\r\nThen wait."


@pytest.mark.parametrize(
    ("currency", "total"), [("JPY", "100"), ("JPY", "100.00"), ("KWD", "100.125"), ("EUR", "0.01")]
)
def test_totals_keep_to_the_currency(currency: str, total: str) -> None:
    assert isinstance(read(currency=currency, totals={"total": total}), Order)


def test_as_many_lines_as_allowed_are_read() -> None:
    order = parse_order({**GOOD, "lines": [line(line_id=str(n)) for n in range(MAX_LINES)]})
    assert isinstance(order, Order)
    assert len(order.lines) == MAX_LINES


def test_a_misspelt_field_is_answered_with_the_one_probably_meant() -> None:
    (problem,) = read(lines=[line(quantiti=1)])
    assert problem.field == "lines[0].quantiti"
    assert "`quantity`" in problem.remedy


def test_a_key_that_is_no_word_is_not_repeated() -> None:
    (problem,) = read(**{"ada@example.com\r\n": 1})
    assert "ada" not in problem.model_dump_json()


def test_problems_never_carry_the_buyers_data() -> None:
    secret = "ada-secret\x00"
    result = read(
        customer={"id": 5, "name": secret},
        contacts={"email": secret, "phone": secret},
        billing_address=address(street=secret, country=secret),
    )
    assert "ada-secret" not in "".join(problem.model_dump_json() for problem in result)


def test_a_thousand_problems_are_cut_to_a_list_that_a_person_reads() -> None:
    result = read(lines=[line(line_id=str(n), quantity=0) for n in range(1_000)])
    assert isinstance(result, tuple)
    assert len(result) == MAX_PROBLEMS
    assert "more problems" in result[-1].problem


def test_every_time_in_an_order_is_guarded_against_bare_numbers() -> None:
    def times(model: type[BaseModel]) -> set[str]:
        found = set()
        for name, field in model.model_fields.items():
            kinds = [field.annotation, *getattr(field.annotation, "__args__", ())]
            if datetime in kinds or AwareDatetime in kinds:
                found.add(name)
            for kind in kinds:
                if isinstance(kind, type) and issubclass(kind, BaseModel):
                    found |= times(kind)
        return found

    assert times(Order) == TIMES


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=200, deadline=None)
@given(field=st.sampled_from(sorted(Order.model_fields)), value=json_values)
def test_no_value_in_any_field_makes_intake_raise(field: str, value: object) -> None:
    result = parse_order({**GOOD, field: value})
    assert isinstance(result, Order | tuple)
    assert result != ()


@settings(max_examples=200, deadline=None)
@given(st.text() | st.binary())
def test_no_text_makes_intake_raise(raw: str | bytes) -> None:
    assert isinstance(parse_order(raw), tuple)


def test_a_trigger_in_any_zone_is_kept() -> None:
    order = read()
    assert isinstance(order, Order)
    assert order.trigger_at == datetime(2026, 11, 12, 9, tzinfo=UTC)


def test_currencies_are_those_of_the_locale_library() -> None:
    assert MINOR_DIGITS.keys() <= numbers.list_currencies()
    for code in ("EUR", "USD", "JPY", "KRW", "KWD", "BHD", "TND", "CLP", "CLF"):
        assert MINOR_DIGITS[code] == numbers.get_currency_precision(code)


@pytest.mark.parametrize(
    ("tax_included", "expected"), [(False, "104.30"), (True, "94.30")], ids=["tax on top", "tax inside"]
)
def test_an_order_adds_up_to_its_currencys_minor_unit(tax_included: bool, expected: str) -> None:
    order = read(
        lines=[line(quantity="1.5", unit_price="59.53"), line(line_id="2", quantity=1, unit_price="0")],
        totals={"total": "1", "discount": "5", "tax": "10", "shipping": "10"},
    )
    assert isinstance(order, Order)
    assert add_up(order, tax_included=tax_included) == Decimal(expected)
