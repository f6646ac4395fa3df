"""One address, however it is spelled; and two that only look alike."""

import random

import phonenumbers
import pytest

from orderack.domain.address import address_sha256, reaches


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Ada@Example.com", "ada@example.COM"),
        (" ada@example.com ", "ada@example.com"),
        ("ada@Bücher.example", "ada@xn--bcher-kva.example"),
        ("ada@straße.example", "ada@XN--strae-oqa.example"),
        ("+49 30 5550010", "+49305550010"),
        ("+1 (500) 555-0006", "15005550006"),
        ("+49/30.555-0010", "49305550010"),
    ],
)
def test_one_address_has_one_digest_however_it_is_spelled(one: str, other: str) -> None:
    assert address_sha256(one) == address_sha256(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a.da@gmail.com", "ada@gmail.com"),
        ("ada+orders@example.com", "ada@example.com"),
        ("ada@xn--bcher-kva.example", "ada@bucher.example"),
        ("+49305550010", "+49305550011"),
        ("-1001234", "1001234"),
        ("01234567890A=", "01234567890a="),
        ("U0123", "0123"),
    ],
)
def test_two_addresses_have_two(one: str, other: str) -> None:
    assert address_sha256(one) != address_sha256(other)


@pytest.mark.parametrize(
    "odd", ["ada@xn--\udcff.example", "ada@xn--.example", "ada@xn--9999999999.example", "@", "xn--"]
)
def test_what_is_no_address_has_one_as_well(odd: str) -> None:
    assert len(address_sha256(odd)) == 64


@pytest.mark.parametrize(
    "written",
    [
        *(
            "ada@example.com",
            "+49 30 555 1000",
            " +4930",
            "(030) 555 1000",
            "030 5551000",
            "0305551000",
            "030/555-1000",
        ),
        *("0049 30 5551000", "00493055510000", "555-123-4567", "(555) 123-4567", "555.123.4567", "5552234567"),
        *("15552234567", "4915112345678", "447400123456", "33612345678", "5511961234567", "8613123456789"),
    ],
)
def test_what_people_dial_is_an_address_with_a_plus_or_without(written: str) -> None:
    assert reaches(written)


@pytest.mark.parametrize(
    "id_",
    [
        *("C-42", "42", "1001", "100234", "1000012345", "0000104711", "0000012345", "C20000", "7064985952482", "ada"),
        *("2026-1042", "10-4711", "gid://shopify/Customer/7064985952482", "b7f0c2d4-9a51-4e6b-8a53-0c6f2f9d6b1e"),
        *("", "  ", "00", "0" * 40, "1 " * 40),
    ],
)
def test_a_shops_own_number_is_no_address(id_: str) -> None:
    assert not reaches(id_)


EUROPE = ("DE", "GB", "FR", "ES", "IT", "NL", "BE", "AT", "CH", "SE")


def test_mobile_numbers_of_many_countries_are_known_without_their_plus() -> None:
    for region in (*EUROPE, "AU", "RU", "TR", "BR", "CN", "IN", "ID", "KR", "JP", "US", "CA"):
        number = phonenumbers.example_number_for_type(region, phonenumbers.PhoneNumberType.MOBILE)
        assert number is not None
        assert reaches(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)[1:]), region


def test_few_ids_of_large_shops_look_like_numbers_to_dial() -> None:
    dice = random.Random(5)
    for low, high, most in ((1, 10**7, 0.0), (6 * 10**12, 9 * 10**12, 0.02)):
        found = sum(reaches(str(dice.randrange(low, high))) for _ in range(5_000))
        assert found <= 5_000 * most, (low, found)


def test_a_long_text_takes_no_time() -> None:
    assert not reaches("1 (" * 100_000)
